"""One side of a formula, read whole or refused."""

import pytest
import sympy

from nemo_lab.reasoning.questions.formulas.expressions import Reader
from nemo_lab.reasoning.questions.formulas.notation import tokens
from nemo_lab.reasoning.questions.formulas.values import Scalar, Unreadable


def value(text: str) -> sympy.Expr:
    found = Reader(tokens(text)).whole()
    assert isinstance(found, Scalar)
    return found.value


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (r"\frac12", "1/2"),
        (r"\frac{x+1}{2}", "(x+1)/2"),
        (r"2\sqrt[3]{x}", "2*x**(1/3)"),
        (r"4\sqrt(x)+100", "4*sqrt(x)+100"),
        ("-x^2", "-(x**2)"),
        ("2^{-1}", "1/2"),
        ("2^-1", "1/2"),
        ("x^2y", "x**2*y"),
        (r"3\frac12", "7/2"),
        (r"3\frac{x}{2}", "3*x/2"),
        (r"x^2\frac12", "x**2/2"),
        (r"5.\overline{3}", "16/3"),
        ("1011_2", "11"),
        ("|x-1|", "Abs(x-1)"),
        ("2|x||y|", "2*Abs(x)*Abs(y)"),
        (r"\sin^2 x", "sin(x)**2"),
        (r"\sin^{-1} x", "asin(x)"),
        (r"\sin 2x\cos y", "sin(2*x)*cos(y)"),
        (r"\log_2 8", "3"),
        (r"\ln|x|", "log(Abs(x))"),
        (r"\binom52", "10"),
        ("5!!", "15"),
        (r"e^{\mathrm{i}\pi}", "-1"),
        (r"\lfloor -1.5\rfloor", "-2"),
        ("1 - -1", "2"),
        ("[x+1](y)", "(x+1)*y"),
        (r"10^{2}\%", "100"),
    ],
)
def test_expressions(text, formula):
    assert value(text) == sympy.sympify(formula)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "5(",
            "5)",
            "5+",
            "+",
            "",
            "5^",
            "5_",
            r"5\frac{1}",
            r"\frac",
            r"\sqrt",
            "(1,2",
            "3 4",
            "x 2",
            "1/2x",
            "2^3^2",
        ),
        *(
            r"2\frac53",
            r"\sin x/2",
            r"\sqrt12",
            r"\frac{dy}{dx}",
            r"\sum_k k",
            r"\int x",
            r"1 \mod 5",
            "1/0",
            r"1/\infty",
        ),
        *(
            "x^{x^{x^{x^x}}}",
            r"\text{so}x",
            "{1,2}+1",
            "(1,2)(3,4)",
            "[1)",
            "{1)",
            "5#",
            "&",
            r"\begin{cases}1\end{cases}",
        ),
        *(r"\begin{matrix}1\end{pmatrix}", "||x|", "0.1(6)", "2&3", "1+...+9", r"5\heartsuit", r"\mathbb{R}+1"),
    ],
)
def test_what_has_no_single_meaning_is_refused(text):
    with pytest.raises(Unreadable):
        Reader(tokens(text)).whole()


def test_the_sign_of_a_plus_minus():
    assert [Reader(tokens(r"1\pm2\mp3"), sign).whole().value for sign in (1, -1)] == [0, 2]


def test_functions_are_no_products():
    assert value("f(x+1)") != value("f(x)+f")
    assert value("x(y+1)") == sympy.sympify("x*(y+1)")
