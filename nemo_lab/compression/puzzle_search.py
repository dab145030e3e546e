"""Puzzle's search: one option a slot, least sum of scores, under limits. A mixed-integer programme, solved exactly.

    minimise   Σ score_ij x_ij                   x_ij ∈ {0, 1}: slot i takes option j
    such that  Σ_j x_ij = 1                      for every slot i
               Σ cost_ij x_ij ≤ limit            for every cost that is limited (runtime, memory, …)
               Σ x_ij y_ij ≤ α L                 for every earlier solution y of L slots

(Puzzle, arXiv 2411.19146, section 4.3 and appendix B; α = 0.8.) A throughput of at least T tokens a second is the
runtime limit tokens / T, which is linear. No limit on parameters is needed: runtime and memory say what matters.

    slots = [{"full": {"score": 0.0, "runtime": 2.0}, "none": {"score": 0.3, "runtime": 0.0}}, …]
    choice = solve(slots, "score", {"runtime": 3.0})         # an option a slot

A slot is whatever is chosen independently: a layer in the paper, an attention or a feed-forward sub-block in notebook
08. The first option of each slot is the parent's. Budgets that nothing meets raise `Infeasible`, which says by how
much.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from numbers import Real

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from nemo_lab.errors import LabError, one_of

Slots = Sequence[Mapping[str, Mapping[str, float]]]
"""For every slot its options, for every option its numbers by name."""

Limits = Mapping[str, float]
Choice = list[str]


class Infeasible(LabError):
    """No choice meets the limits; `excess` says for each limit by how much the nearest choice exceeds it."""

    def __init__(self, limits: Limits, excess: Mapping[str, float]) -> None:
        self.excess = dict(excess)
        parts = [f"{name} {limits[name]:.6g} by {over:.6g}" for name, over in excess.items() if over > 0]
        nearest = f"No architecture of this library meets the limits; the nearest one exceeds {' and '.join(parts)}. "
        super().__init__(
            f"{nearest}Raise the limits by that or add cheaper options."
            if parts
            else "This way of choosing finds none of the architectures that meet the limits; use solve, which does."
        )


def total(slots: Slots, choice: Sequence[str], name: str) -> float:
    """Return the sum of one number over the chosen options.

    Raises:
        LabError: the choice is not one option of each slot, or an option lacks the number.
    """
    try:
        return float(sum(options[option][name] for options, option in zip(slots, choice, strict=True)))
    except (KeyError, ValueError) as error:
        _check_choice(slots, choice)
        raise LabError(f"A chosen option has no number {name!r}; give every option the same numbers.") from error


def fits(slots: Slots, choice: Sequence[str], limits: Limits) -> bool:
    """Whether a choice meets all limits, up to rounding of the ninth digit."""
    return all(total(slots, choice, name) <= limit * (1 + 1e-9) + 1e-12 for name, limit in limits.items())


def parent_of(slots: Slots) -> Choice:
    """Return the first option of each slot."""
    return [next(iter(options)) for options in slots]


def overlap(a: Sequence[str], b: Sequence[str]) -> float:
    """Return the share of slots in which two choices agree.

    Raises:
        LabError: they are not of the same slots.
    """
    if len(a) != len(b) or not a:
        raise LabError(f"Choices of {len(a)} and {len(b)} slots cannot be compared; give two of the same slots.")
    return float(np.mean([one == other for one, other in zip(a, b, strict=True)]))


def solve(
    slots: Slots,
    objective: str,
    limits: Limits,
    *,
    maximise: bool = False,
    previous: Sequence[Sequence[str]] = (),
    alpha: float = 0.8,
) -> Choice:
    """Return the best choice; HiGHS proves that it is.

    Args:
        slots: the options; numbers must be finite, for a solver would drop others in silence.
        objective: the number whose sum is minimised. limits: the most that the sum of each of these may be.
        maximise: whether to maximise instead.
        previous: earlier choices, with which at most the share `alpha` of the slots may agree.

    Raises:
        Infeasible: nothing meets the limits.
        LabError: a slot without options, a number that is missing or not finite, a limit that is no number, an alpha
            beyond 0 to 1, an earlier choice of other slots, or too many of them.
    """
    _check(slots, objective, limits)
    if not 0 <= alpha <= 1:
        raise LabError(f"alpha is {alpha}, expected 0 to 1: the share of the slots that may be as before.")
    cost_X = _column(slots, objective) * (-1 if maximise else 1)
    constraints = [_one_a_slot(slots)]
    for name, limit in limits.items():
        constraints.append(LinearConstraint(_row(_column(slots, name)), ub=limit))
    for earlier in previous:
        constraints.append(LinearConstraint(_row(_indicator(slots, earlier)), ub=alpha * len(slots)))
    found_X = _milp(cost_X, constraints)
    if found_X is not None:
        return _choice(slots, found_X)
    excess = least_excess(slots, limits)
    if any(over > 0 for over in excess.values()):
        raise Infeasible(limits, excess)
    raise LabError(f"No further architecture differs enough from {len(previous)} earlier ones; raise alpha.")


def least_excess(slots: Slots, limits: Limits) -> dict[str, float]:
    """Return by how much each limit must be raised, with the least sum of relative raises; zeros where all fit."""
    columns = [_column(slots, name) for name in limits]
    width, spare = len(columns[0]) if columns else 0, len(limits)
    if not spare:
        return {}
    scale = np.array([_scale(limit) for limit in limits.values()])
    rows = np.hstack([np.array(columns) / scale[:, None], -np.eye(spare)])
    budget = LinearConstraint(csr_array(rows), ub=np.array(list(limits.values())) / scale)
    one = _one_a_slot(slots)
    padded = csr_array(np.hstack([one.A.toarray(), np.zeros((len(slots), spare))]))
    found_X = _milp(np.r_[np.zeros(width), np.ones(spare)], [LinearConstraint(padded, 1, 1), budget], continuous=spare)
    if found_X is None:
        raise LabError("The search for the nearest architecture failed; are all costs finite and not negative?")
    choice = _choice(slots, found_X[:width])
    return {name: max(0.0, total(slots, choice, name) - limit) for name, limit in limits.items()}


# --- what the programme is compared with


def greedy(slots: Slots, objective: str, limits: Limits) -> Choice:
    """From the parent on, take the step that costs least score for what it brings nearer to the limits, until all fit.

    A step gives one slot another option. What it brings is the relative excess over the limits that it removes.

    Raises:
        Infeasible: no step helps any more. A greedy search may end so where the programme finds an answer.
        LabError: as `solve`.
    """
    _check(slots, objective, limits)
    choice = parent_of(slots)
    while not fits(slots, choice, limits):
        before = _excess(slots, choice, limits)
        steps = []
        for slot, options in enumerate(slots):
            for option in options:
                tried = [*choice[:slot], option, *choice[slot + 1 :]]
                gain = before - _excess(slots, tried, limits)
                if gain > 1e-12:
                    worse = options[option][objective] - options[choice[slot]][objective]
                    steps.append((worse / gain, slot, option))
        if not steps:
            raise Infeasible(limits, {n: max(0.0, total(slots, choice, n) - limit) for n, limit in limits.items()})
        _, slot, option = min(steps)
        choice[slot] = option
    return choice


def uniform(slots: Slots, objective: str, limits: Limits) -> Choice:
    """Return the best choice in which all slots with the same options take the same one: all layers alike.

    Raises:
        Infeasible: none of them fits.
        LabError: as `solve`.
    """
    _check(slots, objective, limits)
    kinds = list(dict.fromkeys(tuple(options) for options in slots))
    fitting = []
    for options in product(*kinds):
        choice = [options[kinds.index(tuple(slot))] for slot in slots]
        if fits(slots, choice, limits):
            fitting.append((total(slots, choice, objective), choice))
    if not fitting:
        raise Infeasible(limits, least_excess(slots, limits))
    return min(fitting)[1]


def random_choice(slots: Slots, limits: Limits, rng: np.random.Generator) -> Choice:
    """From the parent on, give slots in random order an option at random, until the limits are met.

    No option is taken that costs more than the slot's present one. The result just fits, like a solution does.

    Raises:
        Infeasible: a hundred orders end without meeting the limits.
        LabError: as `solve`.
    """
    _check(slots, None, limits)
    for _ in range(100):
        choice = parent_of(slots)
        for slot in rng.permutation(len(slots)):
            others = [option for option in slots[slot] if _cheaper(slots[slot], option, choice[slot], limits)]
            if fits(slots, choice, limits) or not others:
                continue
            choice[slot] = str(rng.choice(others))
        if fits(slots, choice, limits):
            return choice
    raise Infeasible(limits, least_excess(slots, limits))


def _cheaper(options: Mapping[str, Mapping[str, float]], one: str, other: str, limits: Limits) -> bool:
    return one != other and all(options[one][name] <= options[other][name] for name in limits)


def _excess(slots: Slots, choice: Sequence[str], limits: Limits) -> float:
    return sum(max(0.0, total(slots, choice, name) - limit) / _scale(limit) for name, limit in limits.items())


def _scale(limit: float) -> float:
    """What an excess over a limit is measured in: the limit itself where it is a size."""
    return abs(limit) if limit and math.isfinite(limit) else 1.0


# --- what is refused


def _check(slots: Slots, objective: str | None, limits: Limits) -> None:
    """Refuse slots without options, numbers that are missing or not finite, and limits that are no numbers."""
    _one_a_slot(slots)
    for name in (objective, *limits) if objective is not None else limits:
        _column(slots, name)
    for name, limit in limits.items():
        if not isinstance(limit, Real) or math.isnan(limit) or limit == -math.inf:
            raise LabError(f"The limit of {name!r} is {limit!r}, expected a number.")


def _check_choice(slots: Slots, choice: Sequence[str]) -> None:
    """Refuse a choice that is not one option of each slot."""
    if len(choice) != len(slots):
        raise LabError(f"A choice has {len(choice)} options for {len(slots)} slots; give one a slot.")
    for number, (options, option) in enumerate(zip(slots, choice, strict=True)):
        if option not in options:
            raise LabError(one_of(f"option of slot {number}", option, list(options)))


# --- the programme as arrays; X counts all options of all slots


def _column(slots: Slots, name: str) -> np.ndarray:
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


def _row(column_X: np.ndarray) -> csr_array:
    return csr_array(column_X[None, :])


def _indicator(slots: Slots, choice: Sequence[str]) -> np.ndarray:
    _check_choice(slots, choice)
    chosen = zip(slots, choice, strict=True)
    return np.array([float(option == own) for options, own in chosen for option in options])


def _one_a_slot(slots: Slots) -> LinearConstraint:
    """Every slot takes exactly one option."""
    if not slots or not all(slots):
        raise LabError(f"There are {len(slots)} slots, some without options; give each at least the parent's.")
    slot_X = np.repeat(np.arange(len(slots)), [len(options) for options in slots])
    matrix = csr_array((np.ones(len(slot_X)), (slot_X, np.arange(len(slot_X)))), shape=(len(slots), len(slot_X)))
    return LinearConstraint(matrix, 1, 1)


def _milp(cost_X: np.ndarray, constraints: Sequence[LinearConstraint], continuous: int = 0) -> np.ndarray | None:
    """Minimise over binary variables, the last `continuous` of them reals from 0 on; None when nothing fits."""
    binary = len(cost_X) - continuous
    upper = np.r_[np.ones(binary), np.full(continuous, np.inf)]
    with _silence():
        found = milp(
            cost_X,
            integrality=np.r_[np.ones(binary), np.zeros(continuous)],
            bounds=Bounds(0, upper),
            constraints=list(constraints),
            options={"mip_rel_gap": 0.0},
        )
    return found.x


@contextlib.contextmanager
def _silence() -> Iterator[None]:
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


def _choice(slots: Slots, found_X: np.ndarray) -> Choice:
    """Read the chosen option of each slot off the solution."""
    choice, at = [], 0
    for options in slots:
        choice.append(list(options)[int(np.argmax(found_X[at : at + len(options)]))])
        at += len(options)
    return choice
