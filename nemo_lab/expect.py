"""What is expected of a value that a user passes: each function refuses another kind of mistake with one sentence.

They return nothing and raise `LabError`, naming the value, what was expected and, where it helps, what to do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from nemo_lab.errors import LabError

SHOWN = 60  # characters of a value in a sentence


def whole(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`; True and 1.0 are none.

    Raises:
        LabError: see above.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise LabError(f"{name} is {shown(value)}; expected a whole number of at least {least}.")


def number(name: str, value: object, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> None:
    """Refuse what is no finite number from `low` to `high`; with `above`, `low` itself too.

    Raises:
        LabError: see above.
    """
    fits = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not low <= value <= high or (above and value == low):  # type: ignore[operator]
        least = f"above {low:g}" if above else f"of at least {low:g}"
        most = "" if math.isinf(high) else f" and at most {high:g}"
        raise LabError(f"{name} is {shown(value)}; expected a number {least}{most}.")


def instance(name: str, value: object, kind: type | tuple[type, ...], advice: str) -> None:
    """Refuse what is of another type; `advice` says what to give instead.

    Raises:
        LabError: see above.
    """
    if not isinstance(value, kind):
        raise LabError(f"{name} is {shown(value)} of type {type(value).__name__}; {advice}.")


def function(name: str, value: object, advice: str) -> None:
    """Refuse what cannot be called; `advice` says what to give instead.

    Raises:
        LabError: see above.
    """
    if not callable(value):
        raise LabError(f"{name} is {shown(value)}, which cannot be called; {advice}.")


def each(name: str, values: object, kind: type, *, some: bool = False) -> None:
    """Refuse what is no list of `kind`; with `some`, an empty one too.

    Raises:
        LabError: see above.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise LabError(f"{name} is {shown(values)}; expected a list of type {kind.__name__}.")
    if some and not values:
        raise LabError(f"{name} is empty; expected at least one of type {kind.__name__}.")
    if (place := next((i for i, one in enumerate(values) if not isinstance(one, kind)), None)) is not None:
        raise LabError(f"{name}[{place}] is {shown(values[place])}; expected the type {kind.__name__}.")


def shown(value: object) -> str:
    """The value as it is written, on one line and not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
