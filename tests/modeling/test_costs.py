"""Costs against torch: parameters on the meta device, FLOPs with its counter, bytes with the real caches."""

import math
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling import costs as c
from nemo_lab.modeling.presets import preset

TINY = HybridConfig(
    pattern="M-M*--*",
    d_model=48,
    d_ff=80,
    vocab_size=97,
    n_heads=6,
    n_kv_heads=2,
    head_dim=8,
    ssm_heads=6,
    ssm_head_dim=8,
    ssm_state=12,
    ssm_groups=3,
    conv_width=3,
    chunk=16,
)


@pytest.mark.parametrize("pattern", ["M", "*", "-", "M-M*--*"])
def test_parameters_are_torchs(pattern: str) -> None:
    config = TINY.with_(pattern=pattern)
    model = HybridLM(config)
    assert c.parameter_count(config) == model.parameter_count()
    parts = c.parameters(config)
    assert parts["head"] == model.head.weight.numel()
    norms = sum(p.numel() for n, p in model.named_parameters() if n.endswith("norm.weight"))
    assert parts["norms"] == norms


@torch.no_grad()
def counted(model: HybridLM, length: int) -> dict[str, int]:
    """FLOPs by operator of one forward pass, by torch's counter."""
    with FlopCounterMode(display=False) as counter:
        model(torch.randint(model.config.vocab_size, (1, length)))
    return {str(op): n for op, n in counter.get_flop_counts()["Global"].items()}


@pytest.mark.parametrize("pattern", ["M", "*", "-", "M-M*--*"])
def test_projection_flops_are_torchs(pattern: str) -> None:
    """Every `mm` of the forward pass is a projection; our prefill counts the head for one token only."""
    config, length = TINY.with_(pattern=pattern), 40
    ours = c.prefill_flops(config, length)
    projections = sum(n for part, n in ours.items() if "projections" in part or part == "FFN")
    theirs = counted(HybridLM(config), length)
    assert projections + length * ours["head"] == theirs["aten.mm"] + theirs.get("aten.addmm", 0)


def test_scan_flops_are_those_of_its_batched_products() -> None:
    config = TINY.with_(pattern="M")
    skip_and_convolution = 2 * config.d_inner + 2 * config.conv_width * config.conv_channels
    ours = c.prefill_flops(config, 64)["Mamba-2 state"] - 64 * skip_and_convolution
    assert ours == counted(HybridLM(config), 64)["aten.bmm"]


def test_attention_flops_are_the_causal_half() -> None:
    config, length = TINY.with_(pattern="*"), 32
    q, k = (torch.randn(1, h, length, config.head_dim) for h in (6, 6))
    with FlopCounterMode(display=False) as counter:
        torch.matmul(torch.matmul(q, k.transpose(2, 3)), k)
    square = counter.get_total_flops()
    assert c.prefill_flops(config, length)["attention scores"] == square * (length + 1) / (2 * length)


def test_decoding_is_constant_for_mamba_and_grows_for_attention() -> None:
    short, long = (c.decode_flops(TINY, context) for context in (10, 10000))
    grows = {part for part in short if long[part] != short[part]}
    assert grows == {"attention scores"}
    assert long["attention scores"] == 1000 * short["attention scores"]


def test_prefill_is_the_sum_of_decoding_steps_but_for_scan_and_head() -> None:
    steps = [c.decode_flops(TINY, context) for context in range(1, 21)]
    prefill = c.prefill_flops(TINY, 20)
    for part in prefill.keys() - {"Mamba-2 state", "head"}:
        assert prefill[part] == sum(step[part] for step in steps)
    assert prefill["head"] == steps[0]["head"]


def test_training_flops_are_about_six_a_parameter_and_token() -> None:
    config = preset("nemotron-h-8b")
    weights = c.parameter_count(config) - c.parameters(config)["embedding"]
    assert c.training_flops(config, 8192) / (6 * weights * 8192) == pytest.approx(1.05, abs=0.04)


def test_cache_bytes_by_hand() -> None:
    kv, tail, state = 2 * 2 * 2 * 8 * 2, 2 * 2 * (48 + 72) * 2, 2 * 48 * 12 * 4
    assert c.kv_bytes_per_token(TINY) == kv
    assert c.cache_bytes(TINY, 100) == 100 * kv + tail + state
    assert c.cache_bytes(TINY, 0) == c.state_bytes(TINY)
    assert c.cache_bytes(TINY, 100, kv_bytes=1, ssm_bytes=2, conv_bytes=4) == 50 * kv + 2 * tail + state / 2


def test_nano_v2_budget() -> None:
    """16.56 GiB of weights, 2 GiB of keys at 131,072 tokens, 0.1 GiB of state: 18.7 of 19.66 GiB."""
    config = preset("nemotron-nano-9b-v2")
    total = c.weight_bytes(config) + c.cache_bytes(config, 131072)
    assert total / c.GIB == pytest.approx(18.7, abs=0.05)
    assert c.max_batch(config, 19.66 * c.GIB, 131072) == 1


def test_largest_batch() -> None:
    weights, each = c.weight_bytes(TINY), c.cache_bytes(TINY, 50)
    assert c.max_batch(TINY, weights + 3 * each, 50) == 3
    assert c.max_batch(TINY, weights + 3 * each - 1, 50) == 2
    assert c.max_batch(TINY, weights - 1, 50) == 0
    with pytest.raises(LabError, match="keeps no cache"):
        c.max_batch(TINY.with_(pattern="-"), 1e9, 50)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, None, "80e9"])
def test_a_budget_is_a_number(wrong: Any) -> None:
    with pytest.raises(LabError, match=f"budget_bytes is {wrong!r}; it must be a finite number"):
        c.max_batch(TINY, wrong, 50)
    with pytest.raises(LabError, match=f"context is {wrong!r}; it must be a finite number at least 0"):
        c.max_batch(TINY, 80e9, wrong)
