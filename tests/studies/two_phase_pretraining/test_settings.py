"""Settings of notebook 04: weights and odds are ratios, and a switch falls within the run."""

from collections.abc import Callable

import pytest

from nemo_lab.studies.two_phase_pretraining.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale, refused


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("04_two_phase_pretraining")


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("ratio", -2.0, "Parameter ratio is -2.0, expected a positive number"),
        ("odds", 0.0, "Parameter odds is 0.0, expected a positive number"),
    ],
)
def test_what_no_experiment_can_use_is_refused(knob: str, value: object, words: str) -> None:
    refused("04_two_phase_pretraining", knob, value, words)


@each_scale
def test_switches_fall_within_the_run(scale: str) -> None:
    s = SETTINGS[scale]
    assert all(0 < share < 1 for share in (s.switch, *s.switches))
    assert s.switch not in s.switches, "the sweep has others"
    assert s.unique_scarce < s.unique
    assert s.steps % s.shrink == 0
    assert s.d_model % 32 == 0
