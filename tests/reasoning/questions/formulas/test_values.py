"""Arithmetic that stays small."""

import pytest
import sympy
from sympy import Integer, Rational, Symbol

from nemo_lab.reasoning.questions.formulas.units import PERCENT, unit
from nemo_lab.reasoning.questions.formulas.values import (
    Group,
    Scalar,
    Unreadable,
    applied,
    binomial,
    bracketed,
    decimal,
    factorial,
    finite,
    in_base,
    number,
    power,
    repeating,
    root,
    scalar,
)

x = Symbol("x")


def test_decimals_are_exact():
    assert decimal("0.10") == Rational(1, 10)
    assert decimal(".5") == decimal("5e-1") == Rational(1, 2)
    assert decimal("5.") == 5
    assert repeating("0.1", "6") == Rational(1, 6)
    assert repeating("0.", "142857") == Rational(1, 7)
    assert in_base("1011", "2") == 11


@pytest.mark.parametrize(
    "call",
    [
        lambda: power(Integer(9), Integer(10) ** 6),
        lambda: power(Integer(10) ** 5000, Integer(5000)),
        lambda: power(2 * x, Integer(10) ** 9),
        lambda: factorial(Integer(10**5)),
        lambda: factorial(Rational(1, 2)),
        lambda: binomial(Integer(10**6), Integer(5 * 10**5)),
        lambda: decimal("1e99999"),
        lambda: decimal("9" * 9999),
        lambda: repeating("0.", "x"),
        lambda: in_base("129", "8"),
        lambda: in_base("1011", "x"),
        lambda: finite(sympy.oo),
        lambda: finite(2 * sympy.oo + x),
        lambda: number(Group(",", ())),
        lambda: scalar(sympy.zoo),
        lambda: scalar(sympy.nan + x),
        lambda: scalar(x + unit("cm")),
        lambda: applied("sin", x, Integer(2)),
        lambda: applied("log", x, Integer(0)),
        lambda: bracketed("(", [], ")"),
        lambda: bracketed("[", [x], ")"),
        lambda: bracketed("\\{", [x], ")"),
        lambda: bracketed("(", [x, x], "}"),
    ],
)
def test_what_is_too_large_or_has_no_meaning_is_refused(call):
    with pytest.raises(Unreadable):
        call()


def test_what_is_of_moderate_size_is_worked_out():
    assert power(Integer(2024), Integer(2024)) == 2024**2024
    assert factorial(Integer(5), double=True) == 15
    assert binomial(Integer(10**6), Integer(2)) == 10**6 * (10**6 - 1) // 2
    assert root(Integer(-8), Integer(3)) == -2
    assert root(Integer(-4), Integer(2)) == 2 * sympy.I
    assert applied("log", Integer(100)) == 2
    assert applied("arcsin", x) == sympy.asin(x)


def test_units_are_apart_from_the_value():
    cm = unit("cm")
    assert scalar(5 * cm**2) == Scalar(Integer(5), cm**2)
    assert scalar(28 * PERCENT) == Scalar(Integer(28), PERCENT)
    assert scalar(x + 10 * PERCENT).value == x + Rational(1, 10)


def test_brackets():
    assert bracketed("(", [x], ")") == x
    assert bracketed("\\{", [x], "\\}").kind == "{}"
    assert bracketed("[", [x, x], ")").kind == "[)"
    assert bracketed("{", [x, x], "}").kind == "{}"
