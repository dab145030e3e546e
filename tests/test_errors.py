"""The sentences that refuse a name, a number, a text or a path."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from nemo_lab.errors import (
    LabError,
    check_callable,
    check_each,
    check_instance,
    check_number,
    check_path,
    check_texts,
    check_whole,
    one_of,
    shown,
)


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


def test_a_value_is_shown_on_one_line_and_not_too_long():
    assert shown(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert shown("x" * 500) == f"'{'x' * 59}..."
    for check in (check_whole, check_number, check_texts, check_path):
        with pytest.raises(LabError, match=r"what is \[1, 1, .*1") as caught:
            check("what", [[1] * 500] if check is check_texts else [1] * 500)
        assert len(str(caught.value)) < 200


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


def test_what_is_of_the_type_or_can_be_called_passes():
    assert check_instance("table", found := {"a": 1}, Mapping, "give a table") is found
    assert check_callable("encode", len, "give a function") is len
    assert check_each("words", ("a", "b"), str) == ("a", "b")
    assert check_each("words", [], str) == []


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda **own: check_instance("size", "x" * 500, int, "give a size", **own),
            r"size is 'x+\.\.\. of type str; give a size\.",
        ),
        (
            lambda **own: check_callable("encode", 3, "give a function", **own),
            r"encode is 3, which cannot be called; give a function\.",
        ),
        (lambda **own: check_each("words", "ab", str, **own), r"words is 'ab'; expected a list of type str\."),
        (lambda **own: check_each("words", b"ab", int, **own), r"words is b'ab'; expected a list of type int\."),
        (lambda **own: check_each("words", None, str, **own), r"words is None; expected a list of type str\."),
        (
            lambda **own: check_each("words", (), str, some=True, **own),
            r"words is empty; expected at least one of type str\.",
        ),
        (lambda **own: check_each("words", ["a", 1], str, **own), r"words\[1\] is 1; expected the type str\."),
    ],
)
def test_what_is_of_another_type_is_refused_with_what_to_give(call, sentence):
    with pytest.raises(OwnError, match=f"^{sentence}$"):
        call(kind=OwnError)
