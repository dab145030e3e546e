"""Settings of notebook 90: what is timed is worth timing."""

from collections.abc import Callable

from nemo_lab.studies.performance.grpo import MODELS
from nemo_lab.studies.performance.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("90_performance")


@each_scale
def test_each_side_is_timed_and_policies_are_there(scale: str) -> None:
    s = SETTINGS[scale]
    assert 1 <= s.grpo_models <= len(MODELS)
    assert s.grpo_group >= 2
    assert s.budget > 0
