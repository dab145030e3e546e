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

import math
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from scipy.optimize import LinearConstraint
from scipy.sparse import csr_array

from nemo_lab.compression.puzzle.programme import (
    Limits,
    OptionT,
    Slots,
    check_choice,
    check_slots,
    chosen,
    column,
    indicator,
    minimise,
    one_a_slot,
    row,
)
from nemo_lab.errors import LabError


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


def total(slots: Slots[OptionT], choice: Sequence[OptionT], name: str) -> float:
    """Return the sum of one number over the chosen options.

    Raises:
        LabError: the choice is not one option of each slot, or an option lacks the number.
    """
    try:
        return float(sum(options[option][name] for options, option in zip(slots, choice, strict=True)))
    except (KeyError, ValueError) as error:
        check_choice(slots, choice)
        raise LabError(f"A chosen option has no number {name!r}; give every option the same numbers.") from error


def fits(slots: Slots[OptionT], choice: Sequence[OptionT], limits: Limits) -> bool:
    """Whether a choice meets all limits, up to rounding of the ninth digit."""
    return all(total(slots, choice, name) <= limit * (1 + 1e-9) + 1e-12 for name, limit in limits.items())


def parent_of(slots: Slots[OptionT]) -> list[OptionT]:
    """Return the first option of each slot."""
    return [next(iter(options)) for options in slots]


def overlap(a: Sequence[OptionT], b: Sequence[OptionT]) -> float:
    """Return the share of slots in which two choices agree.

    Raises:
        LabError: they are not of the same slots.
    """
    if len(a) != len(b) or not a:
        raise LabError(f"Choices of {len(a)} and {len(b)} slots cannot be compared; give two of the same slots.")
    return float(np.mean([one == other for one, other in zip(a, b, strict=True)]))


def solve(
    slots: Slots[OptionT],
    objective: str,
    limits: Limits,
    *,
    maximise: bool = False,
    previous: Sequence[Sequence[OptionT]] = (),
    alpha: float = 0.8,
) -> list[OptionT]:
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
    check_slots(slots, objective, limits)
    if not 0 <= alpha <= 1:
        raise LabError(f"alpha is {alpha}, expected 0 to 1: the share of the slots that may be as before.")
    cost_X = column(slots, objective) * (-1 if maximise else 1)
    constraints = [one_a_slot(slots)]
    for name, limit in limits.items():
        constraints.append(LinearConstraint(row(column(slots, name)), ub=limit))
    for earlier in previous:
        constraints.append(LinearConstraint(row(indicator(slots, earlier)), ub=alpha * len(slots)))
    found_X = minimise(cost_X, constraints)
    if found_X is not None:
        return chosen(slots, found_X)
    excess = least_excess(slots, limits)
    if any(over > 0 for over in excess.values()):
        raise Infeasible(limits, excess)
    raise LabError(f"No further architecture differs enough from {len(previous)} earlier ones; raise alpha.")


def least_excess(slots: Slots[OptionT], limits: Limits) -> dict[str, float]:
    """Return by how much each limit must be raised, with the least sum of relative raises; zeros where all fit."""
    columns = [column(slots, name) for name in limits]
    width, spare = len(columns[0]) if columns else 0, len(limits)
    if not spare:
        return {}
    scale = np.array([_scale(limit) for limit in limits.values()])
    rows = np.hstack([np.array(columns) / scale[:, None], -np.eye(spare)])
    budget = LinearConstraint(csr_array(rows), ub=np.array(list(limits.values())) / scale)
    one = one_a_slot(slots)
    padded = csr_array(np.hstack([one.A.toarray(), np.zeros((len(slots), spare))]))
    found_X = minimise(
        np.r_[np.zeros(width), np.ones(spare)], [LinearConstraint(padded, 1, 1), budget], continuous=spare
    )
    if found_X is None:
        raise LabError("The search for the nearest architecture failed; are all costs finite and not negative?")
    choice = chosen(slots, found_X[:width])
    return {name: max(0.0, total(slots, choice, name) - limit) for name, limit in limits.items()}


# --- what the programme is compared with


def greedy(slots: Slots[OptionT], objective: str, limits: Limits) -> list[OptionT]:
    """From the parent on, take the step that costs least score for what it brings nearer to the limits, until all fit.

    A step gives one slot another option. What it brings is the relative excess over the limits that it removes.

    Raises:
        Infeasible: no step helps any more. A greedy search may end so where the programme finds an answer.
        LabError: as `solve`.
    """
    check_slots(slots, objective, limits)
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
        _, slot, option = min(steps, key=lambda step: (*step[:2], str(step[2])))
        choice[slot] = option
    return choice


def uniform(slots: Slots[OptionT], objective: str, limits: Limits) -> list[OptionT]:
    """Return the best choice in which all slots with the same options take the same one: all layers alike.

    Raises:
        Infeasible: none of them fits.
        LabError: as `solve`.
    """
    check_slots(slots, objective, limits)
    kinds = list(dict.fromkeys(tuple(options) for options in slots))
    fitting = []
    for options in product(*kinds):
        choice = [options[kinds.index(tuple(slot))] for slot in slots]
        if fits(slots, choice, limits):
            fitting.append((total(slots, choice, objective), choice))
    if not fitting:
        raise Infeasible(limits, least_excess(slots, limits))
    return min(fitting, key=lambda one: (one[0], list(map(str, one[1]))))[1]


def random_choice(slots: Slots[OptionT], limits: Limits, rng: np.random.Generator) -> list[OptionT]:
    """From the parent on, give slots in random order an option at random, until the limits are met.

    No option is taken that costs more than the slot's present one. The result just fits, like a solution does.

    Raises:
        Infeasible: a hundred orders end without meeting the limits.
        LabError: as `solve`.
    """
    check_slots(slots, None, limits)
    for _ in range(100):
        choice = parent_of(slots)
        for slot in rng.permutation(len(slots)):
            others = [option for option in slots[slot] if _cheaper(slots[slot], option, choice[slot], limits)]
            if fits(slots, choice, limits) or not others:
                continue
            choice[slot] = others[int(rng.choice(len(others)))]
        if fits(slots, choice, limits):
            return choice
    raise Infeasible(limits, least_excess(slots, limits))


def _cheaper(options: Mapping[OptionT, Mapping[str, float]], one: OptionT, other: OptionT, limits: Limits) -> bool:
    return one != other and all(options[one][name] <= options[other][name] for name in limits)


def _excess(slots: Slots[OptionT], choice: Sequence[OptionT], limits: Limits) -> float:
    return sum(max(0.0, total(slots, choice, name) - limit) / _scale(limit) for name, limit in limits.items())


def _scale(limit: float) -> float:
    """What an excess over a limit is measured in: the limit itself where it is a size."""
    return abs(limit) if limit and math.isfinite(limit) else 1.0
