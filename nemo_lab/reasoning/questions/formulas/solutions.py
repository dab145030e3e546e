r"""Which real numbers an answer admits: intervals, unions of them, inequalities in one variable.

as_set(read("x<0 or x>=1")) == as_set(read(r"(-\infty,0)\cup[1,\infty)"))       # True
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import sympy
from sympy import Expr, Symbol
from sympy.core.function import AppliedUndef

from nemo_lab.reasoning.questions.formulas.values import SETS, Group, Relation, Scalar, Value, Words

FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
JOINED: dict[str, Callable[..., sympy.Set]] = {
    "cup": sympy.Union,
    "or": sympy.Union,
    "cap": sympy.Intersection,
    "and": sympy.Intersection,
    "setminus": lambda first, *others: sympy.Complement(first, sympy.Union(*others)),
}


def as_set(value: Value) -> sympy.Set | None:
    """Return the set of real numbers that an interval, a union or an inequality in one variable is, or none."""
    try:
        return _as_set(value) if len(labels(value)) < 2 else None
    except (TypeError, ValueError, RuntimeError):  # what sympy raises where it knows no way
        return None


def labels(value: Value) -> set[Value]:
    """Return the labels of all relations in a value: y of y>2; the x of {x | x>2} is none."""
    if isinstance(value, Relation):
        return {side for side in value.sides if is_label(side)}
    if isinstance(value, Group) and value.kind in JOINED:
        return set().union(*map(labels, value.items))
    return set()


def is_label(side: Value) -> bool:
    """Return whether a side only names the value: x, f(2), AB, x+y, (x,y), a:b, a word."""
    if isinstance(side, Words):
        return side.text != "..." and side.text not in SETS
    if isinstance(side, Group):
        return side.kind in ("()", ":") and all(map(is_label, side.items))
    return isinstance(side, Scalar) and side.unit == 1 and _names_something(side.value)


def _names_something(value: Expr) -> bool:
    if isinstance(value, Symbol | AppliedUndef):
        return True
    if value.is_Pow:
        return value.exp == -1 and _names_something(value.base)
    return isinstance(value, sympy.Add | sympy.Mul | sympy.Abs | sympy.sin | sympy.cos | sympy.tan) and all(
        map(_names_something, value.args)
    )


def _as_set(value: Value) -> sympy.Set | None:
    if isinstance(value, Relation):
        return _solutions(value)
    if isinstance(value, Words):
        return {"\\R": sympy.S.Reals, "\\emptyset": sympy.S.EmptySet}.get(value.text)
    if isinstance(value, Scalar):
        return None
    if value.kind in ("()", "[]", "(]", "[)"):
        start, end = map(_constant, value.items)
        if start > end:  # a point, no empty interval
            return None
        return sympy.Interval(start, end, value.kind[0] == "(", value.kind[1] == ")")
    if value.kind in ("{}", "pm"):
        return sympy.FiniteSet(*map(_constant, value.items))
    if value.kind == "builder":
        return _built(*value.items)
    parts = [_as_set(item) for item in value.items]
    return JOINED[value.kind](*parts) if value.kind in JOINED and None not in parts else None


def _built(head: Value, condition: Value) -> sympy.Set | None:
    """Return the numbers of {x | x>2}, or of {x in R | x>2}."""
    if isinstance(condition, Group) and condition.kind == ",":
        condition = Group("and", condition.items)
    name, parts = head, [_as_set(condition)]
    if isinstance(head, Relation):
        name, parts = head.sides[0], [*parts, _as_set(head)]
    return sympy.Intersection(*parts) if None not in parts and labels(condition) == {name} else None


def _constant(value: Value) -> Expr:
    if not isinstance(value, Scalar) or value.value.free_symbols or value.unit != 1:
        raise TypeError("a set of formulas")
    return value.value


def _solutions(relation: Relation) -> sympy.Set | None:
    """Return the solutions of x<5, 1<x<=2, x≠3, x∈[1,2]; none of what has more variables."""
    if len([side for side in relation.sides if is_label(side)]) != 1:
        return None
    if relation.signs == ("\\in",):
        return _as_set(relation.sides[1])
    return sympy.Intersection(*map(_ray, relation.signs, pairwise(relation.sides)))


def _ray(sign: str, sides: tuple[Value, Value]) -> sympy.Set:
    """Return the numbers on one side of another, its label being on either side."""
    sign, side = (sign, sides[1]) if is_label(sides[0]) else (FLIPPED.get(sign, ""), sides[0])
    if sign not in FLIPPED:
        raise ValueError("a relation that is no comparison")
    if sign in ("=", "!="):
        both = side.items if isinstance(side, Group) and side.kind == "pm" else (side,)
        found = sympy.FiniteSet(*map(_constant, both))
        return found if sign == "=" else sympy.Complement(sympy.S.Reals, found)
    end = _constant(side)
    if sign in ("<", "<="):
        return sympy.Interval(-sympy.oo, end, True, sign == "<")
    return sympy.Interval(end, sympy.oo, sign == ">", True)
