"""Removing lines is allowed, changing what is kept is not, and each way of changing is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.rewriting.fidelity import Bounds, compare, faithful
from nemo_lab.errors import LabError

TEXT = "The sum of 12 and 30 is 42.\nLet $x^2 + y^2 = r^2$ hold for all of them.\nThe proof is left to the reader here.\nNext page of 7"  # noqa: E501


def test_the_same_text_is_faithful() -> None:
    assert faithful(compare(TEXT, TEXT))


def test_leaving_out_a_line_is_faithful_within_bounds() -> None:
    found = compare(TEXT, TEXT.rsplit("\n", 1)[0])
    assert found.invented_numbers == found.invented_symbols == 0
    assert found.lost_numbers > 0
    assert faithful(found, Bounds(lost=0.5))


def test_changes_are_seen() -> None:
    assert not faithful(compare(TEXT, TEXT.replace("42", "43")))
    assert not faithful(compare(TEXT, TEXT.replace("+", "-").replace("= r^2", r"\leq r^2")))
    assert not faithful(
        compare(TEXT, TEXT.replace("Let", "Suppose that").replace("The proof is left", "We leave the proof"))
    )
    assert not faithful(compare(TEXT, "The sum of 12 and 30 is 42."))
    assert not faithful(compare(TEXT, ""))
    assert not faithful(compare(TEXT, TEXT + "\nIn addition, 99 is a number."))


@given(st.text(max_size=60), st.text(max_size=60))
def test_shares_are_shares(source: str, result: str) -> None:
    found = compare(source, result)
    assert 0 <= found.lost_numbers <= 1
    assert 0 <= found.lost_symbols <= 1
    assert 0 <= found.rewritten <= 1
    assert found.invented_numbers >= 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"invented": -1}, "invented is -1; it must be a whole number of at least 0"),
        ({"lost": 1.5}, "lost is 1.5; it must be a finite number at least 0 and at most 1"),
        ({"rewritten": float("nan")}, "rewritten is nan"),
        ({"least_kept": None}, "least_kept is None"),
    ],
)
def test_bounds_are_counts_and_shares(change, words):
    with pytest.raises(LabError, match=words):
        Bounds(**change)


def test_what_is_compared_is_text():
    with pytest.raises(LabError, match="source is None, expected text"):
        compare(None, "text")
    with pytest.raises(LabError, match="result is None, expected text"):
        compare("text", None)
