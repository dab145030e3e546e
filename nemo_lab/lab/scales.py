"""Choosing a scale and its settings, and refusing what would silently run with a default.

Papermill only logs a parameter that the notebook does not have and runs with the default; a long run is
then not the run that was asked for. So every value goes through `resolve`, which knows the fields of the
notebook's settings with their types, and every mistake is one sentence that lists what is valid.

A knob of None means 'not turned': the scale's own value. An int knob whose value at the scale is positive
must stay positive, because all of them are sizes and counts.
"""

import dataclasses
import math
import os
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from nemo_lab.errors import LabError, one_of
from nemo_lab.studies.registry import SETTINGS

SCALES = ("smoke", "laptop", "gpu", "cluster")
DEFAULT_SCALE = "laptop"


def choose_scale(scale: str = "") -> str:
    """Return `scale`; when it is empty, `$NEMO_LAB_SCALE`, else laptop.

    Raises:
        LabError: not one of `SCALES`.
    """
    chosen = scale or os.environ.get("NEMO_LAB_SCALE", "").strip() or DEFAULT_SCALE
    if chosen not in SCALES:
        kind = "scale" if scale else "scale in NEMO_LAB_SCALE"
        raise LabError(one_of(kind, chosen, SCALES))
    return chosen


def rank(scale: str) -> int:
    """Return the place of a scale in the order smoke < laptop < gpu < cluster."""
    return SCALES.index(choose_scale(scale))


def resolve(notebook: str, scale: str = "", knobs: Mapping[str, Any] | None = None) -> Any:
    """Return the notebook's settings (a frozen dataclass) at a scale, with the turned knobs applied.

    Raises:
        LabError: an unknown notebook, scale or knob, or a value of the wrong type.
    """
    if notebook not in SETTINGS:
        raise LabError(one_of("notebook", notebook, list(SETTINGS)))
    settings = SETTINGS[notebook][choose_scale(scale)]
    hints = get_type_hints(type(settings))
    turned = {}
    for name, value in (knobs or {}).items():
        if name not in hints:
            raise LabError(one_of("parameter", name, ["scale", "seed", *hints]))
        if value is not None:
            turned[name] = _checked(name, value, hints[name], getattr(settings, name))
    return dataclasses.replace(settings, **turned)


def check_seed(seed: Any) -> int:
    """Return `seed`; raise LabError unless it is an int from 0 to 2**32 - 1, the range of all generators."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise LabError(f"Parameter seed is {seed!r}, expected an int from 0 to 4294967295.")
    return seed


def _checked(name: str, value: Any, hint: Any, default: Any) -> Any:
    """Return `value` in the type `hint` asks for; `default` is the scale's value."""
    fitted = _fit(value, hint)
    if fitted is None:
        raise LabError(f"Parameter {name} is {value!r}, expected {_words(hint)}, such as {default!r}.")
    if type(fitted) is int and type(default) is int and default > 0 >= fitted:
        raise LabError(f"Parameter {name} is {value!r}, expected a positive int, such as {default!r}.")
    return fitted


def _fit(value: Any, hint: Any) -> Any:
    """Return `value` as `hint`, or None when it is something else (a bool is not an int here)."""
    if get_origin(hint) in (Union, types.UnionType):
        fits = (_fit(value, option) for option in get_args(hint) if option is not type(None))
        return next((fit for fit in fits if fit is not None), None)
    if get_origin(hint) is tuple:
        return _fit_tuple(value, get_args(hint))
    if hint is float and type(value) in (int, float):
        return float(value) if math.isfinite(value) else None
    return value if type(value) is hint else None


def _fit_tuple(value: Any, hints: tuple[Any, ...]) -> Any:
    """Return a list or tuple as tuple[X, ...], or None; papermill hands over lists."""
    if not isinstance(value, list | tuple) or not value:
        return None
    fitted = tuple(_fit(item, hints[0]) for item in value)
    return None if any(item is None for item in fitted) else fitted


def _words(hint: Any) -> str:
    """Return a type as words: 'an int', 'a list of float'."""
    if get_origin(hint) is tuple:
        return f"a list of {getattr(get_args(hint)[0], '__name__', hint)}"
    name = getattr(hint, "__name__", str(hint))
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
