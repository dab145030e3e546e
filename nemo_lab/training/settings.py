"""Settings of a training run: one frozen dataclass, checked when it is made.

The defaults are the papers' (Nemotron-H, arXiv 2504.03624, section 2.4: Adam with betas 0.9 and 0.95,
weight decay 0.1, cosine decay to 1 % of the peak). A learning rate has no default worth having: it depends
on the width of the model and on the length of the run, so that `peak_lr` must be given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from nemo_lab.errors import LabError, one_of

SCHEDULES = ("cosine", "wsd", "constant")
DECAY_SHAPES = ("linear", "minus_sqrt")
PRECISIONS = ("bf16", "fp32")


class TrainingError(LabError):
    """Anything that a user of `nemo_lab.training` can put right: one sentence, saying what to do."""


@dataclass(frozen=True)
class TrainSettings:
    """How to train; what is trained and on what are the other arguments of `train`.

    `batch_size` counts rows of an update, over all processes and micro-batches; `accumulate` cuts it into
    that many micro-batches to save memory and leaves the result as it is, up to rounding.
    `checkpoint_every` and `validate_every` count updates; 0 means only at the end.
    """

    steps: int
    batch_size: int
    peak_lr: float
    warmup_steps: int = 0
    min_lr_ratio: float = 0.01
    schedule: str = "cosine"
    decay_fraction: float = 0.2
    decay_shape: str = "linear"
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    precision: str = "bf16"
    accumulate: int = 1
    seed: int = 0
    checkpoint_every: int = 0
    validate_every: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot work, each with a sentence of its own."""
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON gives a list
        for name in ("steps", "batch_size", "accumulate"):
            _need(self, name, "a whole number of at least 1", _is_count(getattr(self, name), 1))
        for name in ("warmup_steps", "checkpoint_every", "validate_every", "seed"):
            _need(self, name, "a whole number of at least 0", _is_count(getattr(self, name), 0))
        for name in ("peak_lr", "clip"):
            _need(self, name, "a positive number", _is_between(getattr(self, name), 5e-324, math.inf))
        _need(self, "weight_decay", "a number of at least 0", _is_between(self.weight_decay, 0, math.inf))
        for name in ("min_lr_ratio", "decay_fraction"):
            _need(self, name, "a number from 0 to 1", _is_between(getattr(self, name), 0, 1))
        two = len(self.betas) == 2 and all(_is_between(b, 0, 1) and b < 1 for b in self.betas)
        _need(self, "betas", "two numbers of at least 0 and below 1", two)
        for name, allowed in _CHOICES.items():
            _need(self, name, f"one of {', '.join(allowed)}", getattr(self, name) in allowed)
        _need(self, "warmup_steps", f"at most steps={self.steps}", self.warmup_steps <= self.steps)
        divides = self.batch_size % self.accumulate == 0
        _need(self, "accumulate", f"a divisor of batch_size={self.batch_size}", divides)


_CHOICES = {"schedule": SCHEDULES, "decay_shape": DECAY_SHAPES, "precision": PRECISIONS}


def settings_from(values: Mapping[str, Any]) -> TrainSettings:
    """Make `TrainSettings` of a mapping, as read from JSON; an unknown key is an error listing the known."""
    known = [field.name for field in fields(TrainSettings)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TrainingError(one_of("training setting", unknown[0], known))
    required = [name for name in ("steps", "batch_size", "peak_lr") if name not in values]
    if required:
        raise TrainingError(f"The training settings lack {', '.join(required)}; add them.")
    return TrainSettings(**values)


def _need(settings: TrainSettings, name: str, expected: str, holds: bool) -> None:
    if not holds:
        raise TrainingError(f"{name}={getattr(settings, name)!r} must be {expected}.")


def _is_count(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _is_between(value: Any, low: float, high: float) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return low <= value <= high and math.isfinite(value)
