"""Settings of notebook 05: contexts grow, and a recall row has as many keys as it asks for."""

from collections.abc import Callable

from nemo_lab.studies.hybrid_architecture.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("05_hybrid_architecture")


@each_scale
def test_contexts_grow_and_keys_suffice(scale: str) -> None:
    s = SETTINGS[scale]
    assert list(s.contexts) == sorted(set(s.contexts))
    assert s.recall_pairs <= s.recall_keys
    assert s.d_model % 32 == 0
