"""The light normal form prints the same, and the check tells complete formulas from broken ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.formulas.latex import parses, strip_delimiters, tidy, tokens

formulas = st.text(alphabet="\\{}^_$ab1+%&\n ", max_size=40)


@given(formulas)
def test_tokens_lose_nothing_and_tidying_twice_is_tidying_once(latex: str) -> None:
    assert "".join(tokens(latex)) == latex
    assert tidy(tidy(latex)) == tidy(latex)


@pytest.mark.parametrize(
    ("latex", "tidied"),
    [
        ("x  =\n y % a remark\n+ 1", "x = y + 1"),
        (r"a = b \label{eq:1}", "a = b"),
        (r"50\% of", r"50\% of"),
        (r"x\ ", "x\\ "),
    ],
)
def test_tidying_removes_what_prints_nothing(latex: str, tidied: str) -> None:
    assert tidy(latex) == tidied


@pytest.mark.parametrize(
    ("latex", "inside", "display"),
    [
        ("$x$", "x", False),
        ("$$x$$", "x", True),
        (r"\(x\)", "x", False),
        (r"\[ x \]", "x", True),
        ("x", "x", None),
        ("$", "$", None),
    ],
)
def test_delimiters_tell_the_layout(latex: str, inside: str, display: bool | None) -> None:
    assert strip_delimiters(latex) == (inside, display)


@pytest.mark.parametrize(
    "latex",
    [
        "x",
        r"\frac{a}{b}",
        r"\left( x \right.",
        r"\begin{matrix} a & b \\ c & d \end{matrix}",
        r"\sqrt[3]{x}",
        "x_1^2",
        r"\{x\}",
    ],
)
def test_complete_formulas_parse(latex: str) -> None:
    assert parses(latex)


@pytest.mark.parametrize(
    "latex",
    [
        "",
        " ",
        "{x",
        "x}",
        "x^",
        r"\frac",
        r"{\frac}",
        r"\left( x",
        r"x \right)",
        r"\begin{matrix} x",
        r"\end{matrix}",
        "a $ b",
        "x^_2",
        r"\begin{a}\end{b}",
    ],
)
def test_broken_formulas_do_not(latex: str) -> None:
    assert not parses(latex)
