"""The ledger as a table: the paper's figure with its conditions beside ours, and the verdict.

The same rows serve a notebook's last cell, README and the report. A verdict is a word first; its colour
(Okabe and Ito's, which colour-blind readers tell apart) and its mark repeat it.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nemo_lab.lab.ledger.claims import (
    CONTROL_FAILED,
    NOT_REPRODUCED,
    REPRODUCED,
    SAME_DIRECTION,
    TOO_SMALL,
    Claim,
)

NOT_RUN = "not run yet"
NOT_TESTABLE = "not testable here"
COLOURS: Mapping[str, str] = {
    REPRODUCED: "#00664b",  # Okabe-Ito's bluish green, darkened so that white text on it is readable
    SAME_DIRECTION: "#0072B2",
    NOT_REPRODUCED: "#a34700",  # vermillion, darkened
    CONTROL_FAILED: "#8a3a68",  # reddish purple, darkened
    TOO_SMALL: "#666666",
    NOT_RUN: "#666666",
    NOT_TESTABLE: "#666666",
}
MARKS: Mapping[str, str] = {
    REPRODUCED: "✓",
    SAME_DIRECTION: "→",
    NOT_REPRODUCED: "✗",
    CONTROL_FAILED: "!",
    TOO_SMALL: "·",
    NOT_RUN: "·",
    NOT_TESTABLE: "–",
}
COLUMNS = ("claim", "paper", "figure", "ours", "control", "rule", "verdict")


class Table:
    """Rows that show as HTML in Jupyter and as aligned text elsewhere."""

    def __init__(self, rows: Sequence[Mapping[str, str]], columns: Sequence[str] = COLUMNS) -> None:
        self.rows = [{name: row[name] for name in columns} for row in rows]
        self.columns = tuple(columns)

    def __repr__(self) -> str:
        names = [name for name in ("claim", "figure", "ours", "control", "verdict") if name in self.columns]
        grid = [names] + [[_short(row, name) for name in names] for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)) for line in grid]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{''.join(self._cell(row, name) for name in self.columns)}</tr>" for row in self.rows)
        return f'<table class="nemo-ledger"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _cell(self, row: Mapping[str, str], name: str) -> str:
        style = "text-align:left;vertical-align:top"
        if name == "verdict":
            return f'<td style="{style}">{badge(row[name])}</td>'
        return f'<td style="{style}">{escape(row[name]).replace(chr(10), "<br>")}</td>'


def _short(row: Mapping[str, str], name: str) -> str:
    """Return a cell's first line: the id, the bare figure, mean and interval."""
    return f"{MARKS[row[name]]} {row[name]}" if name == "verdict" else row[name].split("\n")[0]


def badge(verdict: str) -> str:
    """Return a verdict as a coloured HTML word with its mark."""
    style = f"background:{COLOURS[verdict]};color:#fff;padding:1px 6px;border-radius:4px;white-space:nowrap"
    return f'<span style="{style}">{MARKS[verdict]} {verdict}</span>'


def number(value: float) -> str:
    """Return a number with three significant digits, the precision of a verdict's story."""
    text = f"{value:.3g}"
    return text if "e" not in text or not 1e-4 <= abs(value) < 1e7 else f"{value:.0f}"


def measured(entry: Mapping[str, Any] | None, claim: Claim) -> str:
    """Return 'mean unit [low, high], n = …' of a claim or control; if exact, its range; '–' for none."""
    if entry is None:
        return "–"
    value, spread = number(entry["mean"]), ""
    if claim.rule.kind == "exact":  # its samples are different quantities, not repeats of one
        value = " to ".join(dict.fromkeys(number(edge(entry["samples"])) for edge in (min, max)))
    elif entry["low"] is not None:
        spread = f" [{number(entry['low'])}, {number(entry['high'])}]"
    return f"{' '.join(filter(None, (value, claim.unit)))}{spread}, n = {entry['n']}"


def row_of(claim: Claim, entry: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the table's cells for a claim and its entry in a record (None: not measured)."""
    control = entry["control"] if entry else None
    verdict = entry["verdict"] if entry else NOT_RUN if claim.testable else NOT_TESTABLE
    ours = measured(entry, claim)
    return {
        "claim": f"{claim.id}\n{claim.claim}",
        "paper": claim.paper,
        "figure": f"{claim.figure}\n{claim.conditions}",
        "ours": "\n".join(filter(None, (ours, claim.measure, entry["note"] if entry else ""))),
        "control": "\n".join(filter(None, (measured(control, claim), claim.control))),
        "rule": claim.criterion,
        "verdict": verdict,
    }
