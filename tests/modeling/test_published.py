"""What the papers print about throughput against the roofline."""

import pytest

from nemo_lab.modeling import roofline
from nemo_lab.modeling.presets import preset
from nemo_lab.modeling.published import PUBLISHED_RATIOS, compare_published

H100 = roofline.HARDWARE["h100"]

# Output tokens/s per GPU on H100 at 65,536 in and 1,024 out, read off Nemotron-H's Figures 1 and 7. Baselines
# ran on another engine (vLLM 0.7.3); the clean comparison is the one with nemotron-t-8b.
PUBLISHED_TOKENS_PER_SECOND = {
    "nemotron-h-8b": 210.9,
    "nemotron-t-8b": 96.9,
    "llama-3.1-8b": 70.5,
    "qwen2.5-7b": 119.6,
    "nemotron-h-56b": 25.6,
    "nemotron-h-47b": 31.8,
    "llama-3.1-70b": 10.8,
    "qwen2.5-72b": 10.7,
    "llama-3.1-405b": 1.35,
}


def test_published_ratios_are_of_the_roofline_s_order() -> None:
    """Not the paper's numbers, but its direction, and within a factor of two of each."""
    rows = compare_published()
    assert len(rows) == len(PUBLISHED_RATIOS)
    for row in rows:
        assert 0.5 < row["roofline_ratio"] / row["ratio"] < 2, row
        assert row["roofline_ratio"] > 1
        assert row["model_batch"] > row["baseline_batch"]


def test_no_published_speed_beats_the_roofline() -> None:
    """An upper bound that a measured value exceeds would be wrong."""
    for name, measured in PUBLISHED_TOKENS_PER_SECOND.items():
        gpus = 16 if "405b" in name else 1 if name.endswith(("-8b", "-7b")) else 8
        assert roofline.throughput(preset(name), H100, 65536, 1024, gpus=gpus).tokens_per_second > measured


def test_matched_control_is_the_clean_ratio() -> None:
    """T-8B and Llama-3.1-8B have equal KV caches, so the model cannot explain 96.9 against 70.5 tokens/s."""
    control, llama = (roofline.throughput(preset(n), H100, 65536, 1024) for n in ("nemotron-t-8b", "llama-3.1-8b"))
    assert control.tokens_per_second == pytest.approx(llama.tokens_per_second, rel=0.01)
    published = PUBLISHED_TOKENS_PER_SECOND
    assert published["nemotron-t-8b"] / published["llama-3.1-8b"] > 1.3
