"""Ours against Hugging Face: on both sides the same model and the same work."""

import pytest
import torch

from nemo_lab.studies.performance import language_model, language_model_tasks
from tests.recorders import spy

TINY = language_model.TrainingSizes(batch_size=2, length=24, steps=1, new_tokens=3)


def test_the_two_sides_are_the_same_model() -> None:
    found = language_model_tasks.same(TINY)
    assert found["parameters_ours"] == found["parameters_hf"]
    assert found["logit_difference"] < 1e-4
    assert found["greedy_tokens_equal"] is True


def test_both_trainings_do_the_same_work() -> None:
    """Equal losses step after step: same weights, batches, loss, clipping and optimizer."""
    ours, theirs = (language_model_tasks.training(side, TINY) for side in language_model.SIDES)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=0.02)
    assert len(ours["loss"]) == language_model_tasks.WARMUP + TINY.steps
    for side in (ours, theirs):
        assert side["tokens"] == 48
        assert len(side["seconds"]) == TINY.steps
        assert min(side["seconds"]) > 0
        assert side["peak_mb"] >= side["peak_mb_before"] > 0


def test_an_optimizer_that_does_nothing_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: when one side's gradients are lost, the losses tell."""
    ours = language_model_tasks.training("ours", TINY)
    stuck = lambda parameters, limit: [p.grad.zero_() for p in parameters]  # noqa: E731
    monkeypatch.setattr(language_model_tasks, "clip_gradients", stuck)
    theirs = language_model_tasks.training("hf", TINY)
    assert ours["loss"] != pytest.approx(theirs["loss"], abs=0.02)


@pytest.mark.parametrize("side", language_model.SIDES)
def test_decoding_and_prefill_count_their_tokens(side: str) -> None:
    decoded = language_model_tasks.decode(side, torch.float32, 2, TINY)
    assert decoded["tokens"] == 2 * (TINY.new_tokens - 1)
    assert decoded["seconds"][0] > 0
    assert decoded["first_token"] > 0
    read = language_model_tasks.prefill(side, torch.float32, TINY)
    assert read["tokens"] == 48
    assert len(read["seconds"]) == TINY.steps


def test_the_profile_names_operations() -> None:
    spent = language_model_tasks.profile("ours", TINY)
    assert any("mm" in name for name in spent)
    assert min(spent.values()) > 0


def test_the_matmuls_alone_are_a_bound_on_decoding() -> None:
    sizes = language_model.TrainingSizes(new_tokens=8)
    runs = [language_model_tasks.decode("ours", dtype, 1, sizes) for dtype in language_model_tasks.DTYPES.values()]
    ours = min(run["seconds"][0] / run["tokens"] for run in runs)
    assert (
        0 < min(language_model_tasks.matmuls(sizes)["1"] for _ in range(3)) < ours
    )  # the least of 30 calls, however busy


def test_both_trainings_begin_with_the_same_weights_settings_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    batched = spy(monkeypatch, language_model_tasks, "_batch")
    trained, looped = (
        spy(monkeypatch, language_model_tasks, "train"),
        spy(monkeypatch, language_model_tasks, "train_hf"),
    )
    clipped, optimized = (
        spy(monkeypatch, language_model_tasks, "clip_gradients"),
        spy(monkeypatch, language_model_tasks, "adamw"),
    )
    for side in language_model.SIDES:
        language_model_tasks.training(side, TINY)
    steps = language_model_tasks.WARMUP + TINY.steps
    assert batched.all("step") == [*range(steps)] * 2
    assert trained.only("settings") == looped.only("settings") == optimized.only("settings")
    assert trained.only("settings").steps == steps
    assert clipped.all("limit") == [trained.only("settings").clip] * steps
    first = [language_model_tasks._train(side, TINY, 1, lambda row: None)[0]["loss"] for side in language_model.SIDES]
    assert first[0] == pytest.approx(first[1], abs=2e-3), "the first loss is of weights and batch alone"


def test_batches_are_a_function_of_the_step() -> None:
    first, again, other = (language_model_tasks._batch(TINY, step).tokens_BL for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
