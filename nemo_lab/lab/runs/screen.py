"""What `nemo-lab run` shows: a moving line on a terminal, plain lines in a log, a table at the end."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from nemo_lab.lab.ledger.claims import REPRODUCED, TOO_SMALL
from nemo_lab.lab.runs.plan import Job

_COLUMNS = ("notebook", "scale", "seed", "status", "seconds", "peak MB", "claims")


class Screen:
    """One line a run on stderr; on a terminal it counts the cells while they run."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.number = 0
        self.started = 0.0
        self.live = sys.stderr.isatty()

    def start(self, job: Job) -> None:
        """Announce a run."""
        self.started = time.monotonic()
        if not self.live:
            self._say(self._title(job, self.number + 1))

    def cell(self, job: Job, done: int, total: int) -> None:
        """Show how far the notebook is, on a terminal only."""
        if self.live:
            seconds = int(time.monotonic() - self.started)
            clock = f"{seconds // 60}:{seconds % 60:02d}"
            line = f"{self._title(job, self.number + 1)}  cell {done + 1} of {total}  {clock}"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

    def end(self, job: Job, record: Mapping[str, Any]) -> None:
        """Say how a run ended, with the error of a failed one."""
        self.number += 1
        line = f"{self._title(job, self.number)}  {_status(record)}  {record.get('seconds', 0):.0f} s"
        if record["status"] == "failed":
            line += f"  cell {record.get('cell')}: {record.get('error')}"
        self._say(("\r\033[K" if self.live else "") + line)

    def _title(self, job: Job, number: int) -> str:
        return f"[{number}/{self.jobs}] {job.name}  {job.scale}  seed {job.seed}"

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


def _status(record: Mapping[str, Any]) -> str:
    return "kept" if record.get("resumed") else str(record["status"])


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the runs as a text table; claims are reproduced / judged."""
    lines = [_COLUMNS, *(_cells(record) for record in records)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in (2, 4, 5) else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(record: Mapping[str, Any]) -> tuple[str, ...]:
    verdicts = [str(claim.get("verdict")) for claim in record.get("claims", [])]
    judged = [verdict for verdict in verdicts if verdict != TOO_SMALL]
    return (
        str(record["notebook"]),
        str(record["scale"]),
        str(record["seed"]),
        _status(record),
        f"{record.get('seconds', 0):.1f}",
        f"{record.get('peak_mb', 0):.0f}",
        f"{judged.count(REPRODUCED)} of {len(judged)} reproduced" if judged else "–",
    )
