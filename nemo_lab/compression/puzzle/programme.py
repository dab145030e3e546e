"""Puzzle's search as arrays, for SciPy's HiGHS: what is refused, the constraints, the solver and its answer.

`search` says what the programme is. Nothing here knows of models: an option is any key of a mapping, a name or
an `Option`, and what it costs are numbers by name.

Shapes: X all options of all slots.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import TypeVar

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from nemo_lab.errors import LabError, one_of

OptionT = TypeVar("OptionT")
Slots = Sequence[Mapping[OptionT, Mapping[str, float]]]
"""For every slot its options, for every option its numbers by name."""

Limits = Mapping[str, float]


# --- what is refused


def check_slots(slots: Slots[OptionT], objective: str | None, limits: Limits) -> None:
    """Refuse slots without options, numbers that are missing or not finite, and limits that are no numbers."""
    one_a_slot(slots)
    for name in (objective, *limits) if objective is not None else limits:
        column(slots, name)
    for name, limit in limits.items():
        if not isinstance(limit, Real) or math.isnan(limit) or limit == -math.inf:
            raise LabError(f"The limit of {name!r} is {limit!r}, expected a number.")


def check_choice(slots: Slots[OptionT], choice: Sequence[OptionT]) -> None:
    """Refuse a choice that is not one option of each slot."""
    if len(choice) != len(slots):
        raise LabError(f"A choice has {len(choice)} options for {len(slots)} slots; give one a slot.")
    for number, (options, option) in enumerate(zip(slots, choice, strict=True)):
        if option not in options:
            raise LabError(one_of(f"option of slot {number}", str(option), list(map(str, options))))


# --- the programme


def column(slots: Slots[OptionT], name: str) -> np.ndarray:
    """Return the number of this name for all options, slot after slot."""
    try:
        column_X = np.array([numbers[name] for options in slots for numbers in options.values()], dtype=float)
    except KeyError as error:
        raise LabError(f"An option has no number {name!r}; give every option the same numbers.") from error
    except (TypeError, ValueError) as error:
        raise LabError(f"{name!r} of an option is no number; give every option the same numbers.") from error
    if not np.isfinite(column_X).all():
        raise LabError(f"{name!r} of {int((~np.isfinite(column_X)).sum())} options is not finite; measure them again.")
    return column_X


def row(column_X: np.ndarray) -> csr_array:
    """Return numbers of all options as the one row of a constraint."""
    return csr_array(column_X[None, :])


def indicator(slots: Slots[OptionT], choice: Sequence[OptionT]) -> np.ndarray:
    """Return 1 for the options chosen, 0 for the others."""
    check_choice(slots, choice)
    pairs = zip(slots, choice, strict=True)
    return np.array([float(option == own) for options, own in pairs for option in options])


def one_a_slot(slots: Slots[OptionT]) -> LinearConstraint:
    """Every slot takes exactly one option."""
    if not slots or not all(slots):
        raise LabError(f"There are {len(slots)} slots, some without options; give each at least the parent's.")
    slot_X = np.repeat(np.arange(len(slots)), [len(options) for options in slots])
    matrix = csr_array((np.ones(len(slot_X)), (slot_X, np.arange(len(slot_X)))), shape=(len(slots), len(slot_X)))
    return LinearConstraint(matrix, 1, 1)


def minimise(cost_X: np.ndarray, constraints: Sequence[LinearConstraint], continuous: int = 0) -> np.ndarray | None:
    """Minimise over binary variables, the last `continuous` of them reals from 0 on; None when nothing fits."""
    binary = len(cost_X) - continuous
    upper = np.r_[np.ones(binary), np.full(continuous, np.inf)]
    with silenced():
        found = milp(
            cost_X,
            integrality=np.r_[np.ones(binary), np.zeros(continuous)],
            bounds=Bounds(0, upper),
            constraints=list(constraints),
            options={"mip_rel_gap": 0.0},
        )
    return found.x


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drop what is written to the process's standard output: HiGHS prints a line for its developers now and then."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)  # what C still holds back
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def chosen(slots: Slots[OptionT], found_X: np.ndarray) -> list[OptionT]:
    """Read the chosen option of each slot off the solution."""
    choice, at = [], 0
    for options in slots:
        choice.append(list(options)[int(np.argmax(found_X[at : at + len(options)]))])
        at += len(options)
    return choice
