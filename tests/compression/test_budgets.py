"""Budgets against arithmetic by hand, and latencies that are timed once."""

import math
from functools import partial
from typing import Any

import pytest
from tiny_pruning import TINY

from nemo_lab.compression import budgets
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM, costs


def test_bytes_are_counted_by_hand() -> None:
    """Weights in 4.5 bits, two sequences of ten tokens, 8-bit keys and values, 32-bit states, bf16 tails."""
    cache = 10 * 1 * 2 * 2 * 8 * 1  # one attention layer, keys and values, 2 heads of 8
    states = 2 * (48 * 5 * 4 + 3 * (48 + 2 * 2 * 5) * 2)  # two Mamba-2 layers
    expected = costs.parameter_count(TINY) * 4.5 / 8 + 2 * (cache + states)
    found = budgets.deployed_gib(TINY, 10, batch=2, weight_bits=4.5, kv_bits=8, ssm_bits=32)
    assert found * 2**30 == pytest.approx(expected, abs=1e-6)


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
