"""Tokens: every character is in one, layout aside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning.questions.formulas.notation import same_text, tokens


def texts(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"\dfrac{1}{2}", r"\frac { 1 } { 2 }"),
        ("x**2", "x ^ 2"),
        (r"5\left(", "5 ("),
        (r"2\,\mathrm{cm}^2", "2 cm ^ 2"),
        (r"2\mathrm{i}", "2 i"),
        (r"90^{\circ}", "90 °"),
        (r"f^{\prime}", "f '"),
        ("1,234,567.5", "1234567.5"),
        (r"1{,}234", "1234"),
        (r"11,\! 111", "11111"),
        ("1 234", "1234"),
        ("(1,234)", "( 1 , 234 )"),
        ("12,34", "12 , 34"),
        ("1 1/2", r"( 1 \frac { 1 } { 2 } )"),
        ("1e-3", "1e-3"),
        ("2e^3", "2 e ^ 3"),
        ("x>=5", "x >= 5"),
        (r"\leqslant", "<="),
        (r"\begin{matrix}1\\2\end{matrix}", r"\begin { matrix } 1 \\ 2 \end { matrix }"),
        (r"\text{ and }", "and"),
        (r"\text{square units}", "square units"),
        (r"\text{(C)}", "( C )"),
        (r"\mathbb{R}", r"\R"),
        ("28 percent", "28 %"),
        ("sqrt(x)", r"\sqrt ( x )"),
        (r"\unknown?", r"\unknown ?"),
        (r"{1+x \over 3}", r"\frac { 1 + x } { 3 }"),
        ("(101)_2", "101 _ 2"),
        ("x&=72", "x = 72"),
    ],
)
def test_tokens(text, found):
    assert " ".join(texts(text)) == found


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=30))
def test_no_letter_or_digit_is_lost(text):
    """But for those of layout: names of commands, and of tags."""
    if not set(text) & set("\\<>"):
        found = "".join(texts(text)).replace("\\", "")
        assert {letter for letter in text.lower() if letter.isalnum()} <= {*found.lower(), *"percntagdofi"}


@pytest.mark.parametrize(
    ("gold", "given_", "verdict"),
    [
        (r"e^{x^2}", r"e^{x^{2}}", True),
        (r"\sum_{k=0}^{n} k", r"\displaystyle \sum_{k=0}^n k", True),
        ("2^{2024}", "$2^{2024}$", True),
        ("F_k F", "F_kF", True),
        ("x", "X", False),
        ("x²", "x2", False),
        ("", "", False),
        ("$$", "**", False),
        ("12", "1 2", False),
        ("60,180", "60, 180", True),
        ("60180", "60, 180", False),
        ("x^{10}", "x^10", True),
        ("x^{a}b", "x^{ab}", False),
        ("x_{a}b", "x_{ab}", False),
        (r"\frac{a}{b}c", r"\frac{a}{bc}", False),
        (r"\frac{a}{b}c", r"\frac ab c", True),
        (r"\sqrt{a}b", r"\sqrt{ab}", False),
        (r"\frac12 3", r"\frac{12}{3}", False),
        ("Mgsin(x)", "mgsin(x)", False),
        ("Increasing", "increasing", True),
        (r"n\equiv1\pmod{5}", r"n \equiv 1 (\bmod 5)", True),
        (r"n\equiv1\pmod{5}", r"n\equiv1\pmod{6}", False),
    ],
)
def test_same_text(gold, given_, verdict):
    assert same_text(gold, given_) is verdict
