"""Settings of notebook 00."""

from collections.abc import Callable

from nemo_lab.studies.start_here.settings import SETTINGS
from tests.studies.settings_contract import each_promise


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("00_start_here")


def test_what_a_sample_goes_on_from_is_the_same_everywhere() -> None:
    assert {(s.prompt, s.temperature) for s in SETTINGS.values()} == {("The", 0.7)}
