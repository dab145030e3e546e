"""Settings of notebook 07: heads divide into groups, and two attention layers are there to choose from."""

from collections.abc import Callable

import pytest

from nemo_lab.studies.pruning_distillation.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale, refused


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("07_pruning_distillation")


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("ssm_heads", 30, "ssm_heads is 30, expected a multiple of 24"),
        ("pattern", "M-M*-M-", "expected two attention layers"),
    ],
)
def test_what_no_experiment_can_use_is_refused(knob: str, value: object, words: str) -> None:
    refused("07_pruning_distillation", knob, value, words)


@each_scale
def test_children_are_smaller_and_widths_fit(scale: str) -> None:
    s = SETTINGS[scale]
    assert 0 < s.share < 1
    assert 0 < s.memory < 1
    assert s.d_model % 16 == 0
    assert s.context <= s.long_context
    assert s.heal_steps < s.long_steps
