"""Ours against Hugging Face: each side is timed by a process of its own."""

import json

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.studies.performance import language_model
from nemo_lab.studies.performance.sides import main
from tests.recorders import record

TINY = language_model.TrainingSizes(batch_size=2, length=24, steps=1, new_tokens=3)


def test_the_command_prints_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            language_model.BENCHMARK,
            language_model.run,
            ["ours", "train", "--length=16", "--batch-size=1", "--steps=1"],
        )
        == 0
    )
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
        language_model.measure(side, tasks, TINY)


def test_a_process_that_fails_is_one_sentence() -> None:
    with pytest.raises(LabError, match="Timing ours failed with status 1: "):
        language_model.measure("ours", ["train"], language_model.TrainingSizes(batch_size=0))


def test_peak_memory_is_the_process_s_own() -> None:
    """A process started by a large one must not inherit its peak."""
    ballast = b"x" * 600_000_000
    found = language_model.measure("ours", ["train"], language_model.TrainingSizes(batch_size=1, length=8, steps=1))[
        "train"
    ]
    assert len(ballast) / 1e6 > found["peak_mb_before"]
    assert found["peak_mb"] > found["peak_mb_before"]


# --- what is equal on both sides


@pytest.mark.parametrize("side", language_model.SIDES)
def test_a_task_runs_on_its_side_with_its_rows_in_both_precisions(monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    decoded, read = (
        record(monkeypatch, language_model, "decode", "d"),
        record(monkeypatch, language_model, "prefill", "p"),
    )
    assert (
        language_model._run(side, "decode1", TINY)
        == language_model._run(side, "decode16", TINY)
        == {"bf16": "d", "fp32": "d"}
    )
    assert language_model._run(side, "prefill", TINY) == {"bf16": "p", "fp32": "p"}
    assert decoded.all("batch") == [1, 1, 16, 16]
    assert decoded.all("dtype") == [torch.bfloat16, torch.float32] * 2
    assert set(decoded.all("side") + read.all("side")) == {side}


def test_a_side_is_timed_by_the_command_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = record(monkeypatch, language_model, "run_side", {"ran": True})
    for side in language_model.SIDES:
        assert language_model.measure(side, ["train", "decode1"], TINY) == {"ran": True}
    assert ran.all("words") == [[side, "train", "decode1"] for side in language_model.SIDES]
    assert ran.all("sizes") == [TINY, TINY]
