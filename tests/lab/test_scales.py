"""Scales and knobs: what is refused, and that the refusal lists what is valid."""

import dataclasses
import math
from types import MappingProxyType

import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab import scales
from nemo_lab.lab.scales import SCALES, check_seed, choose_scale, rank, resolve


@dataclasses.dataclass(frozen=True)
class Probe:
    steps: int = 3
    rate: float = 0.5
    name: str = "adam"
    deep: bool = False
    contexts: tuple[int, ...] = (128, 256)
    offset: int = 0
    limit: float | None = None


@pytest.fixture(autouse=True)
def probe(monkeypatch):
    monkeypatch.delenv("NEMO_LAB_SCALE", raising=False)
    table = MappingProxyType({"99_probe": {scale: Probe(steps=rank(scale) + 1) for scale in SCALES}})
    monkeypatch.setattr(scales, "SETTINGS", table)


def test_empty_scale_is_environment_then_laptop(monkeypatch):
    assert choose_scale() == choose_scale("") == "laptop"
    monkeypatch.setenv("NEMO_LAB_SCALE", "smoke")
    assert choose_scale("") == "smoke"
    assert resolve("99_probe").steps == 1


def test_explicit_scale_wins_over_environment(monkeypatch):
    monkeypatch.setenv("NEMO_LAB_SCALE", "smoke")
    assert choose_scale("gpu") == "gpu"
    assert resolve("99_probe", "gpu").steps == 3


@pytest.mark.parametrize("wrong", ["lptop", "Laptop", "xl"])
def test_unknown_scale_lists_all(wrong, monkeypatch):
    with pytest.raises(LabError, match="smoke, laptop, gpu, cluster") as caught:
        choose_scale(wrong)
    assert repr(wrong) in str(caught.value)
    monkeypatch.setenv("NEMO_LAB_SCALE", wrong)
    with pytest.raises(LabError, match="NEMO_LAB_SCALE"):
        choose_scale()


def test_order_of_scales():
    assert [rank(scale) for scale in SCALES] == [0, 1, 2, 3]


def test_misspelt_knob_is_one_sentence_with_suggestion_and_list():
    with pytest.raises(LabError) as caught:
        resolve("99_probe", "laptop", {"stesp": 3})
    assert str(caught.value) == (
        "Unknown parameter 'stesp', did you mean 'steps'; "
        "valid: scale, seed, steps, rate, name, deep, contexts, offset, limit."
    )


def test_unknown_notebook_lists_notebooks():
    with pytest.raises(LabError, match="did you mean '99_probe'"):
        resolve("98_probe")


def test_none_means_the_scales_value():
    assert resolve("99_probe", "laptop", {"steps": None, "rate": None}) == resolve("99_probe", "laptop")


@pytest.mark.parametrize(
    ("knob", "value", "stored"),
    [
        ("steps", 7, 7),
        ("rate", 2, 2.0),
        ("rate", 0.0, 0.0),
        ("name", "sgd", "sgd"),
        ("deep", True, True),
        ("contexts", [1, 2], (1, 2)),
        ("offset", -3, -3),
        ("limit", 2, 2.0),
    ],
)
def test_good_values_are_stored_in_the_fields_type(knob, value, stored):
    got = getattr(resolve("99_probe", "laptop", {knob: value}), knob)
    assert got == stored
    assert type(got) is type(stored)


@pytest.mark.parametrize(
    ("knob", "value", "expected"),
    [
        ("steps", True, "an int"),
        ("steps", 1.0, "an int"),
        ("steps", "3", "an int"),
        ("steps", 0, "a positive int"),
        ("steps", -1, "a positive int"),
        ("rate", True, "a float"),
        ("rate", "0.1", "a float"),
        ("rate", math.nan, "a float"),
        ("rate", math.inf, "a float"),
        ("name", 3, "a str"),
        ("deep", 1, "a bool"),
        ("contexts", 128, "a list of int"),
        ("contexts", [1, "2"], "a list of int"),
        ("contexts", [], "a list of int"),
        ("limit", "x", "float"),
    ],
)
def test_wrong_values_name_knob_value_and_type(knob, value, expected):
    with pytest.raises(LabError) as caught:
        resolve("99_probe", "laptop", {knob: value})
    assert f"Parameter {knob} is {value!r}" in str(caught.value)
    assert expected in str(caught.value)
    assert str(caught.value).count(".\n") == 0


def test_settings_are_frozen_and_not_shared():
    changed = resolve("99_probe", "laptop", {"steps": 9})
    assert resolve("99_probe", "laptop").steps == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.steps = 1


@pytest.mark.parametrize("seed", [True, -1, 2**32, 1.0, "1", None])
def test_bad_seeds(seed):
    with pytest.raises(LabError, match="seed"):
        check_seed(seed)


def test_good_seeds():
    assert [check_seed(seed) for seed in (0, 2**32 - 1)] == [0, 2**32 - 1]
