r"""Whether two expressions have the same value, at points where they have variables.

    same_formulas(sympy.sympify("(x+1)**2"), sympy.sympify("x**2+2*x+1"))       # True

Numbers are compared to `DIGITS` digits relative to their size, so that 1/2^{99} is not 1/2^{98}. Values at points
need no rule of rearrangement, and two different formulas of moderate size do not agree at all of them. Points are of
several sizes, one beyond the constants where a formula may bend there, as |x-100| does, and of all signs: |xy| is xy
where both are negative. At points with a negative, where a root may leave the real numbers on both sides, only real
values count: |x| is not x, but \sqrt{1/n} is 1/\sqrt{n}.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Float, I, Integer, Rational, Symbol
from sympy.core.function import AppliedUndef

DIGITS = 50
SIZES = (1, 1, 5, 40)  # of the positive points; there are as many negative ones
MIXED = 4  # variables that get a sign of their own
FAR = 10**6  # no constant beyond which a point is set
Point = dict[Symbol, Expr]


def same_formulas(gold: Expr, given: Expr) -> bool:
    """Return whether two expressions have the same value, at every point where they have variables."""
    if gold == given:
        return True
    if (gold.is_Rational and given.is_Rational) or gold.is_infinite or given.is_infinite:
        return False
    gold, given = _without_functions(gold, given)
    if not gold.free_symbols | given.free_symbols:
        return _same_at(gold, given, {}, real=False) is True
    if gold.has(sympy.floor, sympy.ceiling) or given.has(sympy.floor, sympy.ceiling):  # steps between any two points
        return bool(sympy.expand(gold - given) == 0)
    are_complex = gold.has(I) or given.has(I)
    agreed = 0
    for point in points(gold, given):
        negative = any(value < 0 for value in point.values())
        verdict = _same_at(gold, given, point, real=negative and not are_complex)
        if verdict is False:
            return False
        agreed += verdict is True
    return agreed >= len(SIZES) - 1


def ratio(gold: Expr, given: Expr) -> Expr | None:
    """Return the number that one expression with variables is of the other at every point, or none."""
    if not gold.free_symbols or gold.free_symbols != given.free_symbols:
        return None
    point = next(points(gold, given))
    top, bottom = (value_at(formula, point) for formula in _without_functions(gold, given))
    if top is None or bottom is None or not (top.is_real and bottom.is_real and top != 0 and bottom != 0):
        return None
    factor = sympy.nsimplify(top / bottom, rational=True, tolerance=Rational(1, 10**20))
    return factor if same_formulas(gold, factor * given) else None


def points(*formulas: Expr) -> Iterator[Point]:
    """Yield points with other values for each variable: positive ones of several sizes, their negatives, mixed ones."""
    names = sorted(set().union(*(formula.free_symbols for formula in _without_functions(*formulas))), key=str)
    sizes = [*SIZES, *_beyond_bends(*formulas)]
    values = [Rational(1, 2) + Rational(7919 * n % 9973, 9973) for n in range(1, 1 + len(names) * len(sizes))]
    positive = [dict(zip(names, values[k :: len(sizes)], strict=True)) for k in range(len(sizes))]
    for sign in (1, -1):
        for size, point in zip(sizes, positive, strict=True):
            yield {name: sign * size * value for name, value in point.items()}
    for k, name in enumerate(names[:MIXED] if len(names) > 1 else ()):
        for sign in (1, -1):  # one variable of another sign and size than the others, which are in the other order
            mixed = zip(names, reversed(positive[k % len(positive)].values()), strict=True)
            scale = sign * Rational(101 + 10 * k + sign, 97)
            yield {one: (-7 if one == name else 1) * scale * value for one, value in mixed}


def value_at(formula: Expr, point: Point) -> Expr | None:
    """Return the value to DIGITS digits, 0 where nothing but rounding is left, None where there is none."""
    try:
        value = formula.evalf(DIGITS + 5, subs=point)
    except (OverflowError, ValueError, ZeroDivisionError):
        return None
    if not value.is_number or value.has(sympy.nan, sympy.zoo, sympy.oo):
        return None
    parts = [Integer(0) if isinstance(part, Float) and part._prec == 1 else part for part in value.as_real_imag()]
    return parts[0] + I * parts[1] if all(isinstance(part, Float | Rational) for part in parts) else None


def near(value: Expr | None, other: Expr | None, tolerance: float) -> bool:
    """Return whether two numbers are apart by no more than a part of the larger."""
    if value is None or other is None:
        return False
    sizes = [abs(number).evalf(DIGITS) for number in (value - other, value, other)]
    return bool(sizes[0] <= tolerance * max(sizes[1:]))


def _beyond_bends(*formulas: Expr) -> list[int]:
    """Return the size of a point beyond all constants, if a formula may be another one there."""
    if not any(formula.has(sympy.Abs) or _has_roots(formula) for formula in formulas):
        return []
    constants = [abs(number) for formula in formulas for number in formula.atoms(Rational) if abs(number) < FAR]
    return [4 * int(max(constants, default=1)) + 4]


def _has_roots(formula: Expr) -> bool:
    return any(power.exp.is_Rational and not power.exp.is_Integer for power in formula.atoms(sympy.Pow))


def _without_functions(*formulas: Expr) -> list[Expr]:
    """Return formulas with each f(x) as a variable of its own."""
    applied = set().union(*(formula.atoms(AppliedUndef) for formula in formulas))
    outer = {one: Symbol(f"value of {one}") for one in applied}
    return [formula.xreplace(outer) for formula in formulas]


def _same_at(gold: Expr, given: Expr, point: Point, *, real: bool) -> bool | None:
    """Return whether the values at a point agree; None where there are none, or no real ones and these are asked."""
    values = value_at(gold, point), value_at(given, point)
    if values[0] is None and values[1] is None:
        return None
    if real and not any(value is not None and value.is_real for value in values):
        return None
    return near(*values, 10.0 ** (3 - DIGITS))
