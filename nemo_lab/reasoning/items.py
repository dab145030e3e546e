"""Items: a question, its one right answer and, where it has one, a worked solution; and how they are drawn.

Every item is made by a generator of its own, seeded by (domain, seed, index, level, attempt), so that item i of
a draw does not depend on how many are drawn or where the draw starts, and a curriculum can name an item by its
index. Which split an item belongs to is decided by its question alone (sha256), so that a question seen in
training is never asked in the test, whatever the seeds. An index whose question falls into the other split
makes another attempt. What this does not see: `12+34` and `34+12` are two questions, and so are two orders of
the same facts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from nemo_lab import expect
from nemo_lab.errors import LabError, one_of

SPLITS = ("train", "test")
TEST_SHARE = 5  # one question in so many is a test question
ATTEMPTS = 1000  # for one index; with a fifth of the questions in the test, all fail with a chance of 1e-97


@dataclass(frozen=True)
class Item:
    """One question of `domain`: `thought` is a worked solution, `options` is empty for an open question.

    Raises:
        LabError: a field that is no text, options that are no tuple.
    """

    domain: str
    question: str
    answer: str
    thought: str = ""
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("domain", "question", "answer", "thought"):
            expect.instance(name, getattr(self, name), str, "give a text")
        expect.instance("options", self.options, tuple, "give a tuple of texts")


def split_of(item: Item) -> str:
    """Return `train` or, for one question in five, `test`; domain and question decide."""
    digest = hashlib.sha256(f"{item.domain}\0{item.question}".encode("utf-8", "surrogatepass")).digest()
    return SPLITS[int.from_bytes(digest[:8], "big") % TEST_SHARE == 0]


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
    from nemo_lab.reasoning.domains import DOMAINS

    if domain not in DOMAINS:
        raise LabError(one_of("domain", domain, sorted(DOMAINS)))
    if split not in SPLITS:
        raise LabError(one_of("split", split, SPLITS))
    for name, value in (("count", count), ("seed", seed), ("start", start)):
        expect.whole(name, value, 0)
    chosen = DOMAINS[domain].level(level)
    return [_item(domain, chosen, seed, index, split) for index in range(start, start + count)]


def _item(domain: str, level: int, seed: int, index: int, split: str) -> Item:
    from nemo_lab.reasoning.domains import DOMAINS

    for attempt in range(ATTEMPTS):
        item = DOMAINS[domain].sample(generator(domain, seed, index, level, attempt), level)
        if split_of(item) == split:
            return item
    raise LabError(f"No question of {domain!r} at level {level} falls into the {split} split.")


def generator(domain: str, *key: int) -> np.random.Generator:
    """Return the generator of one item: the same key gives the same numbers on every machine."""
    name = int.from_bytes(hashlib.sha256(domain.encode()).digest()[:8], "big")
    return np.random.default_rng([name, *key])
