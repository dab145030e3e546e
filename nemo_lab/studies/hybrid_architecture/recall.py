"""Associative recall: can a model look up in its context what it has read once?

The task is multi-query associative recall (Zoology, arXiv 2312.04927), the probe on which a fixed-size state
and attention differ most: plain text of small models does not separate them. A row lists `pairs` keys, each
followed by a random value, then asks for the keys in another order:

    k3 v7 k1 v2 k8 v5 | k1 -> v2   k8 -> v5   k3 -> v7

Keys never repeat in a row, and values are drawn anew each time, so that nothing can be learned by heart: the
chance level is 1 / values. Attention keeps all pairs; a Mamba-2 layer must fit them into its P x N state.
Only the answers are targets. Token 0 opens the row; keys are 1 … keys, values follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nemo_lab.modeling import HybridConfig
from nemo_lab.training.comparison import trained_model
from nemo_lab.training.identity import with_fingerprint
from nemo_lab.training.packing import IGNORE, Batch
from nemo_lab.training.settings import TrainingError, TrainSettings


@dataclass(frozen=True)
class RecallTask:
    """`pairs` key-value pairs a row, from `keys` keys and `values` values."""

    pairs: int
    keys: int = 64
    values: int = 64

    def __post_init__(self) -> None:
        """Refuse more pairs than keys: keys are unique in a row."""
        if not 1 <= self.pairs <= self.keys:
            raise TrainingError(f"pairs={self.pairs} must be from 1 to keys={self.keys}: keys do not repeat.")
        if self.values < 2:
            raise TrainingError(f"values={self.values} must be at least 2, or there is nothing to recall.")

    @property
    def vocab_size(self) -> int:
        """Tokens in use: the opening one, the keys, the values."""
        return 1 + self.keys + self.values

    @property
    def length(self) -> int:
        """Tokens of a row: the opening one, all pairs, all questions with their answers."""
        return 1 + 4 * self.pairs

    @property
    def chance(self) -> float:
        """Accuracy of guessing."""
        return 1 / self.values


def recall_batch(task: RecallTask, batch_size: int, seed: int, step: int) -> Batch:
    """Rows of batch number `step`: a function of its arguments alone."""
    random = np.random.default_rng([seed, step])
    keys_BP = random.random((batch_size, task.keys)).argsort(1)[:, : task.pairs] + 1
    values_BP = random.integers(task.values, size=keys_BP.shape) + 1 + task.keys
    asked_BP = random.random(keys_BP.shape).argsort(1)
    tokens_BL = np.zeros((batch_size, task.length), dtype=np.int64)
    middle = 1 + 2 * task.pairs
    tokens_BL[:, 1:middle:2], tokens_BL[:, 2:middle:2] = keys_BP, values_BP
    tokens_BL[:, middle::2] = np.take_along_axis(keys_BP, asked_BP, 1)
    answers_BP = np.take_along_axis(values_BP, asked_BP, 1)
    tokens_BL[:, middle + 1 :: 2] = answers_BP
    targets_BL = np.full_like(tokens_BL, IGNORE)
    targets_BL[:, middle::2] = answers_BP
    return Batch(*map(torch.from_numpy, (tokens_BL, targets_BL, np.zeros_like(tokens_BL))))


def recall_source(task: RecallTask, batch_size: int, seed: int) -> Callable[[int], Batch]:
    """The task as data for `train`: batch by step, endless, never the same row twice but by chance."""
    return with_fingerprint(lambda step: recall_batch(task, batch_size, seed, step), "recall", task, batch_size, seed)


@torch.no_grad()
def recall_accuracy(
    model: nn.Module, task: RecallTask, *, rows: int = 256, seed: int = 10**6, batch_size: int = 64
) -> float:
    """Share of answers that get the highest logit among all tokens, on rows that training has not seen."""
    right, asked = 0, 0
    device = next(model.parameters()).device
    for step in range(-(-rows // batch_size)):
        tokens_BL, targets_BL, _ = recall_batch(task, min(batch_size, rows - step * batch_size), seed, step)
        with torch.autocast(device.type, torch.bfloat16):
            best_BL = model(tokens_BL.to(device)).argmax(-1).cpu()
        counted = targets_BL != IGNORE
        right += int((best_BL == targets_BL)[counted].sum())
        asked += int(counted.sum())
    return right / asked


def score_recall(config: HybridConfig, seed: int, task: RecallTask, settings: TrainSettings) -> float:
    """Train one model on the recall task alone and return its accuracy on fresh rows."""
    model, _ = trained_model(config, seed, recall_source(task, settings.batch_size, seed), settings)
    return recall_accuracy(model, task)
