"""Exact duplicates, of whole documents and of passages. Near-duplicates: `near`.

Nemotron-CC removes near-duplicate documents over all snapshots and then, in eighths, every passage that occurs
before (arXiv 2412.02595, section 2.1), with the suffix arrays of Lee et al. (arXiv 2107.06499): a passage is a run of
at least L bytes, here their 100. A byte is in such a run exactly when one of the windows of L bytes that cover it has
occurred before. So instead of sorting all suffixes we hash all windows, sort the hashes, and compare the bytes where
two agree; the answer is the same, exact, in memory of about 40 bytes for each byte of text. A suffix array finds
repeats of every length at once; we need one length.

    h(i) = Σ_j  r(b[i + j]) P^j   mod 2^64,   j < L,     from sums over prefixes, P odd and thus invertible

The first occurrence stays. A window that overlaps its own first occurrence is no copy of it, so that a line of a
thousand dashes keeps its first hundred.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nemo_lab.errors import check_texts, check_whole

PASSAGE = 100  # bytes, as in Lee et al.
_SEED = 42
_BLOCK = 65_536  # windows compared at a time


@dataclass(frozen=True)
class Thinned:
    """Texts without what occurred before; `removed` counts the bytes taken out of each."""

    texts: list[str]
    removed: list[int]


def first_of_exact(texts: Sequence[str]) -> list[int]:
    """Return for each text the number of the first text that is equal to it, byte by byte.

    Raises:
        LabError: no list of texts.
    """
    texts = check_texts("texts", texts)
    first: dict[bytes, int] = {}
    return [first.setdefault(_digest(text), number) for number, text in enumerate(texts)]


def without_repeats(texts: Sequence[str], passage: int = PASSAGE) -> Thinned:
    """Remove from each text every passage of at least `passage` bytes that stands in it or in a text before it.

    Cuts never split a character: a character that is covered in part stays.

    Raises:
        LabError: no list of texts, or a passage of less than one byte.
    """
    texts = check_texts("texts", texts)
    contents = [text.encode("utf-8", "surrogatepass") for text in texts]
    covered = repeated_bytes(contents, passage)
    kept: list[str] = []
    for content, mask in zip(contents, covered, strict=True):
        letters = np.frombuffer(content, dtype=np.uint8)
        starts = np.flatnonzero((letters & 0xC0) != 0x80)  # first bytes of characters
        ends = np.append(starts[1:], len(letters))
        gone = _all_set(mask, starts, ends)
        keep = np.repeat(~gone, ends - starts)
        kept.append(letters[keep].tobytes().decode("utf-8", "surrogatepass"))
    removed = [len(c) - len(k.encode("utf-8", "surrogatepass")) for c, k in zip(contents, kept, strict=True)]
    return Thinned(kept, removed)


def repeated_bytes(contents: Sequence[bytes], passage: int = PASSAGE) -> list[NDArray[np.bool_]]:
    """Return a mask a text: which bytes lie in a passage that occurred before and does not overlap that occurrence."""
    check_whole("passage", passage)
    letters = np.frombuffer(b"".join(contents), dtype=np.uint8)
    sizes = np.array([len(content) for content in contents], dtype=np.int64)
    starts = _windows(sizes, passage)
    change = np.zeros(len(letters) + 1, dtype=np.int64)
    again = _copies(letters, starts, passage)
    np.add.at(change, again, 1)
    np.add.at(change, again + passage, -1)
    mask = np.cumsum(change[:-1]) > 0
    return np.split(mask, np.cumsum(sizes)[:-1]) if len(contents) else []


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _windows(sizes: NDArray[np.int64], passage: int) -> NDArray[np.int64]:
    """Return where windows begin, in the joined texts; none reaches into the next text."""
    counts = np.maximum(sizes - passage + 1, 0)
    firsts = np.cumsum(sizes) - sizes
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(firsts, counts) + offsets


def _copies(letters: NDArray[np.uint8], starts: NDArray[np.int64], passage: int) -> NDArray[np.int64]:
    """Return the windows whose bytes stand in an earlier window that they do not overlap."""
    if not len(starts):
        return starts
    hashes = _hashes(letters, passage)[starts]
    order = np.argsort(hashes, kind="stable")
    group = np.cumsum(np.append(True, np.diff(hashes[order]) != 0)) - 1
    first = starts[order][np.flatnonzero(np.append(True, np.diff(group) != 0))][group]
    later = starts[order]
    apart = later - first >= passage
    later, first = later[apart], first[apart]
    windows = np.lib.stride_tricks.sliding_window_view(letters, passage)
    same = [
        (windows[later[at : at + _BLOCK]] == windows[first[at : at + _BLOCK]]).all(1)
        for at in range(0, len(later), _BLOCK)
    ]
    return later[np.concatenate(same)] if same else later


def _hashes(letters: NDArray[np.uint8], passage: int) -> NDArray[np.uint64]:
    """Return the hash of every window of the joined texts."""
    generator = np.random.default_rng(_SEED)
    values = generator.integers(0, 2**64, size=256, dtype=np.uint64)[letters]
    base = int(generator.integers(0, 2**63, dtype=np.uint64)) * 2 + 1 & (2**64 - 1)
    inverse = pow(base, -1, 2**64)
    powers = _powers(base, len(letters))
    sums = np.append(np.uint64(0), np.cumsum(values * powers, dtype=np.uint64))
    count = len(letters) - passage + 1
    return (sums[passage:] - sums[:count]) * _powers(inverse, count)


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _all_set(mask: NDArray[np.bool_], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each piece whether all its bytes are set."""
    total = np.append(0, np.cumsum(mask))
    return np.asarray(total[ends] - total[starts] == ends - starts)
