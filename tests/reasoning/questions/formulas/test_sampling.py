"""Expressions compared at points."""

import pytest
import sympy
from sympy import E, I, Integer, Rational, exp, log, pi, sin, sqrt
from sympy.abc import n, x, y

from nemo_lab.reasoning.questions.formulas.sampling import DIGITS, near, points, ratio, same_formulas, value_at


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        ((x + 1) ** 2, x**2 + 2 * x + 1),
        (sin(x) ** 2 + sympy.cos(x) ** 2, Integer(1)),
        (sqrt(1 / n), 1 / sqrt(n)),
        (sqrt(x**2), abs(x)),
        (sqrt(2) + sqrt(3), sqrt(5 + 2 * sqrt(6))),
        (exp(I * x), sympy.cos(x) + I * sin(x)),
        (sympy.factorial(n), n * sympy.factorial(n - 1)),
        (sqrt(2) + sqrt(3) - sqrt(5 + 2 * sqrt(6)), Integer(0)),
        (sympy.Function("f")(x) * 2, sympy.Function("f")(x) + sympy.Function("f")(x)),
    ],
)
def test_the_same(gold, given):
    assert same_formulas(gold, given)
    assert same_formulas(given, gold)


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        (abs(x), x),
        (abs(x - 100), 100 - x),
        (sqrt((x - 50) ** 2), 50 - x),
        (log(x**2), 2 * log(x)),
        (x, y),
        (x + y, y - x),
        (Rational(1, 2**99), Rational(1, 2**98)),
        (exp(-100), exp(-101)),
        (exp(-1000), Integer(0)),
        (sqrt(10**40 + 1), Integer(10**20)),
        (1 - 1 / E, 1 + 1 / E),
        (2 * I, Integer(2)),
        (sympy.floor(x), sympy.floor(x + Rational(1, 10**4))),
        (sympy.oo, -sympy.oo),
        (sympy.Function("f")(x), sympy.Function("g")(x)),
        (pi, Rational(22, 7)),
        (abs(x * y), x * y),
        (abs(x + y), abs(x) + abs(y)),
        (abs(x - y), abs(x) - abs(y)),
        (abs(x) / x, abs(y) / y),
        (sqrt(x**2 * y), x * sqrt(y)),
    ],
)
def test_different(gold, given):
    assert not same_formulas(gold, given)
    assert not same_formulas(given, gold)


def test_points_differ_by_variable_and_size():
    found = list(points(x + y))
    assert len({value for point in found for value in point.values()}) == 2 * len(found)
    assert {(point[x] > 0, point[y] > 0) for point in found} == {(a, b) for a in (True, False) for b in (True, False)}
    assert {abs(point[x]) > abs(point[y]) for point in found} == {True, False}
    assert max(abs(point[x]) for point in found) > 20
    assert max(abs(point[x]) for point in points(abs(x - 1000))) > 2000


def test_values():
    assert value_at(x / 3, {x: Integer(1)}).round(20) == Rational(1, 3).evalf(DIGITS).round(20)
    assert value_at(1 / x, {x: Integer(0)}) is None
    assert not near(Integer(1), None, 1.0)
    assert near(Integer(100), Integer(101), 0.01)
    assert not near(Integer(100), Integer(102), 0.01)


def test_ratio():
    assert ratio(2 * x + 4 * y - 3, x + 2 * y - Rational(3, 2)) == 2
    assert ratio(x - 1, 1 - x) == -1
    assert ratio(x, x**2) is None
    assert ratio(x, y) is None
    assert ratio(Integer(4), Integer(2)) is None
