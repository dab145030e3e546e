r"""Near-duplicates by MinHash and LSH, with the parameters of Nemotron-CC-Math.

Documents are sets of 24-character n-grams. A MinHash signature keeps, for each of 260 hash functions, the
smallest value over the set; two documents agree in one place with probability J, their Jaccard similarity. The
signature is cut into 20 bands of 13; documents that agree in a whole band are candidates, which happens with

    P(J) = 1 - (1 - J^13)^20,      0.177 at 0.7, 0.677 at 0.8, 0.924 at 0.85, 0.997 at 0.9.

So the '0.8 threshold' catches two thirds of the pairs that sit exactly there. As in the paper there is no check
of the candidates; groups are connected components, and of each group the first document stays (the paper keeps
one at random; the first makes the result independent of a seed and of how a run was interrupted).

Relative to the paper: instead of 260 seeds of Murmur3 one 64-bit hash of each n-gram is put through 260 random
multiply-and-add functions, the usual way to save hashing; `agreement` lets tests hold it to J.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemo_lab.corpora.groups import Groups
from nemo_lab.errors import LabError, check_text, check_whole

BANDS, ROWS, GRAM = 20, 13, 24
_SEED = 42
_BLOCK = 16_384  # n-grams hashed at a time, so that they stay in the cache


@dataclass(frozen=True)
class Parameters:
    """Bands, rows of a band, and characters of an n-gram."""

    bands: int = BANDS
    rows: int = ROWS
    gram: int = GRAM

    def __post_init__(self) -> None:
        """Refuse a signature of nothing."""
        for name in ("bands", "rows", "gram"):
            check_whole(name, getattr(self, name))

    @property
    def hashes(self) -> int:
        """The signature's length."""
        return self.bands * self.rows


PAPER = Parameters()


def candidate_probability(similarity: ArrayLike, bands: int = BANDS, rows: int = ROWS) -> NDArray[np.float64]:
    """Return P(candidate) = 1 - (1 - S^rows)^bands for Jaccard similarities S.

    Raises:
        LabError: a similarity outside 0 to 1, no band, or no row.
    """
    check_whole("bands", bands)
    check_whole("rows", rows)
    found = np.asarray(similarity)
    if found.dtype.kind not in "iuf" or not np.all((found >= 0) & (found <= 1)):
        raise LabError(f"similarity is {similarity!r:.60}, expected numbers from 0 to 1.")
    return 1 - (1 - found.astype(np.float64) ** rows) ** bands


def shingles(text: str, gram: int = GRAM) -> NDArray[np.uint64]:
    """Return the 64-bit hashes of the text's distinct n-grams; a shorter text is one n-gram.

    Blanks are made even and letters lower case first, so that layout does not hide a copy.

    Raises:
        LabError: no text, or n-grams of less than one character.
    """
    check_text("text", text)
    check_whole("gram", gram)
    letters = np.frombuffer(" ".join(text.lower().split()).encode("utf-32-le", "replace"), dtype=np.uint32)
    letters = letters.astype(np.uint64)
    width = max(1, min(gram, len(letters)))
    if not len(letters):
        return np.zeros(0, dtype=np.uint64)
    count = len(letters) - width + 1
    value = np.zeros(count, dtype=np.uint64)
    for offset in range(width):
        value *= np.uint64(0x100000001B3)
        value += letters[offset : offset + count] + np.uint64(1)
    value ^= value >> np.uint64(31)
    value *= np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(29)
    value.sort()  # with this many numbers faster than `np.unique`
    return value[np.concatenate(([True], value[1:] != value[:-1]))]


@cache
def _functions(hashes: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    generator = np.random.default_rng(_SEED)
    draw = generator.integers(0, 2**32, size=(2, hashes), dtype=np.uint32)
    return draw[0] | np.uint32(1), draw[1]


def signature(text: str, parameters: Parameters = PAPER) -> NDArray[np.uint32]:
    """Return the MinHash signature of a text (uint32, `bands * rows`); of an empty text all ones."""
    grams = shingles(text, parameters.gram)
    low = (grams >> np.uint64(32)).astype(np.uint32)
    factor, shift = _functions(parameters.hashes)
    least = np.full(parameters.hashes, 2**32 - 1, dtype=np.uint32)
    for start in range(0, len(low), _BLOCK):
        block = low[start : start + _BLOCK]
        mixed, shifted = np.empty_like(block), np.empty_like(block)
        for number in range(parameters.hashes):
            np.multiply(block, factor[number], out=mixed)
            mixed += shift[number]
            np.right_shift(mixed, np.uint32(15), out=shifted)
            mixed ^= shifted
            mixed *= np.uint32(0x85EBCA6B)
            least[number] = min(least[number], np.minimum.reduce(mixed))
    return least


def agreement(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Return the share of places where two signatures agree, an estimate of the Jaccard similarity."""
    if np.shape(one) != np.shape(other):
        raise LabError(f"Signatures of {np.shape(one)} and {np.shape(other)} cannot agree; take the same parameters.")
    return float((one == other).mean())


def jaccard(one: str, other: str, gram: int = GRAM) -> float:
    """Return the exact Jaccard similarity of two texts' n-grams, which signatures estimate."""
    a, b = set(shingles(one, gram).tolist()), set(shingles(other, gram).tolist())
    return len(a & b) / len(a | b) if a | b else 1.0


def band_keys(found: NDArray[np.uint32], parameters: Parameters = PAPER) -> list[bytes]:
    """Return one key a band; documents that share a key are candidates.

    Raises:
        LabError: a signature of another length than the parameters'.
    """
    if np.shape(found) != (parameters.hashes,):
        raise LabError(f"The signature has the shape {np.shape(found)}, expected {parameters.hashes} numbers.")
    rows = found.reshape(parameters.bands, parameters.rows)
    return [bytes([number]) + row.tobytes() for number, row in enumerate(rows)]


class DuplicateIndex:
    """Groups of near-duplicates, one document after the other.

    `add` answers at once whether a document joins an earlier group. Joining can merge groups, so `groups` at the
    end tells the components; the first document of each stays.
    """

    def __init__(self, parameters: Parameters = PAPER) -> None:
        self.parameters = parameters
        self._first: dict[bytes, int] = {}
        self._groups = Groups()

    def add(self, found: NDArray[np.uint32]) -> int:
        """Enter a signature; return the number of the document that its group begins with (its own if new)."""
        number = self._groups.add()
        for key in band_keys(found, self.parameters):
            earlier = self._first.setdefault(hash_key(key), number)
            self._groups.join(earlier, number)
        return self._groups.root(number)

    def groups(self) -> list[int]:
        """Return for each document, in the order they came, the number of its group's first document."""
        return self._groups.roots()


def hash_key(key: bytes) -> bytes:
    """Return a band's key in 8 bytes, which is what an index keeps; two bands collide once in 2**32 pages."""
    return hashlib.blake2b(key, digest_size=8).digest()


def duplicate_groups(texts: Iterable[str], parameters: Parameters = PAPER) -> list[int]:
    """Return for each text the number of the first text of its group.

    Raises:
        LabError: one text in place of several, or something that is no text.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise LabError(f"texts is {texts!r:.60}, expected several texts; put one into brackets.")
    index = DuplicateIndex(parameters)
    for text in texts:
        index.add(signature(text, parameters))
    return index.groups()


def kept(groups: Sequence[int]) -> list[int]:
    """Return the numbers of the documents that stay: the first of each group."""
    return [number for number, root in enumerate(groups) if number == root]
