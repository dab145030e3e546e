"""The recall task: rows that can be answered from themselves alone, and an accuracy that measures it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nemo_lab.modeling import HybridConfig
from nemo_lab.studies.hybrid_architecture import recall
from nemo_lab.studies.hybrid_architecture.recall import RecallTask, recall_accuracy, recall_batch, recall_source
from nemo_lab.training import IGNORE, TrainingError, TrainSettings, comparison
from tests.recorders import record, spy

tasks = st.integers(1, 6).flatmap(
    lambda pairs: st.builds(RecallTask, st.just(pairs), st.integers(pairs, 9), st.integers(2, 9))
)


@given(tasks, st.integers(0, 99), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_answer_stands_in_the_row(task: RecallTask, seed: int, step: int) -> None:
    tokens_BL, targets_BL, document_BL = recall_batch(task, 5, seed, step)
    assert tokens_BL.shape == targets_BL.shape == document_BL.shape == (5, task.length)
    assert int(tokens_BL.max()) < task.vocab_size
    for tokens, targets in zip(tokens_BL.tolist(), targets_BL.tolist(), strict=True):
        middle = 1 + 2 * task.pairs
        pairs = dict(zip(tokens[1:middle:2], tokens[2:middle:2], strict=True))
        assert len(pairs) == task.pairs
        asked = {place: target for place, target in enumerate(targets) if target != IGNORE}
        assert list(asked) == list(range(middle, task.length, 2))
        assert all(pairs[tokens[place]] == target == tokens[place + 1] for place, target in asked.items())
        assert {tokens[place] for place in asked} == set(pairs)


def test_batches_are_a_function_of_seed_and_step() -> None:
    task = RecallTask(4, 8, 8)
    source = recall_source(task, 3, seed=1)
    assert torch.equal(source(5).tokens_BL, recall_batch(task, 3, 1, 5).tokens_BL)
    assert not torch.equal(source(5).tokens_BL, source(6).tokens_BL)
    assert not torch.equal(source(5).tokens_BL, recall_batch(task, 3, 2, 5).tokens_BL)


class LooksUp(nn.Module):
    """Answers from the row, rightly or one value off."""

    def __init__(self, task: RecallTask, off: int) -> None:
        super().__init__()
        self.task, self.off, self.weight = task, off, nn.Parameter(torch.zeros(1))

    def forward(self, tokens_BL: torch.Tensor) -> torch.Tensor:
        middle = 1 + 2 * self.task.pairs
        logits = torch.zeros(*tokens_BL.shape, self.task.vocab_size)
        for row, tokens in enumerate(tokens_BL.tolist()):
            pairs = dict(zip(tokens[1:middle:2], tokens[2:middle:2], strict=True))
            for place in range(middle, len(tokens), 2):
                first = 1 + self.task.keys
                logits[row, place, first + (pairs[tokens[place]] - first + self.off) % self.task.values] = 1
        return logits


@pytest.mark.parametrize(("off", "accuracy"), [(0, 1.0), (1, 0.0)])
def test_accuracy_of_models_that_are_always_right_or_wrong(off: int, accuracy: float) -> None:
    task = RecallTask(4, 8, 8)
    assert recall_accuracy(LooksUp(task, off), task, rows=70, batch_size=32) == accuracy


def test_accuracy_is_of_rows_that_no_training_has_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    task = RecallTask(4, 8, 8)
    asked = spy(monkeypatch, recall, "recall_batch")
    recall_accuracy(LooksUp(task, 0), task, rows=70, batch_size=32)
    assert asked.all("step") == [0, 1, 2], "no row twice"
    assert sum(asked.all("batch_size")) == 70
    (seed,) = set(asked.all("seed"))
    recall_source(task, 32, seed=3)(0)
    assert seed != asked.all("seed")[-1] == 3


def test_impossible_tasks_are_refused() -> None:
    with pytest.raises(TrainingError, match="pairs=9 must be from 1 to keys=8"):
        RecallTask(9, 8, 8)
    with pytest.raises(TrainingError, match="values=1"):
        RecallTask(1, 8, 1)


def test_a_score_is_trained_on_rows_of_its_seed_and_judged_on_others(monkeypatch) -> None:
    task, plan = RecallTask(pairs=2, keys=4, values=4), TrainSettings(3, 4, 1e-3, seed=9)
    config = HybridConfig(pattern="M*-", vocab_size=task.vocab_size, d_model=32, n_heads=2, head_dim=16)
    trained = record(monkeypatch, comparison, "train")
    judged = record(monkeypatch, recall, "recall_accuracy", 0.5)
    assert recall.score_recall(config, 5, task, plan) == 0.5
    assert trained.only("settings") == replace(plan, seed=5), "the seed of the run, not that of the settings"
    for step in (0, 3):
        wanted = recall_batch(task, plan.batch_size, 5, step)
        assert torch.equal(trained.only("data")(step).tokens_BL, wanted.tokens_BL)
    assert judged.only("model") is trained.only("model")
    assert judged.only("task") is task
    assert judged.only("seed") not in range(1000), "rows of a seed that a run may have would be known by heart"
