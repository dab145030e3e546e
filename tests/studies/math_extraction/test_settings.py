"""Settings of notebook 01: every manual is one that can be had."""

from collections.abc import Callable

from nemo_lab.studies.math_extraction.manuals import MANUALS
from nemo_lab.studies.math_extraction.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("01_math_extraction")


@each_scale
def test_manuals_are_known_and_differ(scale: str) -> None:
    s = SETTINGS[scale]
    assert set(s.manuals) <= {manual.name for manual in MANUALS}
    assert len(set(s.manuals)) == len(s.manuals) > 1
    assert s.d_model % 32 == 0
