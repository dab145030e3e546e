"""Formulas of the same look share one canonical form; formulas of another look do not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.studies.math_extraction.same_formula import normal_form

SAME = [
    ("x^2_i", "{x}_{i}^{2}"),
    (r"a \le b", r"a\leq{b}"),
    (r"\left( \frac12 \right)", r"( \dfrac{1}{2} )"),
    (r"a \over b", r"\frac{a}{b}"),
    ("f''", r"f^{\prime\prime}"),
    (r"\mathrm{sin} x", r"\sin x"),
    (r"\text{if $m = n$}", r"\text{if } m = n"),
    (r"\begin{align} a &= b \\ c &= d \end{align}", r"\begin{split} a & = b \\ c & = d \\ \end{split}"),
    (r"\left(\begin{array}{cc} a & b \end{array}\right)", r"\begin{pmatrix} a & b \end{pmatrix}"),
    ("π ≤ ∞", r"\pi \leq \infty"),
    ("ℝ^n", r"\mathbb{R}^n"),
    (r"\[ x. \]", "x"),
    (r"e^{x}\,_1F_1", r"e^{x}{}_1F_1"),
    (r"{\bf x} + y", r"\mathbf{x} + y"),
    (r"\begin{array}[t]{c} x \end{array}", r"\begin{matrix} x \end{matrix}"),
]
OTHER = [
    ("x^2", "x_2"),
    ("x^{n+1}", "x^n+1"),
    (r"\frac{a}{b}", r"\frac{b}{a}"),
    ("ab", "a b c"),
    (r"\sqrt{x}", "x"),
    (r"\sqrt[3]{x}", r"\sqrt{x}"),
    (r"\begin{matrix} a & b \end{matrix}", r"\begin{matrix} a \\ b \end{matrix}"),
    ("a < b", "a > b"),
    (r"\hat x", "x"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_look_same_form(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_look_other_form(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


@given(st.text(alphabet="\\{}^_abfrac'&[]lπ≤ \n", max_size=60))
@settings(max_examples=200)
def test_anything_has_a_form(latex: str) -> None:
    assert isinstance(normal_form(latex), str)


def test_deep_and_long_formulas_stay_as_they_are() -> None:
    deep = "{" * 5000 + "x" + "}" * 5000
    assert normal_form(deep) == deep
    assert normal_form("^" * 30_000) == "^" * 30_000
    assert normal_form(r"\sqrt" * 3000).startswith(r"\sqrt")
