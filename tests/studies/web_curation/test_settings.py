"""Settings of notebook 02: shares are shares, and a writer is known."""

from collections.abc import Callable

from nemo_lab.corpora.packages.chat_models import CHAT_MODELS
from nemo_lab.studies.web_curation.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("02_web_curation")


@each_scale
def test_shares_are_shares_and_passes_grow(scale: str) -> None:
    s = SETTINGS[scale]
    assert 0 < s.precision <= 1
    assert 0 < s.top < 1
    assert list(s.epochs) == sorted(set(s.epochs))
    assert s.epochs[0] == 1
    assert s.d_model % 32 == 0
    assert s.writer in CHAT_MODELS
