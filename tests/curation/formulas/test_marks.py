"""Pieces of LaTeX put together: blanks, braces, scripts, limits, accents."""

import pytest
from matplotlib.mathtext import MathTextParser

from nemo_lab.curation.formulas.latex import parses
from nemo_lab.curation.formulas.marks import (
    ACCENTS,
    FENCES,
    STYLES,
    UNDER,
    WIDE,
    enclosed,
    joined,
    letters,
    limits,
    scripts,
    styled,
)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["x", "", "y"], "xy"),
        ([r"\alpha", "b"], r"\alpha b"),
        ([r"\alpha", "2"], r"\alpha 2"),
        ([r"\alpha", "+", "b"], r"\alpha+b"),
        ([r"\alpha", r"\beta"], r"\alpha\beta"),
        ([r"\mathbf{x}", "y"], r"\mathbf{x}y"),
    ],
)
def test_a_control_word_keeps_apart_from_the_letter_behind_it(parts: list[str], text: str) -> None:
    assert joined(parts) == text


def test_characters_are_escaped_and_named() -> None:
    assert letters("{αb} 5%_$") == r"\{\alpha b\} 5\%\_\$"


def test_a_stroke_through_a_relation_stands_before_it() -> None:
    assert letters("a=\u0338b") == r"a\not=b"
    assert letters("∈\u0338") == r"\not\in"


@pytest.mark.parametrize(
    ("notation", "latex"),
    [
        ("top", r"\overline{x}"),
        ("bottom", r"\underline{x}"),
        ("top bottom", r"\underline{\overline{x}}"),
        ("box", r"\boxed{x}"),
        ("roundedbox", r"\boxed{x}"),
        ("left right top bottom", r"\boxed{x}"),
        ("updiagonalstrike", r"\cancel{x}"),
        ("downdiagonalstrike", r"\bcancel{x}"),
        ("updiagonalstrike downdiagonalstrike", r"\xcancel{x}"),
        ("horizontalstrike", r"\enclose{horizontalstrike}{x}"),
        ("circle", r"\enclose{circle}{x}"),
        ("actuarial", r"\overline{x|}"),
        ("longdiv", r"\overline{)x}"),
        ("radical", r"\sqrt{x}"),
        ("phasorangle", r"\angle x"),
        ("left right", r"\left| x\right|"),
        ("left", r"\left| x\right."),
        ("TOP", r"\overline{x}"),
        ("unheard-of", "x"),
        ("", "x"),
    ],
)
def test_what_is_drawn_round_a_formula(notation: str, latex: str) -> None:
    assert enclosed("x", notation) == latex
    assert parses(enclosed(r"\frac{a#}{b}".replace("#", r"\#"), notation))


def test_an_alphabet_is_not_put_on_twice() -> None:
    assert styled("mathbb", "R") == styled("mathbb", r"\mathbb{R}") == r"\mathbb{R}"
    assert styled("mathbf", r"\mathbb{R}") == r"\mathbf{\mathbb{R}}"


@pytest.mark.parametrize(
    ("base", "lower", "upper", "text"),
    [
        ("x", "", "", "x"),
        ("x", "i", "2", "x_{i}^{2}"),
        ("x+y", "", "2", "{x+y}^{2}"),
        ("xy", "i", "", "{xy}_{i}"),
        (r"\alpha", "", "2", r"\alpha^{2}"),
        (r"\mathbf{x}", "", "2", r"\mathbf{x}^{2}"),
        (r"\frac{a}{b}", "", "2", r"\frac{a}{b}^{2}"),
        (r"\mathbf{x}\mathbf{y}", "", "2", r"{\mathbf{x}\mathbf{y}}^{2}"),
        ("x", "i", r"\prime\prime", "x''_{i}"),
    ],
)
def test_a_script_belongs_to_all_of_its_base(base: str, lower: str, upper: str, text: str) -> None:
    assert scripts(base, lower, upper) == text


def test_limits_are_scripts_of_operators_and_stand_over_anything_else() -> None:
    assert limits(r"\sum", "i=1", "n") == r"\sum_{i=1}^{n}"
    assert limits(r"\lim", "n", "") == r"\lim_{n}"
    assert limits(r"\underbrace{x}", "n", "") == r"\underbrace{x}_{n}"
    assert limits("x", "a", "b") == r"\underset{a}{\overset{b}{x}}"
    assert limits("x", "", "b") == r"\overset{b}{x}"


UNKNOWN_TO_MATPLOTLIB = {"overbrace", "underbrace", "underline"}


def test_every_name_in_the_tables_is_one_that_is_known() -> None:
    """Matplotlib reads formulas and refuses a misspelt name; who reads the corpus would too, and nobody here."""
    names = {*ACCENTS.values(), *WIDE.values(), *UNDER.values(), *STYLES.values()}
    assert names >= UNKNOWN_TO_MATPLOTLIB
    parser = MathTextParser("path")
    for name in names - UNKNOWN_TO_MATPLOTLIB:
        parser.parse(rf"$\{name}{{x}}$")
    assert set(FENCES.values()) == {"cases", *(f"{letter}matrix" for letter in "pbvVB")}
    assert WIDE.keys() <= set(ACCENTS.values())
