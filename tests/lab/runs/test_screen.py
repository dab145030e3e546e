"""What a batch shows: a moving line on a terminal, plain lines in a log, a table at the end."""

import io
import sys
from pathlib import Path

import pytest

from nemo_lab.lab.ledger.claims import NOT_REPRODUCED, REPRODUCED, TOO_SMALL
from nemo_lab.lab.runs.plan import Job
from nemo_lab.lab.runs.screen import Screen, table

JOB = Job(Path("notebooks/05_x.ipynb"), "smoke", 3, {}, "", Path("runs"), {})


class Terminal(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


def record(**changes: object) -> dict[str, object]:
    return {
        "notebook": "05_x",
        "scale": "smoke",
        "seed": 3,
        "status": "ok",
        "seconds": 12.34,
        "peak_mb": 99.6,
    } | changes


each_stream = pytest.mark.parametrize("tty", [True, False], ids=["terminal", "log"])


def stderr(monkeypatch: pytest.MonkeyPatch, tty: bool) -> Terminal:
    stream = Terminal(tty)
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@each_stream
def test_runs_are_counted_and_cells_on_a_terminal_only(monkeypatch, tty):
    shown = stderr(monkeypatch, tty)
    screen = Screen(2)
    for _ in range(2):
        screen.start(JOB)
        screen.cell(JOB, 0, 7)
        screen.end(JOB, record())
    lines = [line for line in shown.getvalue().replace("\r\033[K", "\n").splitlines() if line]
    during = "  cell 1 of 7  0:00" if tty else ""
    assert lines == [
        f"[1/2] 05_x  smoke  seed 3{during}",
        "[1/2] 05_x  smoke  seed 3  ok  12 s",
        f"[2/2] 05_x  smoke  seed 3{during}",
        "[2/2] 05_x  smoke  seed 3  ok  12 s",
    ]
    assert ("\033" in shown.getvalue()) == tty


@each_stream
def test_a_failed_run_says_where_and_why_and_a_kept_one_that_it_is_kept(monkeypatch, tty):
    shown = stderr(monkeypatch, tty)
    screen = Screen(2)
    screen.end(JOB, record(status="failed", cell=4, error="ValueError: no"))
    screen.end(JOB, record(resumed=True))
    first, second, _ = shown.getvalue().split("\n")
    assert first.endswith("failed  12 s  cell 4: ValueError: no")
    assert second.endswith("kept  12 s")


def test_the_table_counts_reproduced_claims_of_those_judged():
    verdicts = [REPRODUCED, NOT_REPRODUCED, TOO_SMALL, REPRODUCED]
    claims = [{"id": f"a.{k}", "verdict": verdict} for k, verdict in enumerate(verdicts)]
    small = [{"id": "a.0", "verdict": TOO_SMALL}]
    failed = {"notebook": "06_longer_name", "scale": "laptop", "seed": 12, "status": "failed"}
    text = table([record(claims=claims), record(claims=small, resumed=True), failed])
    assert [line.split() for line in text.splitlines()] == [
        ["notebook", "scale", "seed", "status", "seconds", "peak", "MB", "claims"],
        ["05_x", "smoke", "3", "ok", "12.3", "100", "2", "of", "3", "reproduced"],
        ["05_x", "smoke", "3", "kept", "12.3", "100", "–"],
        ["06_longer_name", "laptop", "12", "failed", "0.0", "0", "–"],
    ]
    words = ("scale", "smoke", "smoke", "laptop")
    assert len({line.index(word) for line, word in zip(text.splitlines(), words, strict=True)}) == 1
