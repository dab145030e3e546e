"""Ours against Hugging Face: the workers time what they say, on both sides the same work."""

import json

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.sides import main
from nemo_lab.training import peer_tasks, peers

TINY = peers.Sizes(batch_size=2, length=24, steps=1, new_tokens=3)


def test_the_two_sides_are_the_same_model() -> None:
    found = peer_tasks.same(TINY)
    assert found["parameters_ours"] == found["parameters_hf"]
    assert found["logit_difference"] < 1e-4
    assert found["greedy_tokens_equal"] is True


def test_both_trainings_do_the_same_work() -> None:
    """Equal losses step after step: same weights, batches, loss, clipping and optimizer."""
    ours, theirs = (peer_tasks.training(side, TINY) for side in peers.SIDES)
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=0.02)
    assert len(ours["loss"]) == peer_tasks.WARMUP + TINY.steps
    for side in (ours, theirs):
        assert side["tokens"] == 48
        assert len(side["seconds"]) == TINY.steps
        assert min(side["seconds"]) > 0
        assert side["peak_mb"] >= side["peak_mb_before"] > 0


def test_an_optimizer_that_does_nothing_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: when one side's gradients are lost, the losses tell."""
    ours = peer_tasks.training("ours", TINY)
    stuck = lambda parameters, limit: [p.grad.zero_() for p in parameters]  # noqa: E731
    monkeypatch.setattr(peer_tasks, "clip_gradients", stuck)
    theirs = peer_tasks.training("hf", TINY)
    assert ours["loss"] != pytest.approx(theirs["loss"], abs=0.02)


@pytest.mark.parametrize("side", peers.SIDES)
def test_decoding_and_prefill_count_their_tokens(side: str) -> None:
    decoded = peer_tasks.decode(side, torch.float32, 2, TINY)
    assert decoded["tokens"] == 2 * (TINY.new_tokens - 1)
    assert decoded["seconds"][0] > 0
    assert decoded["first_token"] > 0
    read = peer_tasks.prefill(side, torch.float32, TINY)
    assert read["tokens"] == 48
    assert len(read["seconds"]) == TINY.steps


def test_the_profile_names_operations() -> None:
    spent = peer_tasks.profile("ours", TINY)
    assert any("mm" in name for name in spent)
    assert min(spent.values()) > 0


def test_the_matmuls_alone_are_a_bound_on_decoding() -> None:
    sizes = peers.Sizes(new_tokens=8)
    runs = [peer_tasks.decode("ours", dtype, 1, sizes) for dtype in peer_tasks.DTYPES.values()]
    ours = min(run["seconds"][0] / run["tokens"] for run in runs)
    assert 0 < peer_tasks.matmuls(sizes)["1"] < ours


def test_the_command_prints_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(peers.BENCHMARK, peers.run, ["ours", "train", "--length=16", "--batch-size=1", "--steps=1"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["side"] == "ours"
    assert printed["train"]["tokens"] == 16


@pytest.mark.parametrize(
    ("side", "tasks", "sentence"),
    [
        ("our", ["train"], "Unknown side 'our', did you mean 'ours'"),
        ("ours", ["trian"], "Unknown task 'trian', did you mean 'train'"),
    ],
)
def test_a_misspelt_name_is_refused(side: str, tasks: list[str], sentence: str) -> None:
    with pytest.raises(LabError, match=sentence):
        peers.measure(side, tasks, TINY)


def test_a_process_that_fails_is_one_sentence() -> None:
    with pytest.raises(LabError, match="Timing ours failed with status 1: "):
        peers.measure("ours", ["train"], peers.Sizes(batch_size=0))


def test_peak_memory_is_the_process_s_own() -> None:
    """A process started by a large one must not inherit its peak."""
    ballast = b"x" * 600_000_000
    found = peers.measure("ours", ["train"], peers.Sizes(batch_size=1, length=8, steps=1))["train"]
    assert len(ballast) / 1e6 > found["peak_mb_before"]
    assert found["peak_mb"] > found["peak_mb_before"]
