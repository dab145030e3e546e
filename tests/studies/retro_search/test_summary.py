"""Tables over seeds, and the interval of a median."""

import math

import numpy as np
import pytest

from nemo_lab.studies.retro_search import summary
from nemo_lab.studies.retro_search.runs import SeedResult


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
