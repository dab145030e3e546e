"""Tables over seeds, and the interval of a median."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nemo_lab.reasoning.retro.thoughts import Shape
from nemo_lab.studies.retro_search import summary
from nemo_lab.studies.retro_search.measures import Cost, ExamResult
from nemo_lab.studies.retro_search.runs import SeedResult


def exam(accuracy: float, tokens: float, *shapes: Shape) -> ExamResult:
    return ExamResult(accuracy, tokens, accuracy / 2, tokens * 2, shapes)


def results() -> list[SeedResult]:
    """Two seeds in round numbers."""
    long, short = Shape(40, 12, 4, 0.5), Shape(20, 6, 2, 0.75)
    cost = Cost(10, 12.0, 9.0, 40.0, 30.0, 30, 600, 0.5, 0.2, 0.4)
    first, second = SeedResult(0), SeedResult(1)
    first.outcomes = {"originals": exam(0.5, 40, long, long), "cut": exam(0.6, 30, short)}
    second.outcomes = {"originals": exam(0.7, 20, short), "cut": exam(0.4, 5, short)}
    first.data, second.data = {"originals": (long,), "cut": (short,)}, {"originals": (long, short), "cut": (short,)}
    first.costs, second.costs = {"self": cost}, {"self": replace(cost, after=6.0, tokens=1000)}
    return [first, second]


def test_savings_and_gains_are_per_seed_and_in_order() -> None:
    assert summary.saved(results(), "cut", "originals") == pytest.approx([25, 75])
    assert summary.saved(results(), "cut", "originals", "sampled_tokens") == pytest.approx([25, 75])
    assert summary.gained(results(), "cut", "originals") == pytest.approx([10, -30])


def test_a_table_of_outcomes_has_means_over_seeds_and_over_all_traces_of_the_data() -> None:
    table = summary.outcome_table(results(), ["originals", "cut"])
    assert table.loc["originals"].to_dict() == pytest.approx(
        {"data steps": 10, "accuracy": 0.6, "tokens": 30, "sampled_accuracy": 0.3, "sampled_tokens": 60}
    )
    assert table.loc["cut", "data steps"] == 6


def test_a_table_of_costs_is_per_trace_and_in_per_cent() -> None:
    row = summary.cost_table(results(), ["self"]).loc["self"].to_dict()
    assert row == pytest.approx(
        {
            "steps before": 12,
            "steps after": 7.5,
            "saved, %": 37.5,
            "rollouts": 3,
            "tokens": 80,
            "sound before, %": 20,
            "sound after, %": 40,
            "taken, %": 50,
        }
    )


def test_a_median_has_an_interval_and_needs_a_number() -> None:
    values = [*np.random.default_rng(0).lognormal(size=400).tolist(), math.nan]
    middle, low, high = summary.bootstrap_median(values)
    assert low < middle < high
    assert 0.85 < low < 1 < high < 1.2 or low < 1.1
    assert summary.bootstrap_median([3.0]) == (3, 3, 3)
    for nothing in ([], [math.nan]):
        with pytest.raises(ValueError, match="at least one"):
            summary.bootstrap_median(nothing)


def test_traits_are_those_of_right_samples_of_all_seeds() -> None:
    found = summary.traits(results(), "originals")
    assert {name: middle for name, (middle, _, _) in found.items()} == {
        "tokens": 40,
        "switches": 3,
        "steps_per_thought": 3,
        "answer_at": 0.5,
    }
    assert found["tokens"][1:] == (20, 40)
