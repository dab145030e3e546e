"""A curve that grows while a run goes on, in a notebook that somebody watches; nothing is drawn elsewhere.

with live_curve(["reward", "zero_std"]) as show:
    grpo(policy, prompts, reward, settings, on_step=show)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nemo_lab.progress import watched


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
