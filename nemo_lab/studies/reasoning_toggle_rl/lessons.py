"""Teaching a small model two modes: what the teacher shows, and in which lesson.

The teacher of notebook 09 adds numbers and errs by rule: it forgets the carry of columns that sum to 14 or more
(`lessons.mistaken_thought`), on nearly every item where the rule applies. Its errors are systematic, so they do not
average out: a student who copies it well takes them over. What the teacher gets right is right in its thought too.

A lesson decides which prompt is shown in which mode (Llama-Nemotron, arXiv 2505.00949, sections 3 and 4):

    paired     every item of a batch in both modes, as in the paper's data
    unpaired   half of the items only ever with thoughts, the other half only without
    staged     thoughts alone first, then paired: the paper's order for its smallest model
    confused   paired, but the mode word is drawn at random: the control, which cannot teach a toggle
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nemo_lab.errors import LabError, check_each, check_number, one_of
from nemo_lab.reasoning.questions import tasks
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import MODES, prompt_of, response_of
from nemo_lab.reasoning.sft import Pair
from nemo_lab.training.identity import with_fingerprint
from nemo_lab.training.settings import TrainingError

LESSONS = ("paired", "unpaired", "staged", "confused")
FIRST_STAGE = 0.4  # of the steps, thoughts alone
FORGETS = 14  # the mistaken teacher drops the carry of a column that sums to so much or more


@dataclass(frozen=True)
class SumTeacher:
    """Solves items of the domain sum; `slip` is how often it follows its mistaken rule."""

    slip: float = 0.8

    def __post_init__(self) -> None:
        check_number("slip", self.slip, least=0, most=1)

    def solve(self, item: Item, random: np.random.Generator) -> Item:
        """The item with the teacher's thought and answer in place of the right ones."""
        if random.random() >= self.slip:
            return item
        thought, answer = mistaken_thought(item)
        return Item(item.domain, item.question, answer, thought)

    def accuracy(self, items: Sequence[Item], seed: int = 0) -> float:
        """Share of items that the teacher gets right."""
        check_each("items", items, Item, some=True)
        random = np.random.default_rng([seed, 17])
        return float(np.mean([self.solve(item, random).answer == item.answer for item in items]))


def lesson_pairs(
    lesson: str, items: Sequence[Item], teacher: SumTeacher, *, steps: int, batch_size: int, seed: int
) -> Callable[[int], list[Pair]]:
    """The pairs of each step of a lesson, for `sft.pair_source`; a function of (seed, step).

    Raises:
        TrainingError: an unknown lesson.
    """
    if lesson not in LESSONS:
        raise TrainingError(one_of("lesson", lesson, LESSONS))

    def pairs(step: int) -> list[Pair]:
        random = np.random.default_rng([seed, step])
        shown = [(int(k), mode) for k in random.integers(len(items), size=batch_size // 2) for mode in MODES]
        if lesson == "unpaired":
            shown = [(k - k % 2 + (mode == "off"), mode) for k, mode in shown]
        if lesson == "staged" and step < FIRST_STAGE * steps:
            shown = [(k, "on") for k, _ in shown]
        return [_pair(items[k % len(items)], mode, lesson, teacher, random) for k, mode in shown]

    return with_fingerprint(pairs, "lesson", lesson, items, teacher, steps, batch_size, seed)


def _pair(item: Item, mode: str, lesson: str, teacher: SumTeacher, random: np.random.Generator) -> Pair:
    solved = teacher.solve(item, random)
    said = MODES[int(random.integers(2))] if lesson == "confused" else mode
    return prompt_of(item, said), response_of(solved, mode)


def mistaken_thought(item: Item) -> tuple[str, str]:
    """Return the thought and the answer of a teacher who forgets the carry of large columns.

    A column that sums to 14 or more hands on no carry, unless it is the last one, whose sum is written out. On
    three digits 29.55 % of the answers are wrong (239,355 of the 810,000 pairs), always too small; the others are
    right, and so are their thoughts. The rule looks at the digits only: the same item gets the same error.

    Raises:
        LabError: the item is not of the domain sum.
    """
    if item.domain != "sum":
        raise LabError(f"The mistaken teacher adds; it was given an item of {item.domain!r}.")
    left, right = item.question.split("+")
    columns = tasks.column_sums(left, right, FORGETS)
    return tasks.show_columns(columns), tasks.read_columns(columns)
