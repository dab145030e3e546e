"""Timing in turns."""

import sys

import pytest

from nemo_lab.errors import LabError
from nemo_lab.timing import interleaved
from tests.test_progress import Screen


def test_rounds_take_turns_after_a_call_of_each() -> None:
    calls: list[str] = []
    tasks = {(name, 1): lambda name=name: calls.append(name) for name in "abc"}
    seconds = interleaved(tasks, 3)
    assert calls == [*"abc", *"abc", *"cba", *"abc"]
    assert {name: len(times) for name, times in seconds.items()} == dict.fromkeys(tasks, 3)
    assert list(seconds) == list(tasks)


def test_each_time_belongs_to_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("nemo_lab.timing.time.perf_counter", lambda: clock[0])

    def take(seconds: float) -> None:
        clock[0] += seconds

    assert interleaved({"slow": lambda: take(4.0), "fast": lambda: take(0.5)}, 3) == {
        "slow": [4.0] * 3,
        "fast": [0.5] * 3,
    }


def test_nothing_to_time_is_refused() -> None:
    with pytest.raises(LabError, match="0 tasks and 3 rounds"):
        interleaved({}, 3)
    with pytest.raises(LabError, match="1 tasks and 0 rounds"):
        interleaved({"a": int}, 0)


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_where_it_is_asked_for(progress: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMO_LAB_PROGRESS", "1")
    screen = Screen(tty=True)
    monkeypatch.setattr(sys, "stderr", screen)
    interleaved({"a": int}, 2, progress=progress)
    assert ("timing" in screen.getvalue()) is progress
