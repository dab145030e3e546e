"""Signatures estimate Jaccard similarity, candidates follow 1 - (1 - S^13)^20, and planted duplicates are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.curation.duplicates import near
from nemo_lab.curation.duplicates.near import Parameters, agreement, candidate_probability, jaccard, signature
from nemo_lab.errors import LabError


def text_of(numbers: np.ndarray) -> str:
    return " ".join(f"{number:07d}" for number in numbers)


def test_the_curve_has_the_papers_values() -> None:
    assert candidate_probability([0.7, 0.8, 0.85, 0.9]) == pytest.approx([0.177, 0.677, 0.924, 0.997], abs=6e-4)
    assert candidate_probability([0.0, 1.0]).tolist() == [0.0, 1.0]
    assert pytest.approx(0.79, abs=5e-3) == (1 / near.BANDS) ** (1 / near.ROWS)
    assert near.PAPER.hashes == 260


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_agreement_estimates_jaccard(share: float) -> None:
    """260 hashes: the standard error is at most 0.031; the mean of 12 pairs is within three of its own."""
    generator = np.random.default_rng(int(share * 10))
    gaps = []
    for _ in range(12):
        numbers = generator.integers(0, 10**7, 400)
        other = numbers.copy()
        other[int(share * 400) :] = generator.integers(0, 10**7, 400 - int(share * 400))
        one, two = text_of(numbers), text_of(other)
        gaps.append(agreement(signature(one), signature(two)) - jaccard(one, two))
    assert abs(np.mean(gaps)) < 3 * 0.031 / np.sqrt(12)


def test_shingles_are_the_distinct_grams() -> None:
    text = "abcabcabcabcabcabcabcabcabcabcabc"
    grams = {text[at : at + 24] for at in range(len(text) - 23)}
    assert len(near.shingles(text)) == len(grams) == 3
    assert len(near.shingles("ab")) == 1
    assert len(near.shingles("")) == 0
    assert np.array_equal(near.shingles("A  b\nc"), near.shingles("a b c"))


def test_planted_duplicates_are_found_and_others_stay() -> None:
    generator = np.random.default_rng(0)
    originals = [text_of(generator.integers(0, 10**7, 300)) for _ in range(30)]
    copies = [text + " and a few more words at the end" for text in originals[:10]]
    groups = near.duplicate_groups([*originals, *copies])
    assert groups[:30] == list(range(30))
    assert groups[30:] == list(range(10))
    assert near.kept(groups) == list(range(30))


def test_groups_are_connected_components() -> None:
    index = near.DuplicateIndex(Parameters(bands=2, rows=1))
    first, second, bridge = (np.array(pair, dtype=np.uint32) for pair in ((1, 2), (3, 4), (1, 4)))
    assert [index.add(one) for one in (first, second, bridge)] == [0, 1, 0]
    assert index.groups() == [0, 0, 0]


@given(st.text(min_size=1, max_size=80))
@settings(max_examples=50, deadline=None)
def test_a_text_is_its_own_duplicate(text: str) -> None:
    assert (
        np.array_equal(signature(text), signature(f"  {text.upper().lower()} ".lower()))
        or text.upper().lower() != text.lower()
    )
    assert near.duplicate_groups([text, text]) == [0, 0]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_bands_rows_and_grams_are_positive(wrong):
    for name in ("bands", "rows", "gram"):
        with pytest.raises(LabError, match=f"{name} is {wrong!r}; it must be a whole number of at least 1"):
            Parameters(**{name: wrong})
    with pytest.raises(LabError, match=f"gram is {wrong!r}"):
        jaccard("a", "b", wrong)
    with pytest.raises(LabError, match=f"bands is {wrong!r}"):
        candidate_probability(0.5, bands=wrong)


@pytest.mark.parametrize("similarity", [-0.1, 1.1, float("nan"), None, "0.8", [0.5, 2.0]])
def test_a_similarity_is_a_share(similarity):
    with pytest.raises(LabError, match=r"similarity is .*, expected numbers from 0 to 1"):
        candidate_probability(similarity)


@pytest.mark.parametrize("texts", ["one text", None, 5, [None], [b"bytes"]])
def test_documents_are_several_texts(texts):
    with pytest.raises(LabError, match=r"texts? is .*, expected"):
        near.duplicate_groups(texts)


def test_signatures_of_other_parameters_are_refused():
    with pytest.raises(LabError, match=r"shape \(260,\), expected 2 numbers"):
        near.band_keys(signature("some text"), Parameters(bands=2, rows=1))
    with pytest.raises(LabError, match="cannot agree; take the same parameters"):
        agreement(signature("some text"), signature("some text", Parameters(bands=2, rows=1)))
