"""The roofline against a slow loop over the steps, and what it refuses."""

from typing import Any

import pytest

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, roofline
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
H100 = roofline.HARDWARE["h100"]


def test_hardware_names_its_source() -> None:
    assert (H100.flops, H100.bandwidth, H100.memory) == (989e12, 3.35e12, 80e9)
    assert all("datasheet" in hardware.source for hardware in roofline.HARDWARE.values())


def test_throughput_by_hand() -> None:
    """A slow loop over the steps, with the definition of the roofline written out."""
    machine = roofline.Hardware("toy", flops=2e6, bandwidth=3e6, memory=1e9, source="")
    weights = 2 * (c.parameter_count(TINY) - c.parameters(TINY)["embedding"])
    prefill = max(4 * sum(c.prefill_flops(TINY, 30).values()) / 2e6, weights / 3e6)
    decode = 0.0
    for context in range(31, 37):
        moved = weights + 4 * (c.kv_bytes_per_token(TINY) * context + 2 * c.state_bytes(TINY))
        decode += max(4 * sum(c.decode_flops(TINY, context).values()) / 2e6, moved / 3e6)
    result = roofline.throughput(TINY, machine, 30, 7, batch=4)
    assert (result.prefill_seconds, result.decode_seconds) == pytest.approx((prefill, decode))
    assert result.tokens_per_second == pytest.approx(4 * 7 / (prefill + decode))


def test_throughput_takes_the_largest_batch_and_scales_with_the_machine() -> None:
    config = preset("nemotron-h-8b")
    full = roofline.throughput(config, H100, 65536, 1024)
    assert full.batch == c.max_batch(config, 80e9, 66560)
    assert full.weight_gib + full.cache_gib < 80e9 / c.GIB
    half = roofline.throughput(config, H100, 65536, 1024, compute_efficiency=0.5, bandwidth_efficiency=0.5)
    assert half.tokens_per_second == pytest.approx(full.tokens_per_second / 2)
    two = roofline.throughput(config, H100, 65536, 1024, gpus=2)
    assert two.batch > 2 * full.batch
    assert two.tokens_per_second > full.tokens_per_second


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inputs": 0}, "inputs is 0; it must be a whole number of at least 1"),
        ({"outputs": 1.5}, "outputs is 1.5; it must be a whole number"),
        ({"batch": -1}, "batch is -1; it must be a whole number of at least 0"),
        ({"gpus": 0}, "gpus is 0"),
        ({"memory_share": 1.5}, "memory_share is 1.5; it must be a finite number above 0 and at most 1"),
        ({"compute_efficiency": 0}, "compute_efficiency is 0"),
        ({"bandwidth_efficiency": None}, "bandwidth_efficiency is None"),
        ({"bytes_per_weight": -2}, "bytes_per_weight is -2"),
        ({"batch": 10**6}, "1000000 sequences .* do not fit on 1 x H100"),
        ({"memory_share": 0.1}, "the weights take 15.1 of 7.5 GiB"),
    ],
)
def test_impossible_requests_are_one_sentence(options: dict[str, Any], words: str) -> None:
    with pytest.raises(LabError, match=words):
        roofline.throughput(preset("nemotron-h-8b"), H100, **{"inputs": 65536, "outputs": 1024} | options)
