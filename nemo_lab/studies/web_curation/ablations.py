"""Sets of documents for Nemotron-CC's comparisons at equal tokens; training on them is the caller's.

A comparison at equal tokens gives every arm the same bytes to read and asks which choice of text taught more. The
functions return lists of texts, in the order they are to be read, of one size in UTF-8 bytes (a whole character at the
end, so up to three less); where an arm has less unique text it is read again, a pass at a time, each in an order of
its own. (Sections 2.2 to 3 and appendix C of arXiv 2412.02595.)

    best(scores, sizes, 0.1)                  # numbers of the documents that hold the best tenth of the bytes
    read(texts, budget, seed)                 # so many bytes of these texts, passes counted
    swapped(raw, new, epochs, seed)           # half of the passes over `raw` given to `new`
    annealed(bucket, usual, budget, seed)     # 34 % of a bucket in the usual mix
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemo_lab.curation.filters.buckets import equally_many, numbers
from nemo_lab.errors import LabError

BUCKET_SHARE = 0.34  # of an annealing run; the rest is the usual mix


@dataclass(frozen=True)
class Reading:
    """Texts in the order they are read. `unique`: bytes that are new; `passes`: bytes read over `unique`."""

    texts: list[str]
    unique: int
    passes: float

    @property
    def size(self) -> int:
        """Bytes read."""
        return sum(map(size_of, self.texts))


def size_of(text: str) -> int:
    """Return the UTF-8 bytes of a text."""
    return len(text.encode("utf-8", "replace"))


def best(scores: ArrayLike, sizes: ArrayLike, share: float) -> NDArray[np.int64]:
    """Return the numbers of the best documents, best first, that hold `share` of all bytes or just less.

    Raises:
        LabError: a share outside 0 to 1, no documents, unequally many sizes, or a score that is no number.
    """
    if not 0 < share <= 1:
        raise LabError(f"share is {share}, expected above 0 and at most 1, such as 0.1.")
    scores_N, sizes_N = numbers(scores, "scores"), numbers(sizes, "sizes")
    equally_many(scores_N, sizes_N)
    order = np.argsort(-scores_N, kind="stable")
    reached = np.cumsum(sizes_N[order])
    return np.asarray(order[reached <= share * reached[-1] * (1 + 1e-12)], dtype=np.int64)


def read_once(texts: Sequence[str], budget: int, seed: int) -> Reading:
    """Return `budget` bytes of the texts: drawn once where there is enough, else pass after pass.

    Raises:
        LabError: no text, or a budget below one byte.
    """
    sizes = [size_of(text) for text in texts]
    if not sum(sizes) or budget < 1:
        raise LabError(f"There are {sum(sizes):,} bytes to read and {budget:,} wanted; both must be positive.")
    chosen: list[str] = []
    left, unique, number = budget, 0, 0
    while left > 0:
        order = np.random.default_rng([seed, number]).permutation(len(texts)).tolist()
        for at in order:
            if left > 0:
                chosen.append(texts[at] if sizes[at] <= left else _cut(texts[at], left))
                unique += min(sizes[at], left) if number == 0 else 0
                left -= sizes[at]
        number += 1
    return Reading([text for text in chosen if text], unique, budget / unique)


def swapped(raw: Sequence[str], new: Sequence[str], epochs: int, seed: int) -> Reading:
    """Return as many bytes as `epochs` passes over `raw`, half of them (rounded up) raw, the rest of `new`.

    This is the paper's comparison of 8 epochs against 4 epochs and rephrased text. With no `new` all passes are raw.
    The two halves are shuffled into each other.

    Raises:
        LabError: fewer than one epoch, or what `read_once` raises.
    """
    if epochs < 1:
        raise LabError(f"epochs is {epochs}, expected at least 1.")
    whole = sum(map(size_of, raw))
    kept = epochs if not new or epochs == 1 else (epochs + 1) // 2
    old = read_once(raw, kept * whole, seed)
    if kept == epochs:
        return old
    rest = read_once(new, (epochs - kept) * whole, seed + 1_000)
    texts = shuffled([*old.texts, *rest.texts], seed)
    return Reading(texts, old.unique + rest.unique, epochs * whole / (old.unique + rest.unique))


def annealed(
    bucket: Sequence[str], usual: Sequence[str], budget: int, seed: int, share: float = BUCKET_SHARE
) -> Reading:
    """Return a continuation run's text: `share` of its bytes from a bucket and the rest from the usual mix."""
    part = round(budget * share)
    one, other = read_once(bucket, part, seed), read_once(usual, budget - part, seed + 1_000)
    unique = one.unique + other.unique
    return Reading(shuffled([*one.texts, *other.texts], seed), unique, budget / unique)


def words_shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """Return texts with their words in random order: the same words, nothing said. A control."""
    generator = np.random.default_rng(seed)
    return [" ".join(np.array(text.split(), dtype=object)[generator.permutation(len(text.split()))]) for text in texts]


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """Return the texts in random order."""
    return [texts[at] for at in np.random.default_rng(seed).permutation(len(texts)).tolist()]


def noise_floor(repeats: Sequence[float]) -> float:
    """Return how far apart two runs that differ in nothing but their seed are expected to be: √2 standard deviations.

    Raises:
        LabError: fewer than two runs.
    """
    if len(repeats) < 2:
        raise LabError(f"There are {len(repeats)} runs, at least two are needed to see noise.")
    return float(np.sqrt(2) * np.std(repeats, ddof=1))


def unigram_bits(
    learnt: Sequence[Sequence[int]], judged: Sequence[Sequence[int]], documents: Mapping[str, Sequence[str]]
) -> float:
    """Return the bits per byte of counting single tokens: what a model must be below to have learnt anything.

    Counts are of the learnt texts, plus one for every token. `documents` has the columns text and corpus of the judged
    ones; the mean is over corpora.

    Raises:
        LabError: no learnt texts, or no bytes to judge.
    """
    if not len(learnt) or not sum(map(size_of, documents["text"])):
        raise LabError(f"There are {len(learnt)} learnt and {len(judged)} judged texts; some of both are needed.")
    highest = max(max(ids, default=0) for ids in (*learnt, *judged))
    counts = np.bincount(np.concatenate([np.asarray(ids, dtype=np.int64) for ids in learnt]), minlength=highest + 1) + 1
    bits_V = -np.log2(counts / counts.sum())
    bits: dict[str, float] = defaultdict(float)
    size: dict[str, int] = defaultdict(int)
    for ids, text, corpus in zip(judged, documents["text"], documents["corpus"], strict=True):
        bits[corpus] += float(bits_V[np.asarray(ids, dtype=np.int64)].sum())
        size[corpus] += size_of(text)
    return float(np.mean([bits[corpus] / size[corpus] for corpus in bits]))


def _cut(text: str, size: int) -> str:
    return text.encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
