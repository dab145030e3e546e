"""What answers mean, once read: numbers with their units, groups, relations, words; and arithmetic that stays small.

Nothing is worked out here but by sympy's constructors on numbers, and powers and factorials only to `MOST_BITS`: an
answer may ask for 9^9^9.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Expr, Integer, Rational

from nemo_lab.reasoning.questions.formulas.units import DEGREE, PERCENT, is_of_units

MOST_BITS = 200_000  # of a power or a factorial that is worked out
MOST_DIGITS = 5000  # of a number as written, or of its exponent of ten
SETS = ("\\R", "\\Z", "\\N", "\\Q", "\\C", "\\emptyset")


class Unreadable(Exception):
    """A formula, or a part of one, that has no single meaning here."""


@dataclass(frozen=True)
class Scalar:
    """A number or an expression with its unit; `places` are its decimals, where it is a decimal as written."""

    value: Expr
    unit: Expr = sympy.S.One
    places: int | None = None


@dataclass(frozen=True)
class Group:
    """Several values.

    Kinds: `,` `and` `or` (lists), `{}` (a set), pm (both values of a plus-minus), builder (a name and its condition),
    `()` `[]` `(]` `[)` (a tuple or an interval), matrix, row, `:` (a ratio), cup, cap, setminus.
    """

    kind: str
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Relation:
    """A chain of sides with a sign between each two."""

    signs: tuple[str, ...]
    sides: tuple[Value, ...]


@dataclass(frozen=True)
class Words:
    """A text that is no formula, or the sign of a known set."""

    text: str


Value = Scalar | Group | Relation | Words


# --- what can be computed with


def number(value: Expr | Value) -> Expr:
    """Return a value that can be computed with.

    Raises:
        Unreadable: it is a set, a matrix or the like.
    """
    if not isinstance(value, Expr):
        raise Unreadable("a set where a number should stand")
    return value


def finite(value: Expr | Value) -> Expr:
    """Return a value that can be multiplied with: 1 over infinity is no number.

    Raises:
        Unreadable: it is infinite, or no number.
    """
    if number(value).has(sympy.oo, -sympy.oo):
        raise Unreadable("arithmetic with infinity")
    return number(value)


def decimal(digits: str) -> Rational:
    """Return the exact value of a decimal, with or without an exponent: 1.5e-3.

    Raises:
        Unreadable: it has too many digits.
    """
    mantissa, _, exponent = digits.lower().partition("e")
    if len(digits) > MOST_DIGITS or abs(int(exponent or 0)) > MOST_DIGITS:
        raise Unreadable("a number of too many digits")
    whole, _, places = mantissa.partition(".")
    return Rational(int(f"{whole}{places}" or "0"), 10 ** len(places)) * Integer(10) ** int(exponent or 0)


def repeating(start: str, period: str) -> Expr:
    r"""Return a decimal whose last digits are repeated: 0.1\overline{6}.

    Raises:
        Unreadable: other things than digits are.
    """
    if not period.isdigit():
        raise Unreadable("a repetition of other things than digits")
    written = len(start.partition(".")[2])
    return decimal(start) + Rational(int(period), (10 ** len(period) - 1) * 10**written)


def in_base(digits: str, base: str) -> Expr:
    """Return a number written in another base: 1011_2.

    Raises:
        Unreadable: the base is none, or a digit is above it.
    """
    if not (digits.isdigit() and base.isdigit() and len(base) < 3 and int(max(digits)) < int(base) <= 36):
        raise Unreadable("a number with an index that is no base of its digits")
    return Integer(int(digits, int(base)))


def power(base: Expr, exponent: Expr) -> Expr:
    """Return base^exponent, worked out only where the result is of moderate size.

    Raises:
        Unreadable: the result is too large.
    """
    if base.is_number and exponent.is_number and abs(exponent.evalf(5)) > MOST_BITS:
        raise Unreadable("a large exponent")
    if exponent.is_Rational:
        largest = max((abs(part.p * part.q).bit_length() for part in base.atoms(Rational)), default=1)
        if abs(exponent) * largest > MOST_BITS or exponent.q > 1000:
            raise Unreadable("a large power")
    return sympy.Pow(base, exponent)


def root(value: Expr, degree: Expr) -> Expr:
    """Return the root of a value: the real one of a negative number, where the degree is odd.

    Raises:
        Unreadable: the result is too large.
    """
    if value.is_negative and degree.is_odd:
        return -power(-value, 1 / degree)
    return power(value, 1 / degree)


def factorial(value: Expr, *, double: bool = False) -> Expr:
    """Return n! or n!!.

    Raises:
        Unreadable: the result is too large, or n is a fraction.
    """
    if value.is_number and not (value.is_Integer and abs(value) <= MOST_DIGITS):
        raise Unreadable("a factorial of a large number, or of a fraction")
    return sympy.factorial2(value) if double else sympy.factorial(value)


def binomial(top: Expr, bottom: Expr) -> Expr:
    """Return the number of ways to choose.

    Raises:
        Unreadable: it is too large.
    """
    whole = top.is_Integer and bottom.is_Integer
    if whole and min(abs(bottom), abs(top - bottom)) * int(top).bit_length() > MOST_BITS:
        raise Unreadable("a large binomial coefficient")
    return sympy.binomial(top, bottom)


def applied(name: str, value: Expr, base: Expr | None = None) -> Expr:
    """Return a function of a value, by its name in TeX; log without a base is that of ten.

    Raises:
        Unreadable: a base of another function, or one that is none.
    """
    if base is not None and base in (0, 1):
        raise Unreadable("a logarithm of base 0 or 1")
    if name in ("log", "lg", "ln"):
        return sympy.log(value, base or (sympy.E if name == "ln" else 10))
    if base is not None:
        raise Unreadable(f"a base of {name}")
    return getattr(sympy, "a" + name.removeprefix("arc") if name.startswith("arc") else name)(value)


# --- groups


def bracketed(opening: str, items: list[Expr | Value], closing: str) -> Expr | Value:
    """Return a bracket: one value in it is that value, more are a tuple, an interval or a set.

    Raises:
        Unreadable: it holds nothing, or ends as another begins.
    """
    braces = {"{": "}", "\\{": "\\}"}
    if (opening in braces or closing in braces.values()) and braces.get(opening) != closing:
        raise Unreadable(f"{opening} closed by {closing}")
    if opening == "\\{" or (opening == "{" and len(items) > 1):
        return Group("{}", tuple(map(as_value, items)))
    if len(items) == 1 and opening + closing in ("()", "[]", "{}"):
        return items[0]
    if len(items) < 2:
        raise Unreadable("an empty bracket, or one open and closed round one value")
    return Group(opening + closing, tuple(map(as_value, items)))


# --- units


def scalar(value: Expr, places: int | None = None) -> Scalar:
    """Return an expression apart from its unit; percent and degree within it are numbers.

    Raises:
        Unreadable: it is no number, as 1/0 is none, or a unit is not a factor of the whole.
    """
    if value.has(sympy.nan, sympy.zoo):
        raise Unreadable("no number")
    units = [symbol for symbol in value.free_symbols if is_of_units(symbol)]
    if not units:
        return Scalar(value, places=places)
    rest, unit = value.as_independent(*units, as_Add=False)
    if unit.free_symbols <= set(units) and not unit.has(sympy.Function, sympy.Add):
        return Scalar(rest, unit, places)
    value = value.subs({PERCENT: Rational(1, 100), DEGREE: sympy.pi / 180})
    if any(map(is_of_units, value.free_symbols)):
        raise Unreadable("a unit within a formula")
    return Scalar(value, places=places)


def as_value(value: Expr | Value) -> Value:
    """Return an expression as the member of a group."""
    return scalar(value) if isinstance(value, Expr) else value
