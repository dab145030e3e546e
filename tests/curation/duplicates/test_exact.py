"""Passages that occurred before, against a search that tries everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.curation.duplicates import exact as web
from nemo_lab.errors import LabError

CONTENTS = st.lists(st.binary(max_size=40).map(lambda b: bytes(x % 3 for x in b)), max_size=5)


def by_search(contents, passage):
    """The definition, word for word: a window is a copy if its first occurrence lies before and apart from it."""
    places, masks = [], [np.zeros(len(content), dtype=bool) for content in contents]
    for number, content in enumerate(contents):
        for start in range(len(content) - passage + 1):
            window = content[start : start + passage]
            first = next(((n, s) for n, s, seen in places if seen == window), None)
            if first is None:
                places.append((number, start, window))
            elif first[0] != number or start - first[1] >= passage:
                masks[number][start : start + passage] = True
    return masks


@given(CONTENTS, st.integers(1, 8))
@settings(max_examples=200, deadline=None)
def test_equals_the_search(contents, passage):
    found = web.repeated_bytes(contents, passage)
    assert len(found) == len(contents)
    for mine, theirs in zip(found, by_search(contents, passage), strict=True):
        assert (mine == theirs).all()


def test_planted_passage():
    rng = np.random.default_rng(0)
    words = [" ".join(f"w{n}" for n in rng.integers(0, 10**6, 60)) for _ in range(20)]
    planted = "a sentence that two pages share, and that is long enough to be counted as a passage by Lee and others."
    words[3] += " " + planted
    words[11] = words[11][:100] + planted + words[11][100:]
    thin = web.without_repeats(words)
    assert [number for number, gone in enumerate(thin.removed) if gone] == [11]
    assert thin.removed[11] in range(len(planted), len(planted) + 2)
    assert planted in thin.texts[3]
    assert planted not in thin.texts[11]
    assert thin.texts[:11] == words[:11]


@given(st.lists(st.text(alphabet="aé€😀", max_size=30), max_size=4), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_characters_stay_whole(texts, passage):
    thin = web.without_repeats(texts, passage)
    for text, left, gone in zip(texts, thin.texts, thin.removed, strict=True):
        assert len(left.encode()) + gone == len(text.encode())
        letters = iter(text)
        assert all(letter in letters for letter in left)  # a subsequence of the text


def test_a_long_repetition_keeps_its_first_passage():
    thin = web.without_repeats(["-" * 1000, "-" * 150])
    assert thin.texts == ["-" * 100, ""]


def test_the_first_text_stays_and_short_ones_are_never_cut():
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 123, 300)))
    assert web.without_repeats([text[:99], text[:99]]).removed == [0, 0]
    assert web.without_repeats([text, text]).texts == [text, ""]
    assert web.without_repeats([]).texts == []


def test_exact_copies():
    assert web.first_of_exact(["a", "b", "a", "a ", "b"]) == [0, 1, 0, 3, 1]


def test_refuses_no_length():
    with pytest.raises(LabError, match="passage is 0"):
        web.without_repeats(["a"], 0)


@pytest.mark.parametrize("texts", ["one text", None, [None]])
def test_documents_are_a_list_of_texts(texts):
    for function in (web.without_repeats, web.first_of_exact):
        with pytest.raises(LabError, match=r"(texts is|Text 0 of texts is) .*expected"):
            function(texts)
