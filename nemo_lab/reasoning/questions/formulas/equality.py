r"""Whether two answers that were read mean the same.

    same_value(read("x=5"), read("5"))                  # a value is the right side of its equation
    same_value(read("1/3"), read("0.3333333"))          # a decimal of six digits or more may be rounded

The gold answer comes first where it matters: the gold x=5 or 1<x<2 may be given as 5 or as (1,2), which are of the
asked kind; (1,2) as gold may be a point. A gold tuple may be given without its brackets, in its order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeGuard

import sympy
from sympy import Expr, Float, Symbol

from nemo_lab.reasoning.questions.formulas.cursor import LONGEST_PRODUCT
from nemo_lab.reasoning.questions.formulas.sampling import DIGITS, near, ratio, same_formulas, value_at
from nemo_lab.reasoning.questions.formulas.solutions import FLIPPED, as_set, is_label, labels
from nemo_lab.reasoning.questions.formulas.units import DEGREE, PERCENT, is_known, unit
from nemo_lab.reasoning.questions.formulas.values import SETS, Group, Relation, Scalar, Value, Words, scalar

ROUNDED = 1.001e-6  # relative, of a decimal against an exact value
ABOUT = 0.01  # relative, of a side after a sign of approximation
LISTS = (",", "and", "or")
SCALES = {PERCENT: sympy.Rational(1, 100), DEGREE: sympy.pi / 180}
_SETS = tuple(map(Words, SETS))
TRUTHS = ("yes", "no", "true", "even", "odd", "none")


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
    if isinstance(gold, Words | Scalar) and isinstance(given, Words | Scalar):
        return _same_scalars(*map(_as_product, (gold, given)))
    return _same_as_sets(gold, given)


def _plain(value: Value) -> Value:
    """Return a value without what adds nothing: braces round one value, sides of a true equation, a common label."""
    if isinstance(value, Group) and value.kind in LISTS:
        value = _labelled_once(_excluded(value))
    if _is_set(value) and len(value.items) == 1 and value.items[0] not in _SETS and not _is_set(value.items[0]):
        return _plain(value.items[0])
    if isinstance(value, Group) and value.kind == "[]" and _are_rows(value.items):
        return Group("matrix", tuple(Group("row", row.items) for row in value.items if isinstance(row, Group)))
    return _shortened(value) if isinstance(value, Relation) else value


def _is_set(value: Value) -> TypeGuard[Group]:
    return isinstance(value, Group) and value.kind == "{}"


def _are_rows(items: tuple[Value, ...]) -> bool:
    """Return whether items are the rows of a matrix as programs write it: [[1,2],[3,4]]."""
    lengths = {len(item.items) if isinstance(item, Group) and item.kind == "[]" else 0 for item in items}
    return len(lengths) == 1 and lengths != {0}


# --- relations


def _shortened(relation: Relation) -> Value:
    """Return a chain without repeated sides: x=2+3=5 is x=5, and 2+3=5 is 5; an approximation is what it is of."""
    signs, sides = list(relation.signs), list(relation.sides)
    for place in reversed(range(len(signs))):
        label, other = is_label(sides[place]), sides[place + 1]
        if signs[place] == "\\approx" and label:
            signs[place] = "="
        elif (signs[place] == "\\approx" and _about(sides[place], other)) or (
            signs[place] == "=" and not label and same_value(sides[place], other)
        ):
            del signs[place], sides[place + 1]
    return Relation(tuple(signs), tuple(sides)) if signs else _plain(sides[0])


def _about(side: Value, other: Value) -> bool:
    if not isinstance(side, Scalar) or not isinstance(other, Scalar):
        return False
    if side.value.free_symbols | other.value.free_symbols:
        return False
    return near(value_at(side.value, {}), value_at(other.value, {}), ABOUT)


def _labelled(value: Value) -> tuple[Value, Value] | None:
    """Return label and value of `x=5` or `x∈{1,2}`."""
    if not isinstance(value, Relation) or value.signs not in (("=",), ("\\in",)):
        return None
    left, right = value.sides
    if is_label(left):
        return left, right
    return (right, left) if value.signs == ("=",) and is_label(right) else None


def _labelled_once(group: Group) -> Value:
    """Return x=1,x=2 and x=1,2 as x={1,2}; other lists as they are."""
    parts = [_labelled(_plain(item)) for item in group.items]
    first = parts[0]
    for part, item in zip(parts, group.items, strict=True):
        if first is None or (part is None and isinstance(item, Relation)):
            return group
        if part is not None and not same_value(first[0], part[0]):
            return group
    values = tuple(part[1] if part else item for part, item in zip(parts, group.items, strict=True))
    return Relation(("=",), (first[0], Group(",", values))) if first else group


def _excluded(group: Group) -> Group:
    """Return x≠0,1 and x≠0,x≠1 as x≠0 and x≠1; other lists as they are."""
    first = group.items[0]
    if not isinstance(first, Relation) or first.signs != ("!=",):
        return group
    name, sign = first.sides[0], first.signs
    parts = tuple(item if isinstance(item, Relation) else Relation(sign, (name, item)) for item in group.items)
    return Group("and", parts) if all(part.signs == sign for part in parts) else group


def _same_relations(gold: Relation, given: Relation) -> bool:
    label, other = _labelled(gold), _labelled(given)
    if label and other and same_value(label[0], other[0]):
        return same_value(label[1], other[1])
    if "\\in" in (*gold.signs, *given.signs):
        return _same_as_sets(gold, given)
    if len(gold.signs) != len(given.signs):
        return False
    turned = Relation(tuple(FLIPPED.get(sign, sign) for sign in reversed(given.signs)), given.sides[::-1])
    return _same_chains(gold, given) or _same_chains(gold, turned)


def _same_chains(gold: Relation, given: Relation) -> bool:
    """Return whether the sides of each sign are apart by the same, up to a factor; a negative one flips the sign."""
    steps = zip(gold.signs, pairwise(gold.sides), given.signs, pairwise(given.sides), strict=True)
    return all(_same_steps(*step) for step in steps)


def _same_steps(sign: str, sides: tuple[Value, Value], other_sign: str, others: tuple[Value, Value]) -> bool:
    if sign == other_sign and all(map(same_value, sides, others)):
        return True
    apart, others_apart = _apart(*sides), _apart(*others)
    factor = ratio(apart, others_apart) if apart is not None and others_apart is not None else None
    if factor is None or sign not in FLIPPED:
        return False
    return sign == (other_sign if factor > 0 else FLIPPED.get(other_sign))


def _apart(left: Value, right: Value) -> Expr | None:
    if not isinstance(left, Scalar) or not isinstance(right, Scalar) or left.unit != right.unit:
        return None
    return left.value - right.value


def _same_as_relation(gold: Value, given: Value) -> bool:
    """Return whether a relation and a value say the same: an equation's value, an inequality's interval."""
    parts = _coordinates(gold), _coordinates(given)
    first, second = parts[0] or gold, parts[1] or given
    if any(parts) and isinstance(first, Group) and isinstance(second, Group) and _same_groups(first, second):
        return True
    label = _labelled(gold) or _labelled(given)
    if label is None:
        return _same_as_sets(gold, given)
    if not labels(given if isinstance(gold, Relation) else gold) <= {label[0]}:
        return False
    return same_value(label[1], given) if isinstance(gold, Relation) else same_value(gold, label[1])


def _coordinates(value: Value) -> Group | None:
    """Return (x,y)=(1,2) as the list x=1, y=2."""
    label = _labelled(value)
    if label is None or not all(isinstance(side, Group) and side.kind == "()" for side in label):
        return None
    names, numbers = (side.items for side in label if isinstance(side, Group))
    pairs = tuple(Relation(("=",), pair) for pair in zip(names, numbers, strict=False))
    return Group(",", pairs) if len(names) == len(numbers) else None


def _same_as_sets(gold: Value, given: Value) -> bool:
    """Return whether both are the same set of real numbers; a gold (1,2) or [1,2] may be a point or a list."""
    if isinstance(gold, Group) and gold.kind in ("()", "[]") and not any(map(_is_infinite, gold.items)):
        return False
    first, second = as_set(gold), as_set(given)
    return first is not None and first == second and len(labels(gold) | labels(given)) < 2


def _is_infinite(item: Value) -> bool:
    return isinstance(item, Scalar) and bool(item.value.is_infinite)


# --- groups


def _same_groups(gold: Group, given: Group) -> bool:
    if not any(isinstance(item, Relation) for item in gold.items):
        given = _without_indexed_labels(given)
    if gold.kind in (*LISTS, "{}", "pm") and given.kind in (*LISTS, "{}", "pm"):
        differ = {gold.kind} ^ {given.kind}
        if differ and any(map(_is_relation if "or" in differ else _is_inequality, gold.items)):
            return False
        return _in_any_order(gold, given)
    if given.kind == "," and gold.kind == "()":
        return _in_order(gold, given)
    if gold.kind != given.kind or gold.kind in ("cup", "cap", "builder"):
        return (gold.kind == given.kind and _in_any_order(gold, given)) or _same_as_sets(gold, given)
    return _in_order(gold, given)


def _without_indexed_labels(group: Group) -> Group:
    """Return x_1=2, x_2=3 as the list 2, 3; one of other labels as it is."""
    labels = [_labelled(item) for item in group.items]
    names = {str(label[0].value) if label and isinstance(label[0], Scalar) else "" for label in labels}
    if group.kind not in LISTS or len(names) < 2 or len({name.partition("_")[0] for name in names}) > 1:
        return group
    return Group(",", tuple(label[1] for label in labels if label)) if all("_" in name for name in names) else group


def _is_relation(item: Value) -> bool:
    return isinstance(item, Relation)


def _is_inequality(item: Value) -> bool:
    return isinstance(item, Relation) and item.signs != ("=",)


def _in_order(gold: Group, given: Group) -> bool:
    return len(gold.items) == len(given.items) and all(map(_same_items, gold.items, given.items))


def _same_items(gold: Value, given: Value) -> bool:
    """Return whether two members mean the same; next to y=2 the label of x=1 matters, and {1} is not 1."""
    of_one_kind = isinstance(gold, Relation) == isinstance(given, Relation) and _is_set(gold) == _is_set(given)
    return of_one_kind and same_value(gold, given)


def _in_any_order(gold: Group, given: Group) -> bool:
    """Return whether each item has a partner of its own; a list that goes on (1, 2, ..., n) is in order."""
    if Words("...") in gold.items:
        return _in_order(gold, given)
    left = _members(given)
    for item in _members(gold):
        partner = next((other for other in left if _same_items(item, other)), None)
        if partner is None:
            return False
        left.remove(partner)
    return not left


def _members(group: Group) -> list[Value]:
    """Return the items, both values of a plus-minus, and those of a set without repetitions."""
    members: list[Value] = []
    for item in group.items:
        for part in item.items if isinstance(item, Group) and item.kind == "pm" else (item,):
            if group.kind not in ("{}", "pm") or not any(_same_items(other, part) for other in members):
                members.append(part)
    return members


def _as_product(value: Words | Scalar) -> Scalar:
    """Return a short word as the product of its letters, which it is next to a formula: xyz is x*y*z."""
    if isinstance(value, Scalar):
        return value
    letters = value.text if value.text.isalpha() and len(value.text) <= LONGEST_PRODUCT else ""
    return scalar(sympy.Mul(*map(Symbol, letters)) if letters else Symbol(value.text))


def _same_words(gold: str, given: str) -> bool:
    """Return whether two texts are the same; words may begin with a capital, names of letters may not differ."""
    if gold == given or gold.lower() != given.lower() or gold in SETS:
        return gold == given
    natural = all(text[1:] == text[1:].lower() for text in (gold, given))
    return natural or len(gold) > 4 or gold.lower() in TRUTHS


# --- numbers


def _same_scalars(gold: Scalar, given: Scalar) -> bool:
    """Return whether two values are the same, with the same unit or one without; 28% is 28 and 0.28."""
    gold, given = _with_units(gold, given), _with_units(given, gold)
    if gold.unit == given.unit:
        return _same_numbers(gold, given)
    if 1 not in (gold.unit, given.unit):
        return False
    return _same_numbers(gold, given) or _same_numbers(_scaled(gold), _scaled(given))


def _with_units(one: Scalar, other: Scalar) -> Scalar:
    """Return 5m/s, letters in a plain formula, with its unit, where the other side is a number with one."""
    names = {symbol: str(symbol) for symbol in one.value.free_symbols}
    if not names or one.unit != 1 or other.unit == 1 or other.value.free_symbols:
        return one
    if not all(map(is_known, names.values())):
        return one
    return scalar(one.value.xreplace({symbol: unit(name) for symbol, name in names.items()}), one.places)


def _scaled(scalar: Scalar) -> Scalar:
    """Return a percentage or an angle in degrees as a number."""
    places = scalar.places + 2 if scalar.places is not None and scalar.unit == PERCENT else scalar.places
    return Scalar(scalar.value * SCALES.get(scalar.unit, sympy.S.One), places=places)


def _same_numbers(gold: Scalar, given: Scalar) -> bool:
    """Return whether two expressions are equal, or one a decimal to which the other can be rounded or cut."""
    if same_formulas(gold.value, given.value):
        return True
    places = [scalar.places for scalar in (gold, given) if scalar.places is not None]
    if not places or gold.value.free_symbols or given.value.free_symbols:
        return False
    first, second = value_at(gold.value, {}), value_at(given.value, {})
    if first is None or second is None or not near(first, second, ROUNDED):
        return False
    return bool(abs(first - second) < 0.99 * Float(10, DIGITS) ** -min(places))
