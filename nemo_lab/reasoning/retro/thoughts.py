"""Thoughts of a reasoning trace: where they begin, how many steps each has, and where the answer first appears.

Retro-Search (arXiv 2504.04383) takes a trace T apart twice. **Thoughts** s¹, s², … are split at transition
keywords such as "wait"; the **steps** of a thought are split at blank lines. Both are found in the text and not in
tokens, so that any tokenizer can be used. The paper's full text was not at hand; three rules are our reading:

- a thought begins where a *step begins* with a keyword, as a whole word and in any case. A keyword in the middle
  of a step ("but we must wait for it") or inside a word ("butter") is none;
- a blank line inside a formula between `$$` or a block of code between three backticks separates nothing;
- the list of keywords.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from nemo_lab.errors import LabError, check_callable, check_instance, shown

BLANK = "\n\n"
KEYWORDS = (
    "but",
    "wait",
    "alternatively",
    "however",
    "hmm",
    "not sure",
    "going back",
    "backtrack",
    "trace back",
    "another",
)  # our reading: the paper's own list is not confirmed
_FENCED = re.compile(r"\$\$.*?\$\$|```.*?```", re.DOTALL)
_BORDER = re.compile(r"\n[^\S\n]*\n\s*")

Thought = list[str]
"""The steps of one thought. Each keeps the blank line behind it, so that nothing is lost."""


@dataclass(frozen=True)
class Shape:
    """Counts of one trace.

    Attributes:
        tokens, steps, thoughts: how many. switches: thoughts but the first.
        answer_at: where the answer is first mentioned, as a share of the trace's characters; NaN if nowhere.
    """

    tokens: int
    steps: int
    thoughts: int
    answer_at: float

    @property
    def switches(self) -> int:
        """Changes from one thought to another."""
        return max(self.thoughts - 1, 0)

    @property
    def steps_per_thought(self) -> float:
        """Mean steps of a thought."""
        return self.steps / max(self.thoughts, 1)


def split_steps(trace: str) -> list[str]:
    """The steps of a trace, each with the blank line behind it; joined they are the trace.

    A blank line at the very beginning belongs to the first step. An opening `$$` or fence that is never closed
    protects nothing.

    Raises:
        LabError: it is no text.
    """
    check_instance("trace", trace, str, "give the text of a trace")
    fenced = [match.span() for match in _FENCED.finditer(trace)]
    ends = [match.end() for match in _BORDER.finditer(trace) if not _inside(match.start(), fenced)]
    ends = [end for end in ends if trace[:end].strip() and end < len(trace)]
    borders = [0, *ends, len(trace)]
    return [trace[a:b] for a, b in pairwise(borders) if a < b]


def check_keywords(keywords: object) -> None:
    """Refuse what is no list of transition keywords.

    Raises:
        LabError: one string, no keyword at all, or one that is blank or no text.
    """
    if not isinstance(keywords, list | tuple) or not keywords:
        raise LabError(f"keywords is {shown(keywords)}; expected a list of words, such as ('wait', 'but').")
    if wrong := [word for word in keywords if not isinstance(word, str) or not word.strip()]:
        raise LabError(f"The keyword {wrong[0]!r} is no word; every transition keyword must be one.")


def starts_with_keyword(step: str, keywords: Sequence[str] = KEYWORDS) -> bool:
    """Whether a step begins with a transition keyword as a whole word, in any case.

    Raises:
        LabError: as `check_keywords`.
    """
    return _opening(tuple(keywords) if isinstance(keywords, list) else keywords).match(step) is not None


def segment(trace: str, keywords: Sequence[str] = KEYWORDS) -> list[Thought]:
    """The thoughts of a trace, each a list of steps; `join` gives the trace back.

    A trace that begins with a keyword has no empty thought before it.
    """
    thoughts: list[Thought] = []
    for step in split_steps(trace):
        if not thoughts or starts_with_keyword(step, keywords):
            thoughts.append([])
        thoughts[-1].append(step)
    return thoughts


def join(thoughts: Sequence[Thought]) -> str:
    """The trace of its thoughts."""
    return "".join(step for thought in thoughts for step in thought)


def shape(
    trace: str,
    encode: Callable[[str], Sequence[int]],
    answer: str = "",
    keywords: Sequence[str] = KEYWORDS,
) -> Shape:
    """Counts of a trace.

    Args:
        trace: its text. encode: text to tokens.
        answer: what is looked for as a whole word; empty: nothing.

    Raises:
        LabError: a trace that is no text, an `encode` that is no function, keywords that are none.
    """
    check_callable("encode", encode, "give a function from text to tokens, such as that of a Policy")
    check_keywords(keywords)
    thoughts = segment(trace, keywords)
    found = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", trace) if answer else None
    where = found.start() / len(trace) if found else float("nan")
    return Shape(len(encode(trace)), sum(map(len, thoughts)), len(thoughts), where)


def _inside(position: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)


@cache
def _opening(keywords: Sequence[str]) -> re.Pattern[str]:
    """What a step that opens a thought begins with; words of one keyword may have any space between them."""
    check_keywords(keywords)
    words = "|".join(r"\s+".join(map(re.escape, keyword.split())) for keyword in keywords)
    return re.compile(rf"\s*(?:{words})(?!\w)", re.IGNORECASE)
