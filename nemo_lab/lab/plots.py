"""The few figures that every notebook shares; the rest is plain matplotlib under the lab's style sheet.

`band` draws a curve with the 95 % interval of its mean over seeds, the same Student's interval that the
ledger judges by, so that a picture and a verdict cannot disagree. `forest` is the ledger as a picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import Claim, find_claim, interval
from nemo_lab.lab.ledger.table import COLOURS, MARKS
from nemo_lab.progress import watched

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def band(ax: Axes, x: ArrayLike, samples_SN: ArrayLike, label: str = "", **line: Any) -> None:
    """Draw the mean over seeds with its 95 % interval as a band.

    Args:
        ax: where to draw.
        x: N positions.
        samples_SN: one row a seed (S), one column a position (N); with one row there is no band.
        label: the legend's text; the number of seeds is added to it.
        line: what `ax.plot` takes, such as `color`.

    Raises:
        LabError: the shapes do not fit.
    """
    x_N, y_SN = np.asarray(x, dtype=float), np.asarray(samples_SN, dtype=float)
    if y_SN.ndim != 2 or x_N.shape != y_SN.shape[1:] or not len(y_SN):
        raise LabError(f"samples have shape {y_SN.shape}, expected (seeds, {x_N.size}) for {x_N.size} positions.")
    text = f"{label} (n = {len(y_SN)})" if label else ""
    (curve,) = ax.plot(x_N, y_SN.mean(axis=0), label=text, **line)
    if len(y_SN) > 1:
        low, high = np.array([interval(column) for column in y_SN.T.tolist()], dtype=float).T
        ax.fill_between(x_N, low, high, color=curve.get_color(), alpha=0.2, linewidth=0)


def forest(entries: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the ledger: one panel a claim, with our interval, the control's, no effect and the bound.

    Args:
        entries: the `claims` of a record. Each panel has its own axis, since units differ.

    Raises:
        LabError: no entries.
    """
    import matplotlib.pyplot as plt

    if not entries:
        raise LabError("There is no claim to draw; call lab.claim first.")
    size = (7.5, 0.5 + 1.15 * len(entries))
    figure, axes = plt.subplots(len(entries), 1, figsize=size, squeeze=False)
    for ax, entry in zip(axes[:, 0], entries, strict=True):
        _panel(ax, find_claim(entry["id"]), entry)
    plt.close(figure)  # the caller shows it; an open one would be shown twice by Jupyter
    return figure


def _panel(ax: Axes, claim: Claim, entry: Mapping[str, Any]) -> None:
    verdict = entry["verdict"]
    _bar(ax, claim, 1, entry, COLOURS[verdict])
    if entry["control"]:
        _bar(ax, claim, 0, entry["control"], "#888888")
    for position, style, name in _landmarks(claim):
        ax.axvline(position, color="#333333", linestyle=style, linewidth=1, label=name)
    ax.set_yticks([0, 1], ["control", "ours"])
    ax.set_ylim(-0.6, 1.6)
    ax.set_xlabel(claim.unit or "value")
    ax.set_title(f"{claim.id}: {MARKS[verdict]} {verdict}", color=COLOURS[verdict], fontsize=10)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)


def _bar(ax: Axes, claim: Claim, height: float, entry: Mapping[str, Any], colour: str) -> None:
    """Draw mean and interval; of an exact claim its samples, which are not repeats of one quantity."""
    exact = claim.rule.kind == "exact"
    if not exact and entry["low"] is not None:
        ends = [entry["low"], entry["high"]]
        ax.plot(ends, [height, height], color=colour, solid_capstyle="butt", linewidth=4)
    points = entry["samples"] if exact else [entry["mean"]]
    ax.plot(points, [height] * len(points), marker="o", color=colour, linestyle="none")


def _landmarks(claim: Claim) -> list[tuple[float, str, str]]:
    """Return position, line style and name of the lines that the rule is about."""
    rule = claim.rule
    if rule.kind == "exact":
        return [(rule.value, "-", "required")]
    if rule.kind == "par":
        edge = claim.no_effect + (rule.margin if claim.better == "lower" else -rule.margin)
        return [(claim.no_effect, ":", "no effect"), (edge, "-", "margin")]
    bound = (rule.bound, "-", "bound")
    same = math.isclose(rule.bound, claim.no_effect)
    return [bound] if same else [(claim.no_effect, ":", "no effect"), bound]


@contextmanager
def live_curve(columns: Sequence[str], every: int = 5) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """A function to be called with each row of a history; it draws these columns anew every few rows."""
    if not watched():
        yield lambda row: None
        return
    import matplotlib.pyplot as plt
    from IPython.display import display

    rows: list[Mapping[str, float]] = []
    figure, ax = plt.subplots(figsize=(6, 3))
    plt.close(figure)  # shown through the handle alone
    handle = display(figure, display_id=True)

    def show(row: Mapping[str, float]) -> None:
        rows.append(row)
        if len(rows) % every == 0 and handle is not None:
            _draw(ax, rows, columns)
            handle.update(figure)

    yield show


def _draw(ax: Any, rows: Sequence[Mapping[str, float]], columns: Sequence[str]) -> None:
    ax.clear()
    for name in columns:
        ax.plot([row["step"] for row in rows], [row[name] for row in rows], label=name)
    ax.set_xlabel("step")
    ax.legend()
