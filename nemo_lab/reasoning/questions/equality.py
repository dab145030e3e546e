r"""Whether two answers that were read mean the same.

    same_value(read("x=5"), read("5"))                  # a value is the right side of its equation
    same_value(read("1/3"), read("0.3333333"))          # a decimal of six digits or more may be rounded

Numbers are compared exactly, or by their value to `DIGITS` digits relative to their size, so that 1/2^{99} is not
1/2^{98}. Formulas are equal if they are at `POINTS` points: such a test never calls equal formulas different for want
of a rule, and errs on polynomials of low degree with a chance of nothing. At negative points, where a root may leave
the real numbers on both sides, only real values count; so |x| is not x.

The gold answer comes first where it matters: the gold x=5 or 1<x<2 may be given as 5 or as (1,2), which are of the
asked kind; (1,2) as gold may be a point.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import sympy
from sympy import Expr, Float, I, Integer, Symbol
from sympy.core.function import AppliedUndef

from nemo_lab.reasoning.questions.formulas import SETS, Group, Relation, Scalar, Value, Words
from nemo_lab.reasoning.questions.units import DEGREE, PERCENT

DIGITS = 50
POINTS = 4  # positive, and as many negative
ROUNDED = 1e-6  # relative, of a decimal against an exact value
ABOUT = 0.01  # relative, of a side after a sign of approximation
FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
LISTS = (",", "and", "or")
_SCALED = {PERCENT: sympy.Rational(1, 100), DEGREE: sympy.pi / 180}


def same_value(gold: Value, given: Value) -> bool:
    """Return whether `given` means what `gold` means."""
    gold, given = _plain(gold), _plain(given)
    if isinstance(gold, Relation) and isinstance(given, Relation):
        return _same_relations(gold, given)
    if isinstance(gold, Relation) or isinstance(given, Relation):
        return _same_as_relation(gold, given)
    if isinstance(gold, Group) and isinstance(given, Group):
        return _same_groups(gold, given)
    if isinstance(gold, Words) and isinstance(given, Words):
        return _same_words(gold.text, given.text)
    if isinstance(gold, Words | Group) and isinstance(given, Words | Group):
        return _same_as_sets(gold, given)
    return isinstance(gold, Scalar) and isinstance(given, Scalar) and _same_scalars(gold, given)


def _plain(value: Value) -> Value:
    """Return a value without what adds nothing: braces round one value, sides of a true equation, a common label."""
    if isinstance(value, Group):
        value = _labelled_once(value)
    if isinstance(value, Group) and value.kind == "{}" and len(value.items) == 1:
        return _plain(value.items[0])
    return _shortened(value) if isinstance(value, Relation) else value


# --- relations


def _shortened(relation: Relation) -> Value:
    """Return a chain without repeated sides: x=2+3=5 is x=5, and 2+3=5 is 5; an approximation is what it is of."""
    signs, sides = list(relation.signs), list(relation.sides)
    while "\\approx" in signs:
        place = signs.index("\\approx")
        if not _is_label(sides[place]) and not _about(sides[place], sides[place + 1]):
            return relation
        if _is_label(sides[place]):
            signs[place] = "="
        else:
            del signs[place], sides[place + 1]
    for place in reversed(range(len(signs))):
        if signs[place] == "=" and not _is_label(sides[place]) and same_value(sides[place], sides[place + 1]):
            del signs[place], sides[place + 1]
    return Relation(tuple(signs), tuple(sides)) if signs else _plain(sides[0])


def _about(side: Value, other: Value) -> bool:
    if (
        not isinstance(side, Scalar)
        or not isinstance(other, Scalar)
        or side.value.free_symbols | other.value.free_symbols
    ):
        return False
    return _near(_value_at(side.value, {}), _value_at(other.value, {}), ABOUT)


def _is_label(side: Value) -> bool:
    """Return whether a side only names the value: x, f(2), AB, x+y, a word."""
    if isinstance(side, Words):
        return side.text != "..." and side.text not in SETS
    if isinstance(side, Group):
        return side.kind == "()" and all(map(_is_label, side.items))
    return isinstance(side, Scalar) and side.unit == 1 and _names_something(side.value)


def _names_something(value: Expr) -> bool:
    if isinstance(value, Symbol | AppliedUndef):
        return True
    if value.is_Pow:
        return value.exp == -1 and _names_something(value.base)
    return bool(value.is_Add or value.is_Mul or isinstance(value, sympy.Abs)) and all(map(_names_something, value.args))


def _labelled(value: Value) -> tuple[Value, Value] | None:
    """Return label and value of `x=5` or `x∈{1,2}`."""
    if isinstance(value, Relation) and value.signs in (("=",), ("\\in",)):
        if _is_label(value.sides[0]):
            return value.sides[0], value.sides[1]
        if value.signs == ("=",) and _is_label(value.sides[1]):
            return value.sides[1], value.sides[0]
    return None


def _labelled_once(group: Group) -> Value:
    """Return x=1,x=2 and x=1,2 as x={1,2}; other lists as they are."""
    if group.kind not in LISTS:
        return group
    parts = [_labelled(_plain(item)) for item in group.items]
    first = parts[0]
    if first is None or not all(
        (part is None and not isinstance(item, Relation)) or (part and same_value(part[0], first[0]))
        for part, item in zip(parts, group.items, strict=True)
    ):
        return group
    values = tuple(part[1] if part else item for part, item in zip(parts, group.items, strict=True))
    return Relation(("=",), (first[0], Group(",", values)))


def _same_relations(gold: Relation, given: Relation) -> bool:
    labels = _labelled(gold), _labelled(given)
    if labels[0] and labels[1] and same_value(labels[0][0], labels[1][0]):
        return same_value(labels[0][1], labels[1][1])
    if "\\in" in gold.signs or "\\in" in given.signs:
        return _same_as_sets(gold, given)
    if len(gold.signs) != len(given.signs):
        return False
    turned = Relation(tuple(FLIPPED.get(sign, sign) for sign in reversed(given.signs)), given.sides[::-1])
    return _same_chains(gold, given) or _same_chains(gold, turned)


def _same_chains(gold: Relation, given: Relation) -> bool:
    """Return whether the sides of each sign are apart by the same, up to a factor; a negative one flips the sign."""
    steps = zip(gold.signs, pairwise(gold.sides), given.signs, pairwise(given.sides), strict=True)
    return all(_same_steps(*step) for step in steps)


def _same_steps(sign: str, sides: Sequence[Value], other_sign: str, others: Sequence[Value]) -> bool:
    if not all(isinstance(side, Scalar) for side in (*sides, *others)):
        return sign == other_sign and all(map(same_value, sides, others))
    if sign == other_sign and all(map(same_value, sides, others)):
        return True
    ratio = _ratio(_apart(sides), _apart(others))
    if ratio is None or sign not in FLIPPED:
        return False
    return sign == (other_sign if ratio > 0 or sign in ("=", "!=") else FLIPPED[other_sign])


def _apart(sides: Sequence[Value]) -> Expr:
    return sides[0].value - sides[1].value  # type: ignore[union-attr]


def _ratio(gold: Expr, given: Expr) -> Expr | None:
    """Return the number that one formula is of the other, or none."""
    symbols = gold.free_symbols
    if not symbols or symbols != given.free_symbols:
        return None
    point = _points(symbols)[0]
    values = _value_at(gold, point), _value_at(given, point)
    if None in values or not all(value.is_real and value != 0 for value in values):
        return None
    ratio = values[0] / values[1]
    return ratio if _same_formulas(gold, ratio * given) else None


def _same_as_relation(gold: Value, given: Value) -> bool:
    """Return whether a relation and a value say the same: an equation's value, an inequality's interval."""
    for label in filter(None, (_labelled(gold), _labelled(given))):
        other = given if isinstance(gold, Relation) else gold
        return same_value(label[1], other) if isinstance(gold, Relation) else same_value(other, label[1])
    return _same_as_sets(gold, given)


def _same_as_sets(gold: Value, given: Value) -> bool:
    """Return whether both are the same set of real numbers, at least one of them beyond doubt."""
    if isinstance(gold, Group) and gold.kind in ("()", "[]") and not _is_infinite(gold):
        return False  # it may be a point or a list
    sets = as_set(gold), as_set(given)
    return None not in sets and sets[0] == sets[1]


def _is_infinite(group: Group) -> bool:
    return any(isinstance(item, Scalar) and item.value.is_infinite for item in group.items)


# --- sets


def as_set(value: Value) -> sympy.Set | None:
    """Return the set of real numbers that an interval, a union or an inequality in one variable is, or none."""
    try:
        return _as_set(value)
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        return None


def _as_set(value: Value) -> sympy.Set | None:
    if isinstance(value, Relation):
        return _solutions(value)
    if isinstance(value, Words):
        return {"\\R": sympy.S.Reals, "\\emptyset": sympy.S.EmptySet}.get(value.text)
    if not isinstance(value, Group):
        return None
    if value.kind in ("()", "[]", "(]", "[)"):
        start, end = (_constant(item) for item in value.items)
        return sympy.Interval(start, end, value.kind[0] == "(", value.kind[1] == ")")
    if value.kind == "{}":
        return sympy.FiniteSet(*map(_constant, value.items))
    joined = {"cup": sympy.Union, "or": sympy.Union, "cap": sympy.Intersection, "and": sympy.Intersection}
    joined["setminus"] = lambda *sets: sympy.Complement(sets[0], sympy.Union(*sets[1:]))
    parts = [_as_set(item) for item in value.items]
    return joined[value.kind](*parts) if value.kind in joined and None not in parts else None


def _constant(value: Value) -> Expr:
    if not isinstance(value, Scalar) or value.value.free_symbols or value.unit != 1:
        raise TypeError("a set of formulas")
    return value.value


def _solutions(relation: Relation) -> sympy.Set | None:
    """Return the solutions of x<5, 1<x<=2, x≠3, x∈[1,2]."""
    if relation.signs == ("\\in",):
        return _as_set(relation.sides[1]) if _is_label(relation.sides[0]) else None
    parts = []
    for sign, (left, right) in zip(relation.signs, pairwise(relation.sides), strict=True):
        if _is_label(right):
            sign, left, right = FLIPPED[sign], right, left
        if not _is_label(left):
            return None
        parts.append(_ray(sign, _constant(right)))
    labels = [side for side in relation.sides if _is_label(side)]
    return sympy.Intersection(*parts) if len(labels) == 1 else None


def _ray(sign: str, end: Expr) -> sympy.Set:
    if sign in ("=", "!="):
        return sympy.FiniteSet(end) if sign == "=" else sympy.Complement(sympy.S.Reals, sympy.FiniteSet(end))
    if sign in ("<", "<="):
        return sympy.Interval(-sympy.oo, end, True, sign == "<")
    return sympy.Interval(end, sympy.oo, sign == ">", True)


# --- groups


def _same_groups(gold: Group, given: Group) -> bool:
    if gold.kind in LISTS or gold.kind == "{}":
        if given.kind not in (*LISTS, "{}"):
            return _same_as_sets(gold, given)
        if _has_inequalities(gold) and gold.kind != given.kind:
            return False
        return _in_any_order(gold, given)
    if given.kind == "," and gold.kind == "()" and len(gold.items) > 1:  # a tuple without its brackets
        return _in_order(gold, given)
    if gold.kind != given.kind:
        return _same_as_sets(gold, given)
    if gold.kind in ("cup", "cap"):
        return _in_any_order(gold, given) or _same_as_sets(gold, given)
    return _in_order(gold, given)


def _has_inequalities(group: Group) -> bool:
    return any(isinstance(item, Relation) and item.signs != ("=",) for item in group.items)


def _in_order(gold: Group, given: Group) -> bool:
    return len(gold.items) == len(given.items) and all(map(_same_items, gold.items, given.items))


def _same_items(gold: Value, given: Value) -> bool:
    """Return whether two members mean the same; next to y=2 the label of x=1 matters."""
    return isinstance(gold, Relation) == isinstance(given, Relation) and same_value(gold, given)


def _in_any_order(gold: Group, given: Group) -> bool:
    """Return whether each item has a partner of its own; a list that goes on (1, 2, ..., n) is in order."""
    if Words("...") in gold.items:
        return _in_order(gold, given)
    golds, left = _once(gold), _once(given)
    for item in golds:
        partner = next((other for other in left if _same_items(item, other)), None)
        if partner is None:
            return False
        left.remove(partner)
    return not left


def _once(group: Group) -> list[Value]:
    """Return the items, those of a set without repetitions."""
    if group.kind != "{}":
        return [part for item in group.items for part in (item.items if _is_pair(item) else [item])]
    kept: list[Value] = []
    for item in group.items:
        for part in item.items if _is_pair(item) else [item]:
            if not any(same_value(other, part) for other in kept):
                kept.append(part)
    return kept


def _is_pair(item: Value) -> bool:
    """Return whether an item is what a plus-minus stands for: two values in the list."""
    return isinstance(item, Group) and item.kind == "{}" and len(item.items) == 2


def _same_words(gold: str, given: str) -> bool:
    """Return whether two texts are the same; words may begin with a capital, names of letters may not differ."""
    if gold == given or gold.lower() != given.lower() or gold in SETS:
        return gold == given
    natural = all(text[1:] == text[1:].lower() for text in (gold, given))
    return natural or len(gold) > 4 or gold.lower() in ("yes", "no", "true", "even", "odd", "none")


# --- numbers and formulas


def _same_scalars(gold: Scalar, given: Scalar) -> bool:
    if gold.unit != given.unit:
        if 1 not in (gold.unit, given.unit):
            return False
        if any(unit in _SCALED for unit in (gold.unit, given.unit)) and _same_numbers(_scaled(gold), _scaled(given)):
            return True
    return _same_numbers(gold, given)


def _scaled(scalar: Scalar) -> Scalar:
    """Return a percentage or an angle in degrees as a number."""
    places = scalar.places + 2 if scalar.places is not None and scalar.unit == PERCENT else scalar.places
    return Scalar(scalar.value * _SCALED.get(scalar.unit, Integer(1)), Integer(1), places)


def _same_numbers(gold: Scalar, given: Scalar) -> bool:
    if _same_formulas(gold.value, given.value):
        return True
    places = [scalar.places for scalar in (gold, given) if scalar.places is not None]
    if not places or gold.value.free_symbols or given.value.free_symbols:
        return False
    values = _value_at(gold.value, {}), _value_at(given.value, {})
    if None in values or not _near(*values, ROUNDED * 1.001):
        return False
    return bool(abs(values[0] - values[1]) < 0.99 * Float(10, DIGITS) ** -min(places))


def _same_formulas(gold: Expr, given: Expr) -> bool:
    """Return whether two expressions have the same value, at every point where they have variables."""
    if gold == given:
        return True
    if (gold.is_Rational and given.is_Rational) or gold.is_infinite or given.is_infinite:
        return False
    gold, given = _without_functions(gold, given)
    symbols = gold.free_symbols | given.free_symbols
    if not symbols:
        return _same_at(gold, given, {}, real=False) is True
    complex_ones = gold.has(I) or given.has(I)
    verdicts = []
    for place, point in enumerate(_points(symbols)):
        verdicts.append(_same_at(gold, given, point, real=place >= POINTS and not complex_ones))
        if verdicts[-1] is False:
            return False
    return verdicts.count(True) >= POINTS - 1


def _without_functions(*formulas: Expr) -> list[Expr]:
    """Return formulas with each f(x) as a variable of its own."""
    applied = set().union(*(formula.atoms(AppliedUndef) for formula in formulas))
    outer = {one: Symbol(f"value of {sympy.srepr(one)}") for one in sorted(applied, key=sympy.default_sort_key)}
    return [formula.xreplace(outer) for formula in formulas]


def _points(symbols: set[Symbol]) -> list[dict[Symbol, Expr]]:
    """Return points with other values for each variable, between 1/2 and 3/2, then their negatives."""
    names = sorted(symbols, key=str)
    values = [sympy.Rational(1, 2) + sympy.Rational(7919 * (n + 1) % 9973, 9973) for n in range(len(names) * POINTS)]
    positive = [dict(zip(names, values[k::POINTS], strict=True)) for k in range(POINTS)]
    return positive + [{name: -value for name, value in point.items()} for point in positive]


def _same_at(gold: Expr, given: Expr, point: dict[Symbol, Expr], *, real: bool) -> bool | None:
    """Return whether the values at a point agree; None where there are none, or no real ones and these are asked."""
    values = _value_at(gold, point), _value_at(given, point)
    if values[0] is None or values[1] is None:
        return None
    if real and not values[0].is_real and not values[1].is_real:
        return None
    return _near(*values, 10.0 ** (3 - DIGITS))


def _value_at(formula: Expr, point: dict[Symbol, Expr]) -> Expr | None:
    """Return the value to DIGITS digits, 0 where nothing but rounding is left, None where there is none."""
    value = formula.evalf(DIGITS + 5, subs=point)
    parts = value.as_real_imag() if value.is_number else (None,)
    if not all(isinstance(part, Float | Integer | sympy.Rational) for part in parts) or value.has(
        sympy.nan, sympy.zoo, sympy.oo
    ):
        return None
    real, imaginary = (Integer(0) if isinstance(part, Float) and part._prec == 1 else part for part in parts)
    return real + I * imaginary


def _near(value: Expr | None, other: Expr | None, tolerance: float) -> bool:
    """Return whether two numbers are apart by no more than a part of the larger."""
    if value is None or other is None:
        return False
    return bool(abs(value - other).evalf(DIGITS) <= tolerance * max(abs(value).evalf(DIGITS), abs(other).evalf(DIGITS)))
