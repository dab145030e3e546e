"""The domains by name: how an item is made, when an answer is right, and items known to be right or wrong.

A checker is exact and has one canonical form in mind; it never evaluates anything.

    integers   spaces around, one sign (`+`, `-` or the minus of Unicode) and leading zeros are allowed; thousands
               separators, decimals and digits of other scripts are not; at most 18 digits, so that a response of
               a million digits costs nothing
    letters    spaces around are allowed, nothing else: case counts
    words      as letters

Every domain has canaries, answers whose verdict is known: a checker that fails silently, as verifiers do that
rest on signal alarms outside the main thread, is found out by them before a reward of 0 is believed: the runs of
notebooks 09 and 10 call `check_canaries` before they train.
`mistaken_thought` is a teacher that errs by rule, for experiments on what a student takes over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nemo_lab.errors import LabError, check_whole, one_of
from nemo_lab.reasoning.questions import tasks
from nemo_lab.reasoning.questions.items import SPLITS, Item, generator, split_of

Check = Callable[[str, Item], bool]
Canary = tuple[Item, str, bool]  # an item, an answer, whether it is right
MAX_CHARACTERS = 64  # of an answer that is looked at
_INTEGER = re.compile(r" *([+-]?)0*([0-9]{1,18}) *")
ATTEMPTS = 1000  # for one index; with a fifth of the questions in the test, all fail with a chance of 1e-97


@dataclass(frozen=True)
class Domain:
    """One family of questions. `kind` is math or general, the two sides of CrossThink's blends."""

    name: str
    kind: str
    sample: Callable[[np.random.Generator, int], Item]
    check: Check
    levels: tuple[int, ...]
    default: int
    distractors: Callable[[Item, np.random.Generator], tuple[str, str, str]]

    def level(self, chosen: int | None) -> int:
        """Return the level, the default for None.

        Raises:
            LabError: the domain has no such level.
        """
        if chosen is not None and chosen not in self.levels:
            shown = ", ".join(map(str, self.levels))
            raise LabError(f"{self.name!r} has no level {chosen}; valid: {shown}.")
        return self.default if chosen is None else chosen


def parse_integer(text: str) -> int | None:
    """Return the integer that a text is, as the module says, or None."""
    if len(text) > MAX_CHARACTERS:
        return None
    match = _INTEGER.fullmatch(text.replace("\u2212", "-"))
    return int(match[1] + match[2]) if match else None


def check_integer(answer: str, item: Item) -> bool:
    """Return whether the answer is the item's integer."""
    found = parse_integer(answer)
    return found is not None and found == parse_integer(item.answer)


def check_characters(answer: str, item: Item) -> bool:
    """Return whether the answer is the item's, character by character, but for spaces around it."""
    return len(answer) <= MAX_CHARACTERS and answer.strip(" ") == item.answer


def canaries(domain: str) -> list[Canary]:
    """Return items with answers whose verdicts are known.

    Raises:
        LabError: an unknown domain.
    """
    if domain not in DOMAINS:
        raise LabError(one_of("domain", domain, sorted(DOMAINS)))
    item, right, wrong = _CANARIES[domain]
    common = ["", " ", "\0", "<think>", f"{item.answer}{item.answer}", f"={item.answer}", f"{item.answer}." * 40]
    padded = [item.answer, f" {item.answer} "]
    return [
        *((item, answer, True) for answer in [*padded, *right]),
        *((item, answer, False) for answer in [*common, *wrong]),
    ]


def check_canaries(domains: Iterable[str]) -> None:
    """Let every checker of these domains judge its canaries; called in the process whose rewards rest on them.

    Raises:
        LabError: an unknown domain, or a checker that judges one of its canaries wrongly.
    """
    for name in sorted(domains):
        for item, answer, right in canaries(name):
            if DOMAINS[name].check(answer, item) is not right:
                raise LabError(
                    f"The checker of {name!r} calls {answer[:40]!r} {'wrong' if right else 'right'} "
                    f"for {item.question!r}; no reward of it can be believed, mend it first."
                )


_Row = tuple[Item, list[str], list[str]]
_NOT_933 = ["932", "-933", "9 33", "933.0", "9,33", "0x3A5", "٩٣٣", "nine", "933\n", "--933", "9" * 10**5]
_CANARIES: dict[str, _Row] = {
    "sum": (Item("sum", "347+586", "933", "13,13,09"), ["0933", "+933"], _NOT_933),
    "chain": (Item("chain", "4-9+2", "-3", "-5,-3"), ["−3", "-03"], ["3", "- 3", "-3.0", "−−3", "-", "1e1"]),
    "logic": (Item("logic", "!(T&F)|F", "T", "!F|F,T|F,T"), [], ["F", "t", "True", "1", "TT"]),
    "path": (Item("path", "k>c,a>d,c>x,d>k;a3", "c", "d,k,c"), [], ["C", "k", "d,k,c", "c,"]),
    "reverse": (Item("reverse", "stone", "enots", "s1t2o3n4e5"), [], ["stone", "ENOTS", "enot", "e n o t s"]),
    "count": (Item("count", "banana:a", "3", "011223"), ["03", "+3"], ["2", "aaa", "3a", "three", "³"]),
    "order": (Item("order", "b<d,a<b;max", "d", "a<b<d"), [], ["a", "D", "b<d", "d,"]),
}


_numbers, _letters = tasks.wrong_numbers, tasks.wrong_letters
DOMAINS = {
    domain.name: domain
    for domain in (
        Domain("sum", "math", tasks.sum_item, check_integer, (1, 2, 3, 4, 5), 3, _numbers),
        Domain("chain", "math", tasks.chain_item, check_integer, (2, 3, 4, 5, 6), 4, _numbers),
        Domain("logic", "general", tasks.logic_item, check_characters, (1, 2, 3, 4, 5), 3, tasks.wrong_truths),
        Domain("path", "general", tasks.path_item, check_characters, (2, 3, 4, 5), 3, _letters),
        Domain("reverse", "general", tasks.reverse_item, check_characters, (4, 5, 6, 7, 8, 9), 5, tasks.wrong_words),
        Domain("count", "general", tasks.count_item, check_integer, (3, 4, 5, 6, 7, 8, 9), 6, _numbers),
        Domain("order", "general", tasks.order_item, check_characters, (3, 4, 5), 4, _letters),
    )
}


def draw(
    domain: str, count: int, *, seed: int, split: str = "train", start: int = 0, level: int | None = None
) -> list[Item]:
    """Return the items `start` … `start + count - 1` of a domain's split.

    Args:
        domain: one of `domains.DOMAINS`.
        count: how many; 0 gives none.
        seed: decides which, with the index; not negative.
        split: train or test.
        start: index of the first; not negative.
        level: difficulty, one of the domain's `levels`; None: its default.

    Where the space of questions is small (one-digit sums), the same question comes up more than once.

    Raises:
        LabError: an unknown domain, split or level, a negative count, seed or start, or a level so small that
            the split holds no question.
    """
    if domain not in DOMAINS:
        raise LabError(one_of("domain", domain, sorted(DOMAINS)))
    if split not in SPLITS:
        raise LabError(one_of("split", split, SPLITS))
    for name, value in (("count", count), ("seed", seed), ("start", start)):
        check_whole(name, value, 0)
    chosen = DOMAINS[domain].level(level)
    return [_item(domain, chosen, seed, index, split) for index in range(start, start + count)]


def _item(domain: str, level: int, seed: int, index: int, split: str) -> Item:
    for attempt in range(ATTEMPTS):
        item = DOMAINS[domain].sample(generator(domain, seed, index, level, attempt), level)
        if split_of(item) == split:
            return item
    raise LabError(f"No question of {domain!r} at level {level} falls into the {split} split.")
