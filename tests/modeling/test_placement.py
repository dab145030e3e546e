"""The placement rule gives the published patterns, and widths are matched to a parameter count."""

import math
from typing import Any

import pytest

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.costs import parameter_count
from nemo_lab.modeling.placement import (
    check_placement,
    hybrid_pattern,
    match_heads,
    match_parameters,
    mixers_placed,
    placed,
)
from nemo_lab.modeling.presets import preset, tiny_hybrid

PARENTS = ("nemotron-h-4b", "nemotron-h-8b", "nemotron-h-56b", "nemotron-nano-12b-v2")


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
def test_place_mixers_changes_mixers_only(pairs: int) -> None:
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
