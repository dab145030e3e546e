"""Splits: planted exact and near duplicates are found, all of them and nothing else, and never part."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab import corpora
from nemo_lab.corpora import splits
from nemo_lab.corpora.splits import duplicate_groups, jaccard, shingles, split_documents
from nemo_lab.errors import LabError
from tests.corpora.at_hand import at_hand


def words(generator: np.random.Generator, count: int) -> list[str]:
    return [f"w{number}" for number in generator.integers(0, 5000, count)]


def planted() -> tuple[list[str], list[int]]:
    """Return texts and the family of each: originals, exact copies, near copies, decoys below 0.8."""
    generator = np.random.default_rng(7)
    texts, family = [], []
    for number in range(300):
        base = words(generator, int(generator.integers(60, 400)))
        texts.append(" ".join(base))
        family.append(number)
        kind = number % 4
        if kind == 0:  # an exact copy in other case and spacing
            texts.append("  ".join(base).upper())
            family.append(number)
        elif kind == 1:  # one word in a hundred changed: a Jaccard index above 0.9
            near = list(base)
            near[len(near) // 2] = "changed"
            texts.append(" ".join(near))
            family.append(number)
        elif kind == 2:  # a third replaced: below the threshold
            decoy = [*base[: 2 * len(base) // 3], *words(generator, len(base) // 3)]
            texts.append(" ".join(decoy))
            family.append(10_000 + number)
    return texts, family


def same(groups) -> set[tuple[int, int]]:
    return {(a, b) for a, b in combinations(range(len(groups)), 2) if groups[a] == groups[b]}


def test_planted_duplicates_are_found_with_full_precision_and_recall():
    texts, family = planted()
    found, truth = same(duplicate_groups(texts).tolist()), same(family)
    assert len(truth) == 150
    assert len(found & truth) / len(truth) == 1.0, "recall"
    assert len(found & truth) / len(found) == 1.0, "precision"


def test_duplicates_fall_into_one_split():
    texts, family = planted()
    parts = split_documents(texts)
    by_family: dict[int, set[str]] = {}
    for part, name in zip(parts, family, strict=True):
        by_family.setdefault(name, set()).add(part)
    assert all(len(found) == 1 for found in by_family.values())


def test_without_groups_duplicates_would_leak(monkeypatch):
    """The negative control: by a hash of each document alone, near copies are parted."""
    texts, family = planted()
    monkeypatch.setattr(splits, "duplicate_groups", lambda texts, parents: np.arange(len(texts)))
    parts = split_documents(texts)
    parted = [a for a, b in same(family) if parts[a] != parts[b]]
    assert len(parted) > 5


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_groups_equal_brute_force(seed, threshold):
    generator = np.random.default_rng(seed)
    base = [f"w{number}" for number in generator.integers(0, 8, 40)]
    texts = []
    for _ in range(25):
        start = int(generator.integers(0, 10))
        text = base[start : start + int(generator.integers(0, 30))]
        if text and generator.random() < 0.5:
            text[int(generator.integers(0, len(text)))] = "other"
        texts.append(" ".join(text))
    sets = [plain_shingles(text) for text in texts]
    expected = list(range(len(texts)))
    for a, b in combinations(range(len(texts)), 2):
        if len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= threshold:
            old, new = max(expected[a], expected[b]), min(expected[a], expected[b])
            expected = [new if group == old else group for group in expected]
    assert duplicate_groups(texts, threshold=threshold).tolist() == expected


def plain_shingles(text: str) -> set[tuple[str, ...]]:
    parts = text.lower().split()
    return {tuple(parts[i : i + 5]) for i in range(max(1, len(parts) - 4))}


def test_hashed_jaccard_equals_the_plain_one():
    texts, _ = planted()
    hashed = shingles(texts[:40])
    for a, b in combinations(range(40), 2):
        left, right = plain_shingles(texts[a]), plain_shingles(texts[b])
        assert jaccard(hashed[a], hashed[b]) == len(left & right) / len(left | right)


def test_pieces_of_one_parent_stay_together():
    generator = np.random.default_rng(3)
    texts = [" ".join(words(generator, 50)) for _ in range(60)]
    parts = split_documents(texts, [index // 10 for index in range(60)])
    assert all(len(set(parts[start : start + 10])) == 1 for start in range(0, 60, 10))


def test_a_document_falls_into_the_same_split_wherever_it_stands():
    generator = np.random.default_rng(5)
    shared = [" ".join(words(generator, 80)) for _ in range(50)]
    others = [" ".join(words(generator, 80)) for _ in range(50)]
    assert split_documents(shared) == split_documents(others + shared)[50:]


def test_shares_are_90_5_5():
    texts = [f"document number {index} has its own words {index * 7}" for index in range(6000)]
    counts = Counter(split_documents(texts))
    assert counts["train"] / 6000 == pytest.approx(0.90, abs=0.015)
    assert counts["validation"] / 6000 == pytest.approx(0.05, abs=0.012)
    assert counts["test"] / 6000 == pytest.approx(0.05, abs=0.012)


def test_shares_hold_for_large_groups_too():
    """The split of a group hangs on its smallest hash; that must not favour one split."""
    texts = [f"document number {index} has its own words {index * 7}" for index in range(20_000)]
    parts = split_documents(texts, [index // 10 for index in range(20_000)])
    assert Counter(parts)["train"] / 20_000 == pytest.approx(0.90, abs=0.025)


def test_no_documents_no_splits():
    assert split_documents([]) == []
    assert len(set(split_documents(["", " ", ""]))) == 1


@pytest.mark.parametrize("texts", ["one text", None, 5, [None], [b"bytes"]])
def test_documents_are_a_list_of_texts(texts):
    for split in (split_documents, duplicate_groups):
        with pytest.raises(LabError, match=r"[Tt]exts? .* expected"):
            split(texts)


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan"), None, "0.8"])
def test_a_threshold_is_a_share(threshold):
    with pytest.raises(LabError, match=f"threshold is {threshold!r}; it must be a finite number above 0 and at most 1"):
        duplicate_groups(["a", "b"], threshold=threshold)


@pytest.mark.parametrize("parents", [[1], [1, 2, 3], 5])
def test_each_document_has_one_parent(parents):
    with pytest.raises(LabError, match=r"parents have the shape .* for 2 documents"):
        split_documents(["a", "b"], parents)


@pytest.mark.parametrize("name", ["law", "perl-manual", "formal-mathematics", "unix-manuals", "code"])
def test_no_held_out_document_has_a_near_duplicate_in_training(name):
    """Brute force over all pairs of held-out and training documents, by a sparse product of 5-gram sets."""
    at_hand(name)
    held_out = [*corpora.load(name, split="validation")["text"], *corpora.load(name, split="test")["text"]]
    assert highest_overlap(held_out, corpora.load(name, split="train")["text"][:]) < splits.THRESHOLD


def test_splits_by_document_alone_would_leak_in_law():
    """The negative control: split by a hash of each document, near duplicates stand on both sides."""
    at_hand("law")
    texts = corpora.load("law")["text"][:]
    parts = splits.splits_of(texts, np.arange(len(texts)))
    held_out = [text for text, part in zip(texts, parts, strict=True) if part != "train"]
    training = [text for text, part in zip(texts, parts, strict=True) if part == "train"]
    assert highest_overlap(held_out, training) >= 0.95


def test_no_near_duplicates_across_corpora():
    """Held-out documents of each corpus against the training documents of all others (60 and 500 of each)."""
    for name in corpora.DEFAULT_CORPORA:
        at_hand(name)
    held_out, training = [], []
    for name in corpora.DEFAULT_CORPORA:
        held_out += corpora.load(name, split="validation")["text"][:60]
        training += corpora.load(name, split="train")["text"][:500]
    assert highest_overlap(held_out, training) < splits.THRESHOLD


def highest_overlap(left: list[str], right: list[str]) -> float:
    """Return the highest Jaccard index of 5-gram sets between a text of `left` and one of `right`."""
    sets = splits.shingles([*left, *right])
    sizes = np.array([len(elements) for elements in sets])
    _, columns = np.unique(np.concatenate(sets), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    matrix = scipy.sparse.csr_array((np.ones(len(columns), np.int32), columns, ends))
    common = (matrix[: len(left)] @ matrix[len(left) :].T).tocoo()
    union = sizes[common.row] + sizes[len(left) + common.col] - common.data
    return float((common.data / union).max())
