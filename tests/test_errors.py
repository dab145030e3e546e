"""The sentences that refuse a name, a number, a text or a path."""

import math
from pathlib import Path

import numpy as np
import pytest

from nemo_lab.errors import LabError, check_number, check_path, check_texts, check_whole, one_of


def test_refusal_suggests_and_lists():
    sentence = one_of("scale", "lptop", ["smoke", "laptop"])
    assert sentence == "Unknown scale 'lptop', did you mean 'laptop'; valid: smoke, laptop."
    assert "mean" not in one_of("scale", "zzz", ["smoke"])
    assert one_of("knob", "x", []).endswith("valid: none.")


class OwnError(LabError):
    """An error of some folder."""


def test_whole_numbers_of_any_library_pass():
    assert check_whole("steps", 3) == 3
    assert check_whole("steps", 0, 0) == 0
    assert type(check_whole("steps", np.int32(7))) is int


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "3", None, math.nan])
def test_other_numbers_are_not_whole(wrong):
    with pytest.raises(OwnError, match=f"^steps is {wrong!r}; it must be a whole number of at least 1.$"):
        check_whole("steps", wrong, kind=OwnError)


def test_numbers_within_their_bounds_pass():
    assert check_number("rate", 1) == 1.0
    assert check_number("rate", np.float32(0.5), above=0, most=1) == 0.5
    assert check_number("rate", 0, least=0) == 0.0
    assert check_number("rate", 10**400 // 10**399) == 10.0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, "1", None, True, 1j, [1.0]])
def test_what_is_no_finite_number_is_refused(wrong):
    with pytest.raises(OwnError, match=r"^rate is .*; it must be a finite number\.$"):
        check_number("rate", wrong, kind=OwnError)


@pytest.mark.parametrize(
    ("wrong", "bounds", "words"),
    [
        (0, {"above": 0}, "above 0"),
        (-1, {"least": 0}, "at least 0"),
        (1.5, {"above": 0, "most": 1}, "above 0 and at most 1"),
        (10**400, {"most": 1}, "at most 1"),
    ],
)
def test_numbers_out_of_bounds_are_refused_with_the_bounds(wrong, bounds, words):
    with pytest.raises(LabError, match=f"it must be a finite number {words}.$"):
        check_number("rate", wrong, **bounds)


def test_texts_come_as_a_list_of_them():
    assert check_texts("texts", ("a", "b")) == ["a", "b"]
    assert check_texts("texts", (letter for letter in "ab")) == ["a", "b"]
    assert check_texts("texts", []) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("one text", "texts is one text, 'one text', expected a list of texts"),
        (b"bytes", "texts is one text, b'bytes'"),
        (None, "texts is None, expected a list of texts"),
        (["a", None], "Text 1 of texts is None, expected text"),
        ([b"a"], "Text 0 of texts is b'a'"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(wrong, words):
    with pytest.raises(OwnError, match=words):
        check_texts("texts", wrong, kind=OwnError)


def test_paths_are_names_or_paths():
    assert check_path("folder", "a/b") == Path("a/b") == check_path("folder", Path("a/b"))


@pytest.mark.parametrize("wrong", [None, "", 5, b"a", ["a"]])
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(OwnError, match=r"^folder is .*, expected the path of a file or folder\.$"):
        check_path("folder", wrong, kind=OwnError)
