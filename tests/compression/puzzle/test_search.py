"""The programme against brute force, its baselines, and what it says when nothing fits."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.compression.puzzle import search
from nemo_lab.errors import LabError

CHEAP, DEAR = {"score": 1.0, "runtime": 1.0, "memory": 1.0}, {"score": 0.0, "runtime": 3.0, "memory": 2.0}


@st.composite
def tables(draw):
    """Slots of two to four options with whole numbers, so that sums are exact; the parent is best and dearest."""
    number = st.integers(0, 20)
    slots = []
    for _ in range(draw(st.integers(1, 5))):
        options = {"full": {"score": 0.0, "runtime": 20.0, "memory": 20.0}}
        for name in ("half", "linear", "none")[: draw(st.integers(1, 3))]:
            options[name] = {key: float(draw(number)) for key in ("score", "runtime", "memory")}
        slots.append(options)
    return slots


def brute(slots, limits, keep=lambda choice: True):
    """All choices that fit, as (score, choice)."""
    return [
        (search.total(slots, choice, "score"), list(choice))
        for choice in product(*slots)
        if all(search.total(slots, choice, name) <= limit for name, limit in limits.items()) and keep(choice)
    ]


@given(tables(), st.integers(0, 100), st.integers(0, 100))
@settings(max_examples=80, deadline=None)
def test_optimal_or_infeasible_by_the_least_amount(slots, runtime, memory):
    limits = {"runtime": float(runtime), "memory": float(memory)}
    every = brute(slots, limits)
    if every:
        found = search.solve(slots, "score", limits)
        assert search.fits(slots, found, limits)
        assert search.total(slots, found, "score") == min(every)[0]
        return
    with pytest.raises(search.Infeasible) as error:
        search.solve(slots, "score", limits)
    scale = {name: abs(limit) or 1.0 for name, limit in limits.items()}
    least = min(
        sum(max(0.0, search.total(slots, choice, name) - limits[name]) / scale[name] for name in limits)
        for choice in product(*slots)
    )
    assert sum(over / scale[name] for name, over in error.value.excess.items()) == pytest.approx(least)
    raised = {name: limits[name] + over for name, over in error.value.excess.items()}
    assert search.fits(slots, search.solve(slots, "score", raised), raised)  # by that much, and it works


@given(tables(), st.integers(20, 100))
@settings(max_examples=40, deadline=None)
def test_diversity(slots, runtime):
    limits = {"runtime": float(runtime)}
    if not brute(slots, limits):
        return
    first = search.solve(slots, "score", limits)
    allowed = brute(slots, limits, lambda choice: search.overlap(choice, first) <= 0.6 + 1e-9)
    if allowed:
        second = search.solve(slots, "score", limits, previous=[first], alpha=0.6)
        assert search.overlap(first, second) <= 0.6 + 1e-9
        assert search.total(slots, second, "score") == min(allowed)[0]
    else:
        with pytest.raises(LabError, match="differs enough"):
            search.solve(slots, "score", limits, previous=[first], alpha=0.6)


@given(tables(), st.integers(0, 100), st.integers(0, 10))
@settings(max_examples=40, deadline=None)
def test_baselines_fit_and_never_beat_the_programme(slots, runtime, seed):
    limits = {"runtime": float(runtime)}
    every = brute(slots, limits)
    best = min(every)[0] if every else None
    tries = {
        "greedy": lambda: search.greedy(slots, "score", limits),
        "uniform": lambda: search.uniform(slots, "score", limits),
        "random": lambda: search.random_choice(slots, limits, np.random.default_rng(seed)),
    }
    for name, attempt in tries.items():
        try:
            choice = attempt()
        except search.Infeasible:
            continue
        assert best is not None, name
        assert search.fits(slots, choice, limits), name
        assert search.total(slots, choice, "score") >= best, name


def test_greedy_falls_for_the_cheap_step():
    """Greedy first takes the slot with the least score per unit, and then needs the other one all the same."""
    slots = [
        {"full": {"score": 0.0, "runtime": 4.0}, "none": {"score": 1.0, "runtime": 2.0}},
        {"full": {"score": 0.0, "runtime": 9.0}, "none": {"score": 3.0, "runtime": 4.0}},
    ]
    limits = {"runtime": 8.0}
    assert search.solve(slots, "score", limits) == ["full", "none"]
    assert search.greedy(slots, "score", limits) == ["none", "none"]


def test_uniform_gives_all_slots_of_a_kind_the_same():
    slots = [{"full": DEAR, "none": CHEAP}] * 3 + [{"wide": DEAR, "half": CHEAP}] * 2
    choice = search.uniform(slots, "score", {"runtime": 12.0})
    assert choice == ["full"] * 3 + ["half"] * 2 or choice == ["none"] * 3 + ["wide"] * 2
    assert search.total(slots, choice, "score") == 2.0


def test_maximise():
    slots = [{"full": {"parameters": 5.0, "runtime": 2.0}, "half": {"parameters": 3.0, "runtime": 1.0}}] * 3
    assert sorted(search.solve(slots, "parameters", {"runtime": 4.0}, maximise=True)) == ["full", "half", "half"]


def test_random_starts_from_the_parent_and_changes_no_more_than_needed():
    slots = [{"full": DEAR, "none": CHEAP} for _ in range(10)]
    choice = search.random_choice(slots, {"runtime": 22.0}, np.random.default_rng(0))
    assert choice.count("none") == 4
    assert len({tuple(search.random_choice(slots, {"runtime": 22.0}, np.random.default_rng(n))) for n in range(5)}) > 1


def test_numbers_that_no_solver_should_see():
    with pytest.raises(LabError, match="not finite"):
        search.solve([{"full": {"score": float("nan"), "runtime": 1.0}}], "score", {"runtime": 2.0})
    with pytest.raises(LabError, match="has no number 'memory'"):
        search.solve([{"full": {"score": 0.0, "runtime": 1.0}}], "score", {"memory": 2.0})
    with pytest.raises(LabError, match="without options"):
        search.solve([{}], "score", {})


def test_infeasible_says_by_how_much():
    with pytest.raises(search.Infeasible, match=r"exceeds runtime 1\.5 by 0\.5") as error:
        search.solve([{"full": DEAR, "none": CHEAP}] * 2, "score", {"runtime": 1.5, "memory": 9.0})
    assert error.value.excess == {"runtime": 0.5, "memory": 0.0}


SLOTS = [{"full": DEAR, "none": CHEAP}] * 2
WAYS = {
    "solve": lambda slots, limits: search.solve(slots, "score", limits),
    "greedy": lambda slots, limits: search.greedy(slots, "score", limits),
    "uniform": lambda slots, limits: search.uniform(slots, "score", limits),
    "random": lambda slots, limits: search.random_choice(slots, limits, np.random.default_rng(0)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("slots", "limits", "message"),
    [
        (SLOTS, {"runtime": float("nan")}, "limit of 'runtime' is nan"),
        (SLOTS, {"runtime": float("-inf")}, "limit of 'runtime' is -inf"),
        (SLOTS, {"runtime": "4"}, "limit of 'runtime' is '4'"),
        (SLOTS, {"runtime": None}, "limit of 'runtime' is None"),
        (SLOTS, {"speed": 1.0}, "has no number 'speed'"),
        ([], {"runtime": 1.0}, "There are 0 slots"),
        ([{"full": {"score": 0.0, "runtime": "fast"}}], {"runtime": 1.0}, "'runtime' of an option is no number"),
    ],
)
def test_every_way_refuses_the_same(way, slots, limits, message):
    with pytest.raises(LabError, match=message):
        WAYS[way](slots, limits)


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_that_limits_nothing(way):
    assert WAYS[way](SLOTS, {"runtime": 4.0, "memory": float("inf")}) != ["full", "full"]
    with pytest.raises(search.Infeasible, match="exceeds runtime 1 by 1"):
        WAYS[way](SLOTS, {"runtime": 1.0, "memory": float("inf")})


def test_a_way_that_misses_what_is_there_says_so():
    """Only one of each kind fits, which no architecture of equal layers is."""
    options = {"a": {"score": 0.0, "runtime": 3.0, "memory": 1.0}, "b": {"score": 0.0, "runtime": 1.0, "memory": 3.0}}
    limits = {"runtime": 4.0, "memory": 4.0}
    assert sorted(search.solve([options] * 2, "score", limits)) == ["a", "b"]
    with pytest.raises(search.Infeasible, match="finds none of the architectures that meet the limits; use solve"):
        search.uniform([options] * 2, "score", limits)


def test_choices_of_other_slots():
    with pytest.raises(LabError, match="1 options for 2 slots"):
        search.total(SLOTS, ["full"], "score")
    with pytest.raises(LabError, match="option of slot 1 'nine'"):
        search.total(SLOTS, ["full", "nine"], "score")
    with pytest.raises(LabError, match="no number 'speed'"):
        search.total(SLOTS, ["full", "full"], "speed")
    with pytest.raises(LabError, match="option of slot 0 'nine'"):
        search.solve(SLOTS, "score", {}, previous=[["nine", "full"]])
    with pytest.raises(LabError, match="1 options for 2 slots"):
        search.solve(SLOTS, "score", {}, previous=[["full"]])
    with pytest.raises(LabError, match="2 and 1 slots"):
        search.overlap(["full", "none"], ["full"])


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_that_is_no_share(alpha):
    with pytest.raises(LabError, match="alpha is"):
        search.solve(SLOTS, "score", {}, previous=[["full", "full"]], alpha=alpha)
