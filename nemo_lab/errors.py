"""The one kind of error that the lab raises for a user's mistake, and the checks that every folder makes."""

import os
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from math import inf
from numbers import Integral, Real
from pathlib import Path
from typing import Any

SHOWN = 60  # characters of a value in a sentence


class LabError(ValueError):
    """A mistake the reader can mend: one sentence naming the value, what was expected and what to do."""


def one_of(kind: str, value: str, known: Sequence[str]) -> str:
    """Return the sentence that refuses `value`: what it is, the nearest valid name, and all valid names."""
    near = get_close_matches(str(value), known, n=1)
    hint = f", did you mean {near[0]!r}" if near else ""
    return f"Unknown {kind} {value!r}{hint}; valid: {', '.join(known) or 'none'}."


def shown(value: Any) -> str:
    """Return the value as it is written, on one line and not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def check_whole(name: str, value: Any, least: int = 1, *, kind: type[LabError] = LabError) -> int:
    """Return `value`, a whole number of at least `least` (numpy's count too), or refuse it by an error of `kind`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise kind(f"{name} is {shown(value)}; it must be a whole number of at least {least}.")
    return int(value)


def check_number(
    name: str,
    value: Any,
    *,
    least: float = -inf,
    above: float = -inf,
    most: float = inf,
    kind: type[LabError] = LabError,
) -> float:
    """Return `value`, a finite number within the bounds, or refuse it by an error of `kind`."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if real and least <= value <= most and above < value and -inf < value < inf:
        return float(value)
    bounds = {"above": above, "at least": least, "at most": most}
    limits = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if -inf < bound < inf)
    raise kind(f"{name} is {shown(value)}; it must be a finite number {limits}".rstrip() + ".")


def check_text(name: str, value: Any, *, kind: type[LabError] = LabError) -> str:
    """Return `value`, which has to be a text, or refuse it by an error of `kind`."""
    if not isinstance(value, str):
        raise kind(f"{name} is {shown(value)}, expected text.")
    return value


def check_texts(name: str, values: Any, *, kind: type[LabError] = LabError) -> list[str]:
    """Return `values` as a list of texts; one text alone, which would be read letter by letter, is refused."""
    if isinstance(values, str | bytes):
        raise kind(f"{name} is one text, {values[:40]!r}, expected a list of texts; put it into brackets.")
    if not isinstance(values, Iterable):
        raise kind(f"{name} is {shown(values)}, expected a list of texts.")
    found = list(values)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise kind(f"Text {place} of {name} is {shown(text)}, expected text; leave it out or make it one.")
    return found


def check_path(name: str, value: Any, *, kind: type[LabError] = LabError) -> Path:
    """Return `value`, the name of a file or folder, as a path; anything else, an empty name too, is refused."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise kind(f"{name} is {shown(value)}, expected the path of a file or folder.")
    return Path(value)


def check_instance(name: str, value: Any, wanted: type, advice: str, *, kind: type[LabError] = LabError) -> Any:
    """Return `value`, which has to be of the type `wanted`, or refuse it; `advice` says what to give instead."""
    if not isinstance(value, wanted):
        raise kind(f"{name} is {shown(value)} of type {type(value).__name__}; {advice}.")
    return value


def check_callable(name: str, value: Any, advice: str, *, kind: type[LabError] = LabError) -> Callable[..., Any]:
    """Return `value`, which has to be a function, or refuse it; `advice` says what to give instead."""
    if not callable(value):
        raise kind(f"{name} is {shown(value)}, which cannot be called; {advice}.")
    return value


def check_each(
    name: str, values: Any, wanted: type, *, some: bool = False, kind: type[LabError] = LabError
) -> Sequence[Any]:
    """Return `values`, a list whose members are of the type `wanted`, or refuse it; with `some`, an empty one too."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise kind(f"{name} is {shown(values)}; expected a list of type {wanted.__name__}.")
    if some and not values:
        raise kind(f"{name} is empty; expected at least one of type {wanted.__name__}.")
    for place, one in enumerate(values):
        if not isinstance(one, wanted):
            raise kind(f"{name}[{place}] is {shown(one)}; expected the type {wanted.__name__}.")
    return values
