"""Published models against the sheet's table (papers/hybrid.md, section 1.2); patterns; tiny models."""

import math
from typing import Any

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.costs import GIB, kv_bytes_per_token, parameter_count, state_bytes
from nemo_lab.modeling.placement import (
    check_placement,
    hybrid_pattern,
    match_heads,
    match_parameters,
    mixers_placed,
    placed,
)
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
PARENTS = ("nemotron-h-4b", "nemotron-h-8b", "nemotron-h-56b", "nemotron-nano-12b-v2")


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


def test_generator_gives_the_published_strings() -> None:
    for (a, b, c, k), name in {
        (3, 4, 1, 4): "nemotron-h-8b",
        (3, 4, 1, 10): "nemotron-h-56b",
        (3, 3, 1, 6): "nemotron-nano-12b-v2",
    }.items():
        assert hybrid_pattern(a, b, c, k) == preset(name).pattern
    assert [len(hybrid_pattern(*n)) for n in ((1, 4, 1, 2), (1, 3, 1, 2), (1, 2, 1, 2), (1, 4, 1, 1))] == [
        26,
        22,
        18,
        15,
    ]


@pytest.mark.parametrize("name", PARENTS)
def test_placement_gives_the_published_strings(name: str) -> None:
    pattern = preset(name).pattern
    assert placed(len(pattern), pattern.count("*")) == pattern
    assert check_placement(pattern) == []


def test_placement_of_compressed_models_breaks_the_rule_as_known() -> None:
    assert check_placement(preset("nemotron-h-47b").pattern) == [
        "the distances between attention layers, [21, 11, 11, 26], are uneven",
        "45 Mamba-2 and 48 FFN layers are not half and half",
    ]
    assert check_placement(preset("nemotron-nano-9b-v2").pattern) == [
        "27 Mamba-2 and 25 FFN layers are not half and half"
    ]


@pytest.mark.parametrize("layers", range(1, 61))
def test_place_keeps_its_promises(layers: int) -> None:
    for attention in range(layers + 1):
        pattern = placed(layers, attention)
        assert (len(pattern), pattern.count("*")) == (layers, attention)
        broken = " ".join(check_placement(pattern))
        if 0 < attention <= layers // 3:
            assert not any(word in broken for word in ("first", "last", "followed", "uneven", "half"))
        if 2 * attention <= layers:
            assert "followed" not in broken
        if 2 * attention == layers:
            assert pattern == "*-" * attention


@pytest.mark.parametrize("pairs", range(1, 25))
def test_mixers_placed_changes_mixers_only(pairs: int) -> None:
    for attention in range(pairs + 1):
        pattern = mixers_placed(pairs, attention)
        assert pattern[1::2] == "-" * pairs
        assert (len(pattern), pattern.count("*")) == (2 * pairs, attention)
        assert pattern.startswith("M") or attention == pairs
    assert mixers_placed(pairs, 0) == "M-" * pairs
    assert mixers_placed(pairs, pairs) == "*-" * pairs


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("-M*-M-M-M-M-", "first layer"),
        ("M-M*-M-M-M-M", "last layer"),
        ("M-M*M-M-M-M-", "not followed"),
        ("M*-M*-M*-", "33.3%"),
        ("M-" * 12, "0.0%"),
        ("M*-M*-M-M-M-M-M-M-M-M-M*-M-", "uneven"),
        ("M-M*-M-MMMMM-", "half and half"),
        ("", "first layer"),
    ],
)
def test_check_placement_names_what_is_broken(pattern: str, words: str) -> None:
    assert words in " ".join(check_placement(pattern))


def test_placements_that_cannot_be() -> None:
    with pytest.raises(LabError, match="4 layers cannot hold 5 attention layers"):
        placed(4, 5)
    with pytest.raises(LabError, match="4 pairs cannot hold 5 attention layers"):
        mixers_placed(4, 5)


@pytest.mark.parametrize("wrong", [-1, 1.5, "4", None, math.nan])
def test_placements_are_of_whole_numbers(wrong: Any) -> None:
    for make, what in ((placed, "layers"), (mixers_placed, "pairs")):
        with pytest.raises(LabError, match=f"{what} is {wrong!r}; it must be a whole number of at least 1"):
            make(wrong, 0)
        with pytest.raises(LabError, match=f"attention is {wrong!r}; it must be a whole number"):
            make(4, wrong)
    with pytest.raises(LabError, match=f"b is {wrong!r}; it must be a whole number of at least 0"):
        hybrid_pattern(3, wrong, 1, 4)


def test_a_tiny_model_runs() -> None:
    model = HybridLM(tiny_hybrid(32, vocab_size=64))
    assert model(torch.randint(64, (1, 9))).shape == (1, 9, 64)


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


def test_match_parameters_takes_the_nearest_width() -> None:
    config = HybridConfig(pattern="M-*-", d_model=64, vocab_size=100)
    target = parameter_count(config.with_(d_ff=208))
    assert match_parameters(config, target).d_ff == 208
    assert match_parameters(config, target + 900).d_ff == 208  # a step of 8 is 2,048 parameters
    assert match_parameters(config, target + 1200).d_ff == 216
    small = config.with_(d_model=32, pattern="----", d_ff=45)  # a step of 8 is 3 % here
    assert match_parameters(small, parameter_count(small)).d_ff == 45


def test_match_heads_takes_the_nearest_number() -> None:
    config = tiny_hybrid(128, pattern="**", rope_theta=1e4)
    target = parameter_count(config.with_(n_heads=10))
    assert match_heads(config, target).n_heads == 10
    assert match_heads(config, 0).n_heads == config.n_kv_heads
    with pytest.raises(LabError, match="'M-' has no attention"):
        match_heads(tiny_hybrid(128, pattern="M-"), target)


@pytest.mark.parametrize("target", [math.nan, math.inf, None, "1e6"])
def test_targets_are_numbers(target: Any) -> None:
    for match in (match_parameters, match_heads):
        with pytest.raises(LabError, match=f"target is {target!r}; it must be a finite number"):
            match(HybridConfig(), target)


def test_match_parameters_says_when_it_cannot() -> None:
    with pytest.raises(LabError, match="target is 0; it must be a finite number above 0"):
        match_parameters(HybridConfig(), 0)
    with pytest.raises(LabError, match="'MM' has no FFN layer"):
        match_parameters(HybridConfig(pattern="MM"), 10**6)
    with pytest.raises(LabError, match=r"No FFN width brings .* the nearest is .* at d_ff=1"):
        match_parameters(HybridConfig(pattern="M-"), 1000)
