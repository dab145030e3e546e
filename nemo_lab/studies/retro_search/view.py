"""A revision to look at: the trace before and after it, side by side, coloured, with every text escaped.

Grey is what both traces begin with, orange what only the old one says, blue what was written anew. Keywords are
bold, and each thought has a line of its own. The same as plain text says it with −, + and nothing.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_lab.reasoning.retro.thoughts import KEYWORDS, segment, split_steps, starts_with_keyword

SAME, OLD, NEW = "#eeeeee", "#fbd9b5", "#c3ddf5"
_CELL = "text-align:left;vertical-align:top;font-family:monospace"


@dataclass(frozen=True)
class SideBySide:
    """What Jupyter shows as a table of two columns; `str` is the same in plain text."""

    prompt: str
    before: str
    after: str
    keywords: tuple[str, ...] = KEYWORDS

    @property
    def shared(self) -> int:
        """Steps with which both traces begin."""
        pairs = list(zip(split_steps(self.before), split_steps(self.after), strict=False))
        return next((i for i, (a, b) in enumerate(pairs) if a.strip() != b.strip()), len(pairs))

    def _repr_html_(self) -> str:
        columns = (("before", self.before, OLD), ("after", self.after, NEW))
        head = "".join(f"<th>{name}, {len(split_steps(trace))} steps</th>" for name, trace, _ in columns)
        cells = "".join(f'<td style="{_CELL}">{self._column(trace, colour)}</td>' for _, trace, colour in columns)
        question = f"<p><code>{html.escape(self.prompt)}</code></p>"
        return f"{question}<table><tr>{head}</tr><tr>{cells}</tr></table>"

    def _column(self, trace: str, colour: str) -> str:
        lines, number = [], 0
        for thought in segment(trace, self.keywords):
            spans = []
            for step in thought:
                spans.append(_span(step.strip(), SAME if number < self.shared else colour, self.keywords))
                number += 1
            lines.append(" ".join(spans))
        return "<br>".join(lines)

    def __repr__(self) -> str:
        lines = [self.prompt]
        for sign, trace in (("-", self.before), ("+", self.after)):
            steps = [step.strip() for step in split_steps(trace)]
            marked = steps[: self.shared] + [sign + step for step in steps[self.shared :]]
            lines.append(f"{len(steps):3d} steps: " + " | ".join(marked))
        return "\n".join(lines)


def _span(step: str, colour: str, keywords: Sequence[str]) -> str:
    weight = "font-weight:bold;" if starts_with_keyword(step, keywords) else ""
    return f'<span style="{weight}background:{colour};color:#000000;padding:1px 3px">{html.escape(step)}</span>'
