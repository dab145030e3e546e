"""Settings of notebook 06: batches can be halved, and there is something left to run in FP8."""

from collections.abc import Callable

from nemo_lab.studies.fp8_pretraining.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("06_fp8_pretraining")


@each_scale
def test_batches_can_be_halved_and_products_left_in_fp8(scale: str) -> None:
    s = SETTINGS[scale]
    assert s.batch_size % 2 == 0, "the twin sums two halves"
    assert s.d_model % 32 == 0
    assert 4 * s.pairs > 8, "eight products stay in BF16"
    assert max(s.windows, s.probes) <= s.steps
