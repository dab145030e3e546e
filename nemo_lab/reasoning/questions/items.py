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

from nemo_lab.errors import check_instance

SPLITS = ("train", "test")
TEST_SHARE = 5  # one question in so many is a test question


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
            check_instance(name, getattr(self, name), str, "give a text")
        check_instance("options", self.options, tuple, "give a tuple of texts")


def split_of(item: Item) -> str:
    """Return `train` or, for one question in five, `test`; domain and question decide."""
    digest = hashlib.sha256(f"{item.domain}\0{item.question}".encode("utf-8", "surrogatepass")).digest()
    return SPLITS[int.from_bytes(digest[:8], "big") % TEST_SHARE == 0]


def generator(domain: str, *key: int) -> np.random.Generator:
    """Return the generator of one item: the same key gives the same numbers on every machine."""
    name = int.from_bytes(hashlib.sha256(domain.encode()).digest()[:8], "big")
    return np.random.default_rng([name, *key])
