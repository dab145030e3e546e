"""The experiment of one seed at a tiny size, what it promises about its arms, and what is made of its results."""

import math

import numpy as np
import pytest
import torch

from nemo_lab.reasoning import retro_runs, rule_puzzles
from nemo_lab.reasoning import retro_summary as summary
from nemo_lab.reasoning.retro_runs import Plan, SeedResult, one_seed
from nemo_lab.reasoning.retro_view import SideBySide

TINY = Plan(
    rules=2,
    hops=2,
    leave=0.8,
    batch_size=24,
    peak_lr=1.5e-2,
    steps=260,
    tune_steps=3,
    tune_lr=1e-3,
    questions=60,
    held_out=20,
    max_new_tokens=50,
    alternatives=1,
    gamma=0.9,
    beta=6,
    d_model=32,
    d_weak=16,
    weak_steps=(0, 10),
    weak_lr=1e-2,
)


@pytest.fixture(scope="module")
def result() -> SeedResult:
    return one_seed(TINY, 7, keep=3, ablations=10)


def test_every_arm_learns_from_the_same_questions(result: SeedResult) -> None:
    sizes = {len(data) for data in result.data.values()}
    assert len(sizes) == 1
    assert sizes.pop() > 5
    assert set(result.data) == set(result.outcomes)


def test_the_data_are_what_their_names_say(result: SeedResult) -> None:
    steps = {kind: sum(shape.steps for shape in data) for kind, data in result.data.items()}
    assert steps["originals"] == steps["originals, other seed"] == steps["student: revised by an untrained model"]
    for kind in ("Retro-Search", "shortest of n", "truncated", "cut"):
        assert steps[kind] < steps["originals"], kind
    assert result.costs["self"].after == pytest.approx(steps["Retro-Search"] / result.costs["self"].traces)


def test_baselines_spend_what_the_revision_spent(result: SeedResult) -> None:
    budget = result.costs["self"].tokens
    for kind, spent in result.spent.items():
        assert budget <= spent < 1.2 * budget + 2 * TINY.max_new_tokens, kind


def test_an_untrained_reviser_is_of_no_use_and_revisers_come_in_order(result: SeedResult) -> None:
    untrained = result.revisers[0][1]
    assert (untrained.accepted, untrained.before) == (0, untrained.after)
    assert len(result.revisers) == len(TINY.weak_steps)
    assert result.accuracy["reviser"] == result.revisers[-1][0]


def test_a_seed_gives_the_same_result_again(result: SeedResult) -> None:
    again = one_seed(TINY, 7, keep=3, ablations=10)
    assert again.outcomes == result.outcomes
    assert again.costs == result.costs
    assert all(torch.equal(again.state[name], result.state[name]) for name in again.state)


def test_a_model_that_answers_nothing_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="answers no question"):
        one_seed(replace(TINY, steps=1), 7)


def test_taught_and_revised_questions_differ_from_those_for_judging() -> None:
    train, test = (retro_runs.questions(TINY, 0, split, 50) for split in ("train", "test"))
    taught = {rule_puzzles.puzzle(0, "train", n, 2, 2).prompt for n in range(24 * 260)}
    assert not {item.prompt for item in test} & taught
    assert not {item.prompt for item in test} & {item.prompt for item in train}


# --- summaries


def test_savings_and_gains_are_per_seed(result: SeedResult) -> None:
    outcome = result.outcomes["Retro-Search"]
    base = result.outcomes["originals"]
    (saved,) = summary.saved([result], "Retro-Search", "originals")
    assert saved == pytest.approx(100 - 100 * outcome.tokens / base.tokens)
    assert summary.gained([result] * 2, "originals", "originals") == [0, 0]
    table = summary.outcome_table([result], ["originals", "cut"])
    assert list(table.index) == ["originals", "cut"]
    assert summary.cost_table([result], ["ban: never"]).loc["ban: never", "taken, %"] <= 100


def test_a_median_has_an_interval_and_needs_a_number() -> None:
    values = [*np.random.default_rng(0).lognormal(size=400).tolist(), math.nan]
    middle, low, high = summary.bootstrap_median(values)
    assert low < middle < high
    assert 0.85 < low < 1 < high < 1.2 or low < 1.1
    assert summary.bootstrap_median([3.0]) == (3, 3, 3)
    for nothing in ([], [math.nan]):
        with pytest.raises(ValueError, match="at least one"):
            summary.bootstrap_median(nothing)


def test_traits_of_samples(result: SeedResult) -> None:
    for middle, low, high in summary.traits([result], "originals").values():
        assert low <= middle <= high


# --- the view


def test_the_view_escapes_and_marks() -> None:
    view = SideBySide("<img src=x>", "a\n\n<b>\n\nWait, <i>", "a\n\n&", ("wait",))
    shown = view._repr_html_()
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;b&gt;" in shown
    assert "font-weight:bold" in shown
    assert view.shared == 1
    assert repr(view).splitlines()[1:] == ["  3 steps: a | -<b> | -Wait, <i>", "  2 steps: a | +&"]
