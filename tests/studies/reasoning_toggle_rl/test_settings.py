"""Settings of notebook 09: a teacher errs by a share, and checkpoints come in order."""

from collections.abc import Callable

import pytest

from nemo_lab.studies.reasoning_toggle_rl.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale, refused


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("09_reasoning_toggle_rl")


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("slip", 2.0, "Parameter slip is 2.0, expected from 0 to 1"),
        ("slip", -0.1, "slip is -0.1"),
        ("rl_lr", -1.0, "Parameter rl_lr is -1.0, expected between 0 and 1"),
        ("sft_lr", 1.0, "sft_lr is 1.0"),
        ("chat_lr", 0.0, "chat_lr is 0.0"),
    ],
)
def test_what_no_experiment_can_use_is_refused(knob: str, value: object, words: str) -> None:
    refused("09_reasoning_toggle_rl", knob, value, words)


@each_scale
def test_checkpoints_come_in_order_and_layers_are_there(scale: str) -> None:
    s = SETTINGS[scale]
    assert 0 < s.early < s.middle < 1
    assert 1 <= s.chat_layers <= 30
    assert s.d_model % 16 == 0
    assert s.chat_batch % 2 == 0, "every question goes in both modes"
