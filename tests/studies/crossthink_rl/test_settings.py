"""Settings of notebook 10: shares are shares, and widths fit the heads."""

from collections.abc import Callable

from nemo_lab.studies.crossthink_rl.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("10_crossthink_rl")


@each_scale
def test_shares_are_shares_and_widths_fit(scale: str) -> None:
    s = SETTINGS[scale]
    assert 0 < s.short < 1
    assert 0 < s.choice < 1
    assert s.d_model % 16 == 0
    assert set(s.pattern) <= set("M*-")
    assert s.pool >= s.prompts // 12, "six domains, two or three times the pool each, fill a step"
