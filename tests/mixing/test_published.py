"""Published blends as printed, the arithmetic of the headline, and the planner on a user's numbers."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.published import (
    HEADLINE,
    NEMOTRON_3_NANO,
    NEMOTRON_H,
    RECIPES,
    BlendRecipe,
    decompose,
    plan,
    switch_table,
)

MINE = {
    "web crawl": 2e12,
    "code": 1e11,
    "academic": 8e10,
    "multilingual": 3e11,
    "crawl++": 5e10,
    "math": 1e10,
    "wiki": 5e9,
    "SFT-style": 1e11,
}


def test_sums_are_those_of_the_print() -> None:
    assert NEMOTRON_H.sums == (100.0, 99.1, 99.9, 99.9)
    assert NEMOTRON_3_NANO.sums == (100.0, 100.1)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_recipes_are_on_the_simplex(recipe: BlendRecipe) -> None:
    assert recipe.weights_PK.sum(1) == pytest.approx(1)
    assert sum(recipe.shares) == pytest.approx(1)
    assert recipe.table().shape == (len(recipe.percent), len(recipe.shares))


def test_good_sources_come_late_in_both_recipes() -> None:
    for recipe in RECIPES.values():
        assert recipe.percent["math"][1] > recipe.percent["math"][0]
        assert recipe.percent["wiki"][1] > recipe.percent["wiki"][0]
    assert list(NEMOTRON_H.percent["web crawl"]) == sorted(NEMOTRON_H.percent["web crawl"], reverse=True)


def test_the_headline_is_the_product_of_its_parts() -> None:
    found = decompose(HEADLINE["blend"], HEADLINE["order"])
    assert found["whole"] == pytest.approx(HEADLINE["whole"], abs=0.001)
    assert found["part of blend"] == pytest.approx(0.79, abs=0.005)
    implied = 45.2 * (1 + found["blend"]), 45.2 * (1 + found["whole"])
    assert np.round(implied, 1).tolist() == [51.2, 52.9]


@settings(deadline=None)
@given(st.floats(-0.9, 5), st.floats(-0.9, 5))
def test_gains_multiply_and_parts_sum_to_one(blend: float, order: float) -> None:
    found = decompose(blend, order)
    assert 1 + found["whole"] == pytest.approx((1 + blend) * (1 + order))
    assert math.isnan(found["part of blend"]) or found["part of blend"] + found["part of order"] == pytest.approx(1)


def test_a_total_loss_cannot_be_decomposed() -> None:
    with pytest.raises(MixingError, match="above -1"):
        decompose(-1.0, 0.1)


def test_the_plan_is_the_arithmetic_of_the_sheet() -> None:
    """e_i = Σ_p w_pi T_p / N_i, by hand for mathematics."""
    schedule = plan("nemotron-h", MINE, 1e12)
    at = schedule.names.index("math")
    w = [2.9 / 100.0, 14.0 / 99.1, 10.8 / 99.9, 10.8 / 99.9]
    tokens = sum(share * weight for share, weight in zip((0.6, 0.2, 0.181, 0.019), w, strict=True)) * 1e12
    assert schedule.epochs_K[at] == pytest.approx(tokens / 1e10)
    assert schedule.tokens_PK.sum() == pytest.approx(1e12)
    assert schedule.summary().loc["math", "epochs"] == pytest.approx(tokens / 1e10)


def test_warnings_name_what_is_read_too_often() -> None:
    warnings = plan("nemotron-h", MINE, 1e12).warnings()
    assert len(warnings) == 1
    assert warnings[0].startswith("math is read 6.7 times, more than 4")
    assert "4.0% of the run" in warnings[0]


@settings(deadline=None)
@given(st.floats(1e6, 1e14), st.sampled_from(list(RECIPES)))
def test_a_plan_spends_the_horizon(horizon: float, name: str) -> None:
    tokens = dict.fromkeys(RECIPES[name].percent, 1e9)
    schedule = plan(name, tokens, horizon)
    assert schedule.tokens_PK.sum() == pytest.approx(int(horizon))
    assert (schedule.epochs_K * schedule.unique_K).sum() == pytest.approx(int(horizon))


def test_missing_sources_are_refused_or_spread() -> None:
    few = {name: MINE[name] for name in ("web crawl", "code", "math")}
    with pytest.raises(MixingError, match=r"also reads academic.*missing='spread'"):
        plan("nemotron-h", few, 1e12)
    schedule = plan("nemotron-h", few, 1e12, missing="spread")
    assert schedule.weights_PK.sum(1) == pytest.approx(1)
    assert schedule.weights_PK[0] == pytest.approx(np.array([59.0, 20.0, 2.9]) / 81.9)


def test_phases_of_ones_own() -> None:
    own = BlendRecipe("own", (0.5, 0.5), {"web": (80.0, 20.0), "books": (20.0, 80.0)})
    schedule = plan(own, {"web": 1000, "books": 100}, 1000)
    assert schedule.epochs_K == pytest.approx([0.5, 5.0])
    assert len(schedule.warnings()) == 1
    assert schedule.warnings(max_epochs=5) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "nemotron-x"}, "nemotron-h"),
        ({"tokens": MINE | {"maths": 1e9}}, "math"),
        ({"tokens": MINE | {"math": 0}}, "tokens of 'math' is 0; it must be a finite number at least 1"),
        ({"tokens": MINE | {"math": math.nan}}, "tokens of 'math' is nan"),
        ({"horizon": 0}, "horizon is 0; it must be a finite number at least 1"),
        ({"horizon": math.inf}, "horizon is inf"),
        ({"horizon": None}, "horizon is None"),
        ({"tokens": None}, "tokens are None, expected a number of tokens by the name"),
        ({"tokens": MINE | {"math": "1e9"}}, "tokens of 'math' is '1e9'"),
        ({"recipe": None}, "Unknown recipe None"),
        ({"recipe": ["nemotron-h"]}, "Unknown recipe"),
        ({"missing": "ignore"}, "refuse"),
        ({"tokens": {"SFT-style": 1e9}, "missing": "spread"}, "phase of 'nemotron-h' has none"),
    ],
)
def test_bad_requests_are_sentences(change: dict[str, object], words: str) -> None:
    request = {"recipe": "nemotron-h", "tokens": MINE, "horizon": 1e12, "missing": "refuse"} | change
    with pytest.raises(MixingError, match=words):
        plan(request["recipe"], request["tokens"], request["horizon"], missing=request["missing"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shares", "percent"),
    [
        ((0.5, 0.5), {"a": (100.0,)}),
        ((0.5, 0.4), {"a": (100.0, 100.0)}),
        ((0.5, 0.5), {"a": (1.0, 1.0)}),
        ((0.5, 0.5), {"a": (110.0, 110.0), "b": (-10.0, -10.0)}),
        ((1.0,), {}),
    ],
)
def test_what_is_no_recipe_is_refused(shares: tuple[float, ...], percent: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(MixingError):
        BlendRecipe("own", shares, percent)


def test_the_switch_moved() -> None:
    table = switch_table()
    assert table["switches at, %"].tolist() == ["60", "60", "60, 80, 98.1", "60, 90", "80", "94"]
    assert table.loc[table["run"] == "Nemotron-H, 56B", "learning rate"].item() == "cosine"


@pytest.mark.parametrize(
    ("shares", "percent", "words"),
    [
        ((), {"a": ()}, "needs a share for each phase"),
        (None, {"a": (100.0,)}, "needs a share for each phase"),
        ((1.0,), None, "needs a share for each phase"),
        ((1.0,), {"a": 100.0}, "need 1 percentages"),
        ((math.nan,), {"a": (100.0,)}, "a number of 'shares' is nan"),
        ((1.0,), {"a": (math.nan,)}, "a number of 'a' is nan"),
        ((1.0,), {"a": (-1.0,), "b": (101.0,)}, "a number of 'a' is -1.0; it must be a finite number at least 0"),
        ((1.0,), {"a": ("100",)}, "a number of 'a' is '100'"),
    ],
)
def test_recipes_are_of_numbers(shares: Any, percent: Any, words: str) -> None:
    with pytest.raises(MixingError, match=words):
        BlendRecipe("mine", shares, percent)


@pytest.mark.parametrize("gain", [-1, math.nan, math.inf, None, "0.1"])
def test_gains_are_numbers(gain: Any) -> None:
    with pytest.raises(MixingError, match=f"blend is {gain!r}; it must be a finite number above -1"):
        decompose(gain, 0.1)
    with pytest.raises(MixingError, match=f"order is {gain!r}"):
        decompose(0.1, gain)
