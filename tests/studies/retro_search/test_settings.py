"""Settings of notebook 11: a habit is a share, a value is discounted, and the first reviser is untrained."""

from collections.abc import Callable

import pytest

from nemo_lab.studies.retro_search.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale, refused


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("11_retro_search")


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("leave", 1.5, "Parameter leave is 1.5, expected from 0 to 1"),
        ("leave", -0.1, "leave is -0.1"),
        ("gamma", 0.0, "gamma is 0.0, expected above 0 and at most 1"),
        ("gamma", 1.1, "gamma is 1.1"),
        ("weak_steps", (10, 20), "must begin with 0, the untrained reviser"),
    ],
)
def test_what_no_experiment_can_use_is_refused(knob: str, value: object, words: str) -> None:
    refused("11_retro_search", knob, value, words)


@each_scale
def test_the_reviser_is_the_smaller_and_looked_at_in_order(scale: str) -> None:
    s = SETTINGS[scale]
    assert s.d_weak < s.d_model
    assert list(s.weak_steps) == sorted(set(s.weak_steps))
    assert s.ablations <= s.questions
    assert s.d_model % 16 == 0
