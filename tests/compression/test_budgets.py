"""Budgets of the published sizes, against figures of the papers and arithmetic by hand."""

import math
from functools import partial
from typing import Any

import pytest
from tiny_pruning import TINY

from nemo_lab.compression import budgets
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM, costs
from nemo_lab.modeling.presets import preset
from nemo_lab.studies.pruning_distillation import published_budgets


def test_the_a10g_leaves_what_the_paper_says() -> None:
    assert round(published_budgets.a10g_budget_gib(), 2) == 19.66


def test_bytes_are_counted_by_hand() -> None:
    """Weights in 4.5 bits, two sequences of ten tokens, 8-bit keys and values, 32-bit states, bf16 tails."""
    cache = 10 * 1 * 2 * 2 * 8 * 1  # one attention layer, keys and values, 2 heads of 8
    states = 2 * (48 * 5 * 4 + 3 * (48 + 2 * 2 * 5) * 2)  # two Mamba-2 layers
    expected = costs.parameter_count(TINY) * 4.5 / 8 + 2 * (cache + states)
    found = budgets.deployed_gib(TINY, 10, batch=2, weight_bits=4.5, kv_bits=8, ssm_bits=32)
    assert found * 2**30 == pytest.approx(expected, abs=1e-6)


def test_of_the_nano_models_only_the_published_child_fits() -> None:
    fits = {
        name: budgets.deployed_gib(config, published_budgets.NANO_CONTEXT) <= published_budgets.a10g_budget_gib()
        for name, config in published_budgets.nano_models().items()
    }
    assert fits == {"12B parent": False, "depth only": False, "9B, published": True}
    assert costs.parameter_count(published_budgets.nano_models()["depth only"]) / 1e9 == pytest.approx(11.39, abs=0.005)


def test_the_search_returns_all_that_fits_and_nothing_else() -> None:
    found = published_budgets.nano_candidates()
    sizes = [one.size for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) <= published_budgets.a10g_budget_gib() < min(sizes) + 5
    everything = published_budgets.nano_candidates(1e9)
    grid = len(published_budgets.NANO_D_MODEL) * len(published_budgets.NANO_D_FF) * len(published_budgets.NANO_HEADS)
    assert len(everything) == grid
    assert sum(one.size <= published_budgets.a10g_budget_gib() for one in everything) == len(found)
    published = preset("nemotron-nano-9b-v2")
    assert published in [one.config for one in found]
    assert all(one.config.pattern.count("*") == published_budgets.NANO_ATTENTION for one in found)
    assert len(published.pattern) == published_budgets.NANO_LAYERS


def test_a_smaller_budget_never_adds_a_candidate() -> None:
    less, more = (published_budgets.nano_candidates(gib) for gib in (18.0, 19.0))
    assert {one.config for one in less} < {one.config for one in more}


def test_minipuzzle_fits_its_card_and_its_parent_does_not() -> None:
    table = published_budgets.minipuzzle_table().set_index(["model", "weight bits", "KV bits"]).sort_index()
    assert round(table.loc[("nemotron-h-56b", 4.5, 8), "weights GiB"], 1) == 29.5  # the paper's figure for FP4
    assert round(table.loc[("nemotron-h-47b-text", 4, 8), "GiB"], 1) == 31.7
    assert not table.loc["nemotron-h-56b", "fits"].any()
    assert table.loc["nemotron-h-47b-text", "fits"].sum() == 2


def test_latency_counts_layers_in_any_order_and_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer takes a second here: a busy machine can make a shorter model the slower one."""
    timed: list[str] = []

    def per_layer(model: HybridLM, batch: int, context: int, tokens: int) -> float:
        timed.append(model.config.pattern)
        return 1 / len(model.config.pattern)

    monkeypatch.setattr(budgets.measure, "tokens_per_second", per_layer)
    budgets._timed.cache_clear()
    config = HybridConfig(
        pattern="M-M*",
        vocab_size=31,
        d_model=32,
        d_ff=48,
        n_heads=2,
        head_dim=16,
        ssm_heads=2,
        ssm_head_dim=16,
        ssm_state=8,
    )
    found = budgets.decode_seconds(config, 64, 8)
    assert found == 4
    assert budgets.decode_seconds(config.with_(pattern="*M-M"), 64, 8) == found
    assert timed == ["*-MM"] * 3
    assert budgets.decode_seconds(config.with_(pattern="M*"), 64, 8) == 2
    fitting = budgets.widths_under(
        config, found, partial(budgets.decode_seconds, context=64, tokens=8), d_models=[32], d_ffs=[48], heads=[2]
    )
    assert [(one.config, one.size) for one in fitting] == [(config, found)]
    budgets._timed.cache_clear()


@pytest.mark.parametrize("wrong", [-1, math.nan, None, "16"])
def test_lengths_and_widths_are_numbers(wrong: Any) -> None:
    for name in ("context", "batch", "weight_bits", "kv_bits", "ssm_bits"):
        with pytest.raises(LabError, match=f"{name} is {wrong!r}; it must be a finite number at least 0"):
            budgets.deployed_gib(TINY, **{"context": 8} | {name: wrong})


def test_a_budget_is_a_number() -> None:
    with pytest.raises(LabError, match="budget is nan"):
        budgets.widths_under(TINY, math.nan, lambda config: 1.0, d_models=[24], d_ffs=[8], heads=[8])
