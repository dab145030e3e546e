"""AsciiMath becomes LaTeX by the grammar of its authors; words between its signs are none."""

import time

import pytest

from nemo_lab.curation.formulas.asciimath import asciimath_to_latex, looks_like_asciimath
from nemo_lab.curation.formulas.latex import parses
from nemo_lab.curation.formulas.tree import UnreadableError

# The first are the examples of asciimath.org; expected is what its own page prints.
FORMULAS = {
    "sum_(i=1)^n i^3=((n(n+1))/2)^2": r"\sum_{i=1}^{n}i^{3}=(\frac{n(n+1)}{2})^{2}",
    "x=(-b +- sqrt(b^2 - 4ac))/(2a)": r"x=\frac{-b\pm\sqrt{b^{2}-4ac}}{2a}",
    "sqrt sqrt root3x": r"\sqrt{\sqrt{\sqrt[3]{x}}}",
    "[[a,b],[c,d]]((n),(k))": r"\begin{bmatrix}a & b \\ c & d\end{bmatrix}\begin{pmatrix}n \\ k\end{pmatrix}",
    "y={(1,if x!=0),(0,if x=0):}": r"y=\begin{cases}1 & \text{ if }x\neq 0 \\ 0 & \text{ if }x=0\end{cases}",
    "a//b": "a/b",
    "(a,b]={x in RR | a < x <= b}": r"(a,b]=\{x\in\mathbb{R}|a<x\leq b\}",
    "x^2+y_1+z_12^34": "x^{2}+y_{1}+z_{12}^{34}",
    "hat(ab) bar(xy) ulA vec v": r"\hat{ab}\overline{xy}\underline{A}\vec{v}",
    "dy/dx": r"\frac{dy}{dx}",
    "lim_(x->oo) 1/x = 0": r"\lim_{x\rightarrow\infty}\frac{1}{x}=0",
    "e^(i pi)+1=0": r"e^{i\pi}+1=0",
    "rcostheta": r"r\cos\theta",
    "abs(x) norm(v) floor(y)": r"|x|\|v\|\lfloor y\rfloor",
    'x "if" y': r"x\text{if}y",
    'stackrel"def"=': r"\overset{\text{def}}{=}",
    "color(red)(x^2)": "(x^{2})",
    "bbR": r"\mathbf{R}",
    "2x>=3": r"2x\geq 3",
    "(d^2y)/(dx^2)": r"\frac{d^{2}y}{dx^{2}}",
    "{(1,2),(3,4)}": r"\{(1,2),(3,4)\}",
    "x'": "x'",
    ")(": ")(",
    "": "",
}


@pytest.mark.parametrize("source", FORMULAS)
def test_formulas(source: str) -> None:
    latex = asciimath_to_latex(source)
    assert latex == FORMULAS[source]
    assert not latex or parses(latex)


def test_letters_of_fonts_are_a_product_where_a_page_has_no_fonts() -> None:
    assert asciimath_to_latex("int_a^bb(x)") == r"\int_{a}^{\mathbf{x}}"
    assert asciimath_to_latex("int_a^bb(x)", fonts=False) == r"\int_{a}^{b}b(x)"


def test_brackets_that_nest_too_deep_are_refused_and_long_formulas_are_read_in_time() -> None:
    with pytest.raises(UnreadableError):
        asciimath_to_latex("(" * 1000)
    start = time.process_time()
    asciimath_to_latex("x^2/3+(a,b)" * 10_000)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("text", ["x", "x^2", "sum_(i=1)^n i", "f(x) = sin(x)", "3", "alpha + beta", '"speed" = v'])
def test_formulas_look_like_formulas(text: str) -> None:
    assert looks_like_asciimath(text)


@pytest.mark.parametrize(
    "text", ["npm install", "foo()", "git commit", "", " ", "the code", "a\n\nb", "x" * 500, "..."]
)
def test_commands_and_words_do_not(text: str) -> None:
    assert not looks_like_asciimath(text)
