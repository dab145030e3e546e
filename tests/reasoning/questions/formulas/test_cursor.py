"""A place in the tokens."""

import pytest

from nemo_lab.reasoning.questions.formulas.cursor import Cursor, places
from nemo_lab.reasoning.questions.formulas.notation import tokens
from nemo_lab.reasoning.questions.formulas.values import Unreadable


def test_it_takes_tokens_one_by_one_to_the_end():
    cursor = Cursor(tokens(r"x+{12}"))
    assert (cursor.next(), cursor.kind(), cursor.next(1)) == ("x", "name", "+")
    assert cursor.take().text == "x"
    assert cursor.accept("-") == ""
    assert cursor.accept("-", "+") == "+"
    assert cursor.argument() == "12"
    assert cursor.next() == cursor.accept("") == ""
    with pytest.raises(Unreadable, match="stops short"):
        cursor.take()


@pytest.mark.parametrize("text", ["{1", "1}", ""])
def test_a_group_that_does_not_end_is_refused(text):
    with pytest.raises(Unreadable):
        Cursor(tokens(text)).between("{", "}")


def test_one_digit_is_taken_and_the_others_left():
    cursor = Cursor(tokens("123"))
    assert [cursor.take_digit() for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("xy", "x y"),
        ("sinx", r"\sin x"),
        ("5 cm", "5 cm"),
        ("5 km/h", "5 km / h"),
        ("cm", "c m"),
        ("x+apples", "x + apples"),
    ],
)
def test_names_are_cut_into_letters(text, found):
    assert " ".join(token.text for token in Cursor(tokens(text)).tokens) == found


@pytest.mark.parametrize(
    ("text", "decimals"),
    [
        ("0.333", 3),
        ("-0.5", 1),
        (r"6.63\times10^{-34}", 36),
        ("6.63*10^3", -1),
        ("1.5e-3", 4),
        (r"66.7\%", 1),
        (r"\$18.90", 2),
        ("5", None),
        ("0.5x", None),
        ("0.5+1", None),
        ("1, ...", None),
    ],
)
def test_places_of_a_decimal(text, decimals):
    assert places(tokens(text)) == decimals


def test_the_last_token_is_the_one_that_was_taken():
    cursor = Cursor(tokens("5!"))
    assert cursor.last() == ""
    cursor.take()
    assert cursor.last() == "5"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (r"\frac{dy}{dx}", True),
        (r"\frac{d^2y}{dx^2}", True),
        (r"\frac{d \omega}{d t}", True),
        (r"\frac{d}{d\theta}", True),
        (r"\frac{def}{de+df+ef}", False),
        (r"\frac{d!}{2k(d-k)!}", False),
        (r"\frac{d}{2}", False),
    ],
)
def test_derivatives_are_told_from_fractions_of_d(text, verdict):
    cursor = Cursor(tokens(text))
    cursor.take()
    assert cursor.is_at_a_derivative() is verdict


@pytest.mark.parametrize(
    ("text", "digits"),
    [(r"\overline{12}", "12"), (r"\dot{1}\dot{2}", "12"), (r"\dot14285\dot7", "142857"), (r"\dot3", "3")],
)
def test_a_period_has_a_bar_or_dots_at_its_ends(text, digits):
    cursor = Cursor(tokens(text))
    mark = cursor.take().text
    assert cursor.period(mark) == digits
    assert not cursor.next()
