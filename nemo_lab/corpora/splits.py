"""Fixed train, validation and test splits in which no document has a near duplicate across the border.

Documents that share text belong to one group: the pieces of one chapter, exact copies, and near duplicates,
that is pairs whose sets of word 5-grams overlap by a Jaccard index of at least 0.8. A group goes to one split
as a whole, by a hash of its content: 90 % train, 5 % validation, 5 % test. The hash is of the words alone, so
a document that stands in two corpora falls into the same split in both, on every machine, for good.

MinHash with LSH, the usual tool, finds most near duplicates. At our sizes all of them can be found: two sets
with a Jaccard index of at least t must share one of the n - ceil(t n) + 1 rarest elements of each (prefix
filtering: Chaudhuri, Ganti and Kaushik, ICDE 2006; Bayardo, Ma and Srikant, WWW 2007). Most 5-grams occur
once in a corpus and cannot be shared, so few candidate pairs remain and each is checked exactly. There are no
false negatives to leak and no false positives to widen groups; it is also faster here than hashing 128 times.
"""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from nemo_lab.corpora.groups import Groups
from nemo_lab.errors import LabError, check_number, check_texts

NGRAM = 5  # words
THRESHOLD = 0.8  # Jaccard index from which two documents are near duplicates
SHARES = {"train": 0.90, "validation": 0.05, "test": 0.05}
SPLITS = tuple(SHARES)


def split_documents(texts: Sequence[str], parents: Sequence[int] | None = None) -> list[str]:
    """Return the split of each document, the same for all members of a near-duplicate group.

    Args:
        texts: the documents.
        parents: a number for each document; those with the same number are kept together.

    Raises:
        LabError: no list of texts, or not one parent for each.
    """
    texts = check_texts("texts", texts)
    return splits_of(texts, duplicate_groups(texts, parents))


def splits_of(texts: Sequence[str], groups: np.ndarray) -> list[str]:
    """Return the split of each document, decided for its group by the smallest content hash in it."""
    smallest: dict[int, int] = {}
    for group, text in zip(groups.tolist(), texts, strict=True):
        value = _content_hash(text)
        smallest[group] = min(value, smallest.get(group, value))
    return [_split_of(smallest[group]) for group in groups.tolist()]


def duplicate_groups(
    texts: Sequence[str], parents: Sequence[int] | None = None, threshold: float = THRESHOLD
) -> np.ndarray:
    """Return the group of each document: the index of the group's first member.

    Two documents are in one group when they have one parent, are near duplicates, or are linked by a chain
    of such pairs.

    Raises:
        LabError: no list of texts, not one parent for each, or a threshold that is not above 0 and at most 1.
    """
    texts = check_texts("texts", texts)
    check_number("threshold", threshold, above=0, most=1)
    if parents is not None and np.shape(parents) != (len(texts),):
        raise LabError(f"parents have the shape {np.shape(parents)} for {len(texts)} documents; give one for each.")
    links = Groups(len(texts))
    first: dict[int, int] = {}
    for index, parent in enumerate(parents if parents is not None else range(len(texts))):
        links.join(first.setdefault(parent, index), index)
    sets = shingles(texts)
    tried: set[tuple[int, int]] = set()  # a pair comes once for each rare element it shares
    for pair in _candidates(sets, threshold):
        if pair not in tried and not links.same(*pair):
            tried.add(pair)
            if jaccard(sets[pair[0]], sets[pair[1]]) >= threshold:
                links.join(*pair)
    return np.array(links.roots(), dtype=np.int64)


def shingles(texts: Sequence[str]) -> list[np.ndarray]:
    """Return each document's word 5-grams as sorted distinct 64-bit hashes; short ones have one in all."""
    vocabulary = _Vocabulary()
    weights = np.random.default_rng(0).integers(1, 2**63, size=NGRAM, dtype=np.uint64) | np.uint64(1)
    values = np.empty(0, dtype=np.uint64)  # a random number for each word, drawn as the vocabulary grows
    generator = np.random.default_rng(1)
    sets = []
    for text in texts:
        ids = list(map(vocabulary.__getitem__, text.lower().split()))
        if len(vocabulary) > len(values):
            grown = generator.integers(0, 2**64, size=len(vocabulary) + 1000, dtype=np.uint64)
            values = np.concatenate([values, grown])
        sets.append(np.unique(_hashed(values[ids] if ids else np.zeros(1, np.uint64), weights)))
    return sets


class _Vocabulary(dict[str, int]):
    """Words by number; an unknown word gets the next one."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def _hashed(words: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the hash of every run of five words, or of all words when there are fewer."""
    count = max(1, len(words) - NGRAM + 1)
    total = np.zeros(count, dtype=np.uint64)
    for place in range(min(NGRAM, len(words))):
        total += words[place : place + count] * weights[place]
        total ^= total >> np.uint64(29)
    return total


def jaccard(left: np.ndarray, right: np.ndarray) -> float:
    """Return the share of elements common to two sorted arrays of distinct values."""
    common = len(np.intersect1d(left, right, assume_unique=True))
    return common / (len(left) + len(right) - common)


def _candidates(sets: Sequence[np.ndarray], threshold: float) -> Iterator[tuple[int, int]]:
    """Yield every pair that can reach the threshold: alike in size, sharing one of the rarest of each."""
    if not sets:
        return
    sizes = np.array([len(elements) for elements in sets])
    owners, elements = _rarest(sets, sizes, threshold)
    order = np.lexsort((owners, elements))
    owners, elements = owners[order], elements[order]
    edges = np.flatnonzero(np.diff(elements)) + 1
    for sharing in np.split(owners, edges):
        for place, left in enumerate(sharing.tolist()):
            rest = sharing[place + 1 :]
            small, large = np.minimum(sizes[left], sizes[rest]), np.maximum(sizes[left], sizes[rest])
            for right in rest[small >= threshold * large].tolist():
                yield left, right


def _rarest(sets: Sequence[np.ndarray], sizes: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (document, element) for the n - ceil(t n) + 1 rarest of each, without those that occur once."""
    owners = np.repeat(np.arange(len(sets)), sizes)
    _, elements, counts = np.unique(np.concatenate(sets), return_inverse=True, return_counts=True)
    shared = counts[elements] > 1
    alone = sizes - np.bincount(owners[shared], minlength=len(sets))  # the rarest come first in the order
    owners, elements = owners[shared], elements[shared]
    order = np.lexsort((elements, counts[elements], owners))
    owners, elements = owners[order], elements[order]
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners) + alone[owners]
    prefix = sizes - np.ceil(threshold * sizes - 1e-9).astype(int) + 1
    kept = rank < prefix[owners]
    return owners[kept], elements[kept]


def _content_hash(text: str) -> int:
    words = " ".join(text.lower().split())
    return int.from_bytes(hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def _split_of(value: int) -> str:
    """Return the split of a group by its smallest content hash, uniform over 64 bits.

    The smallest of many is small: hashing it once more makes it uniform again.
    """
    again = hashlib.sha256(value.to_bytes(8, "big")).digest()
    share = int.from_bytes(again[:8], "big") / 2**64
    bound = 0.0
    for name in SPLITS[:-1]:
        bound += SHARES[name]
        if share < bound:
            return name
    return SPLITS[-1]
