"""Measured costs of decoding against the formulas of `costs`."""

from typing import Any

import pytest

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.costs import decode_flops
from nemo_lab.modeling.measure import token_cost, tokens_per_second

CONFIG = HybridConfig(vocab_size=64)


@pytest.mark.parametrize("pattern", ["M", "-", "M-"])
def test_layers_without_attention_cost_the_same_at_every_context(pattern: str) -> None:
    model = HybridLM(CONFIG.with_(pattern=pattern))
    assert token_cost(model, 10) == token_cost(model, 500)


def test_attention_grows_with_the_context() -> None:
    model = HybridLM(CONFIG.with_(pattern="*"))
    short, long = token_cost(model, 100), token_cost(model, 1000)
    kv_bytes = 2 * CONFIG.n_kv_heads * CONFIG.head_dim * 4
    assert long.cache_bytes - short.cache_bytes == 900 * kv_bytes
    assert long.flops - short.flops == 900 * 4 * CONFIG.n_heads * CONFIG.head_dim


@pytest.mark.parametrize(("pattern", "tolerance"), [("M", 0.1), ("*", 0.06), ("-", 0.0)])
def test_counted_operations_are_near_the_formula(pattern: str, tolerance: float) -> None:
    """The open chunk of the Mamba cache does the same sums in another order, at slightly other cost."""
    config = CONFIG.with_(pattern=pattern)
    formula = sum(decode_flops(config, 1000).values())
    assert token_cost(HybridLM(config), 1000).flops == pytest.approx(formula, rel=tolerance)


def test_speed_counts_all_sequences() -> None:
    assert tokens_per_second(HybridLM(CONFIG), batch=3, context=20, tokens=2) > 0


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_numbers_of_tokens_are_whole(wrong: Any) -> None:
    model = HybridLM(HybridConfig(vocab_size=16))
    for change, least in (("batch", 1), ("tokens", 1), ("context", 0)):
        if wrong != least:
            with pytest.raises(LabError, match=f"{change} is {wrong!r}; it must be a whole number of at least {least}"):
                tokens_per_second(model, **{"batch": 1, "context": 4, "tokens": 2} | {change: wrong})
