"""Published models against the sheet's table (papers/hybrid.md, section 1.2); tiny models."""

from typing import Any

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.costs import GIB, kv_bytes_per_token, parameter_count, state_bytes
from nemo_lab.modeling.presets import HYBRIDS, TRANSFORMERS, VARIANTS, preset, tiny_hybrid

# name: layers, Mamba-2, attention, FFN, attention share in %, billions of parameters, KV bytes a token
TABLE = {
    "nemotron-h-4b": (52, 24, 4, 24, 7.7, 4.489, 16384),
    "nemotron-h-8b": (52, 24, 4, 24, 7.7, 8.101, 16384),
    "nemotron-h-47b": (98, 45, 5, 48, 5.1, 46.79, 20480),
    "nemotron-h-47b-text": (98, 44, 5, 49, 5.1, 46.86, 20480),
    "nemotron-h-56b": (118, 54, 10, 54, 8.5, 56.32, 40960),
    "nemotron-nano-12b-v2": (62, 28, 6, 28, 9.7, 12.31, 24576),
    "nemotron-nano-9b-v2": (56, 27, 4, 25, 7.1, 8.888, 16384),
}
ATTENTION = {  # 0-based positions
    "nemotron-h-8b": [7, 18, 29, 40],
    "nemotron-h-56b": [7, 18, 29, 40, 51, 62, 73, 84, 95, 106],
    "nemotron-h-47b": [17, 38, 49, 60, 86],
    "nemotron-nano-12b-v2": [7, 16, 25, 34, 43, 52],
    "nemotron-nano-9b-v2": [14, 21, 30, 39],
}


@pytest.mark.parametrize("name", TABLE)
def test_published_hybrid(name: str) -> None:
    config, (layers, mamba, attention, ffn, share, billions, kv) = preset(name), TABLE[name]
    assert len(config.pattern) == layers
    assert [config.count(kind) for kind in "M*-"] == [mamba, attention, ffn]
    assert round(100 * attention / layers, 1) == share
    assert kv_bytes_per_token(config) == kv
    with torch.device("meta"):
        parameters = HybridLM(config).parameter_count()
    assert parameters == parameter_count(config)
    assert f"{parameters / 1e9:.4g}" == f"{billions:.4g}"


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_positions(name: str) -> None:
    assert [i for i, letter in enumerate(preset(name).pattern) if letter == "*"] == ATTENTION[name]


def test_the_47b_strings_differ_in_one_layer() -> None:
    code, text = preset("nemotron-h-47b").pattern, preset("nemotron-h-47b-text").pattern
    assert [(i, a, b) for i, (a, b) in enumerate(zip(code, text, strict=True)) if a != b] == [(74, "M", "-")]


def test_9b_is_a_subsequence_of_12b() -> None:
    parent = iter(preset("nemotron-nano-12b-v2").pattern)
    assert all(letter in parent for letter in preset("nemotron-nano-9b-v2").pattern)


@pytest.mark.parametrize(
    ("name", "gib"), [("nemotron-h-8b", 0.095), ("nemotron-h-56b", 0.85), ("nemotron-nano-9b-v2", 0.134)]
)
def test_state_size(name: str, gib: float) -> None:
    assert state_bytes(preset(name)) / GIB == pytest.approx(gib, abs=0.0006)


@pytest.mark.parametrize(
    ("name", "tokens"), [("nemotron-h-8b", 3200), ("nemotron-h-56b", 11200), ("nemotron-nano-9b-v2", 4400)]
)
def test_context_at_which_keys_outgrow_a_bf16_state(name: str, tokens: int) -> None:
    config = preset(name)
    assert state_bytes(config, ssm_bytes=2) / kv_bytes_per_token(config) == pytest.approx(tokens, rel=0.02)


def test_4b_without_embeddings() -> None:
    config = preset("nemotron-h-4b")
    assert parameter_count(config) - 2 * config.vocab_size * config.d_model == pytest.approx(3.68e9, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "billions", "kv"),
    [
        ("nemotron-t-8b", 8.05, 131072),
        ("llama-3.1-8b", 8.03, 131072),
        ("llama-3.1-70b", 70.6, 327680),
        ("llama-3.1-405b", 405.9, 516096),
        ("qwen2.5-7b", 7.62, 57344),
        ("qwen2.5-72b", 72.7, 327680),
        ("qwen3-8b", 8.19, 147456),
    ],
)
def test_transformers(name: str, billions: float, kv: int) -> None:
    config = preset(name)
    assert parameter_count(config) == pytest.approx(billions * 1e9, rel=1e-3)
    assert kv_bytes_per_token(config) == kv
    assert config.rope_theta > 0


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(LabError, match=r"Unknown preset 'nemotron-h-9b', did you mean .*nemotron-h-8b"):
        preset("nemotron-h-9b")
    with pytest.raises(LabError, match="Unknown preset None"):
        preset(None)  # type: ignore[arg-type]
    assert not set(HYBRIDS) & set(TRANSFORMERS) & set(VARIANTS)


def test_tiny_model_of_a_wrong_width() -> None:
    with pytest.raises(LabError, match="d_model is 100; the tiny models need a multiple of 32"):
        tiny_hybrid(100)


@pytest.mark.parametrize("d_model", [0, -32, 64.0, "64", None])
def test_tiny_model_of_no_width(d_model: Any) -> None:
    with pytest.raises(LabError, match=f"d_model is {d_model!r}; it must be a whole number of at least 1"):
        tiny_hybrid(d_model)


def test_tiny_model_of_an_unknown_size() -> None:
    with pytest.raises(LabError, match="Unknown size of a model 'd_fff', did you mean 'd_ff'"):
        tiny_hybrid(64, d_fff=128)


def test_a_tiny_model_runs() -> None:
    model = HybridLM(tiny_hybrid(32, vocab_size=64))
    assert model(torch.randint(64, (1, 9))).shape == (1, 9, 64)
