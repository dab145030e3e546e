"""Each claim beside the runs that speak to it: the rows behind `nemo-lab ledger` and the report.

Every claim is a row, whether it has been run or not. What counts is the samples: the verdict is computed
here again from the record, with today's rule, so a verdict in a record can neither be edited nor go stale.
Where a notebook was run with several seeds, the lowest seed's run gives the verdict and the others stand
beside it. They are not pooled: a run already repeats over seeds of its own, which may be the same ones, and
samples that are pages and not seeds would be counted twice.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import VERDICTS, Claim, Judgement, judge, ledger
from nemo_lab.lab.ledger.table import NOT_RUN, NOT_TESTABLE, measured
from nemo_lab.lab.runs.find import Run

FAILED = "run failed"
ALL_VERDICTS = (*VERDICTS, FAILED, NOT_RUN, NOT_TESTABLE)
_HEAD = ("claim", "paper's figure", "ours, 95 % interval", "verdict")
_WIDTHS = (29, 23, 24, 18)  # with gaps of two: 100 columns


@dataclass(frozen=True)
class Row:
    """One claim and its verdict, with the run it comes from and the rows of further seeds."""

    claim: Claim
    verdict: str
    judgement: Judgement | None = None
    note: str = ""
    run: Run | None = None
    others: tuple["Row", ...] = ()

    @property
    def ours(self) -> str:
        """Our figure in words, empty without one."""
        return figure(self.judgement, self.claim) if self.judgement else ""

    @property
    def scale(self) -> str:
        """The scale of the run, empty without one."""
        return self.run.scale if self.run else ""


def rows(runs: Mapping[str, Sequence[Run]], claims: Mapping[str, Claim] | None = None) -> list[Row]:
    """Return one row a claim, in the ledger's order.

    Args:
        runs: by notebook, as `nemo_lab.lab.runs.find.latest` gives them.
        claims: by id; None means the package's ledger.
    """
    claims = ledger() if claims is None else claims
    return [_row(claim, runs.get(claim.notebook, ())) for claim in claims.values()]


def _row(claim: Claim, runs: Sequence[Run]) -> Row:
    if not claim.testable:
        return Row(claim, NOT_TESTABLE, note=f"{_sentence(claim.rule.reason)} Needs: {claim.rule.needs}")
    found = [row for run in runs if (row := _row_of_run(claim, run))]
    if not found:
        return Row(claim, NOT_RUN)
    first = found[0]
    return Row(claim, first.verdict, first.judgement, first.note, first.run, tuple(found[1:]))


def _row_of_run(claim: Claim, run: Run) -> Row | None:
    """Return what one run says about a claim, None when it says nothing."""
    if not run.ok:
        return Row(claim, FAILED, note=str(run.record.get("error", "")), run=run)
    entries = [entry for entry in run.record.get("claims", []) if isinstance(entry, Mapping)]
    entry = next((entry for entry in entries if entry.get("id") == claim.id), None)
    if entry is None:
        return None
    control = entry.get("control") or {}
    try:
        judgement = judge(claim, entry.get("samples", []), control.get("samples") or None, run.scale)
    except LabError as error:  # one record that today's ledger refuses must not hide the other rows
        return Row(claim, FAILED, note=str(error), run=run)
    return Row(claim, judgement.verdict, judgement, str(entry.get("note") or ""), run)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def figure(judgement: Judgement, claim: Claim) -> str:
    """Return `2.41 times [2.30, 2.52], n = 3`, of an exact claim its range; `n = 3` does not break over lines."""
    return measured(asdict(judgement), claim).replace(" n = ", " n\u00a0=\u00a0")


def counts(table: Iterable[Row]) -> dict[str, int]:
    """Return how many rows have each verdict, in a fixed order, without the verdicts nobody has."""
    found = Counter(row.verdict for row in table)
    return {verdict: found[verdict] for verdict in ALL_VERDICTS if found[verdict]}


def summary(table: Sequence[Row]) -> str:
    """Return one sentence: `49 claims: 5 reproduced, 1 not reproduced, …`."""
    parts = ", ".join(f"{count} {verdict}" for verdict, count in counts(table).items())
    return f"{len(table)} claims: {parts}."


def as_text(table: Sequence[Row]) -> str:
    """Return the ledger as text that fits 100 columns, one block a paper."""
    lines = [_line(_HEAD), _line(["-" * width for width in _WIDTHS])]
    paper = None
    for row in table:
        if row.claim.paper != paper:
            paper = row.claim.paper
            lines += ["", *textwrap.wrap(paper, 100)]
        lines.append(_line(("  " + row.claim.id, row.claim.figure, _ours_at_scale(row), row.verdict)))
    return "\n".join([*lines, "", *textwrap.wrap(summary(table), 100)])


def as_markdown(table: Sequence[Row]) -> str:
    """Return the ledger as a Markdown table, for README."""
    lines = ["| paper | claim | paper's figure | ours, 95 % interval | verdict |", "| --- " * 5 + "|"]
    for row in table:
        ours = _ours_at_scale(row) or "–"
        cells = (row.claim.paper, row.claim.claim, row.claim.figure, ours, row.verdict)
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join([*lines, "", summary(table)])


def _ours_at_scale(row: Row) -> str:
    return f"{row.ours} ({row.scale})" if row.ours else ""


def _line(cells: Sequence[str]) -> str:
    """Lay cells side by side, each wrapped to its column."""
    wrapped: list[list[Any]] = [
        textwrap.wrap(cell, width, subsequent_indent="    " if cell.startswith("  ") else "") or [""]
        for cell, width in zip(cells, _WIDTHS, strict=True)
    ]
    height = max(len(column) for column in wrapped)
    padded = [column + [""] * (height - len(column)) for column in wrapped]
    return "\n".join(
        "  ".join(part.ljust(width) for part, width in zip(parts, _WIDTHS, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    )


def _cell(text: str) -> str:
    """Return text that can neither break a Markdown table nor start HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
