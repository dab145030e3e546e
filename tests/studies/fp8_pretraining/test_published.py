"""What the papers measured of FP8, as data: stretches that follow each other, and figures as printed."""

from itertools import pairwise

import pytest

from nemo_lab.studies.fp8_pretraining.published import ACCURACIES, GAPS, TOKENS, Stretch


def test_the_middle_is_a_share_of_the_run() -> None:
    assert Stretch(0.0, 3.0, 0.0).middle == 50
    assert Stretch(0.5, 1.0, 0.0).middle == pytest.approx(25)
    assert GAPS[-1].middle == pytest.approx(100 * 2.875 / 3)


def test_stretches_follow_each_other_to_the_end_of_the_run() -> None:
    assert all(one.end == other.start for one, other in pairwise(GAPS))
    assert GAPS[-1].end == TOKENS
    assert all(one.start < one.end for one in GAPS)


def test_the_gap_grows_and_stays_below_a_tenth_of_a_per_cent() -> None:
    """The sign is turned: above 0 means that FP8's loss is the higher one, as in the figure."""
    gaps = [one.gap for one in GAPS]
    assert gaps[:5] == sorted(gaps[:5])
    assert min(gaps) > 0
    assert max(gaps) < 0.1


def test_fp8_gains_on_code_and_mathematics_and_is_level_elsewhere() -> None:
    gained = {name: fp8 - bf16 for name, (bf16, fp8) in ACCURACIES.items()}
    assert {name for name, points in gained.items() if points > 5} == {"code", "GSM8K"}
    assert max(abs(gained[name]) for name in ("MMLU", "commonsense")) < 0.5
