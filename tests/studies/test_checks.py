"""Checks that several studies make of their settings."""

import math

import pytest

from nemo_lab.errors import LabError
from nemo_lab.studies.checks import check_share


@pytest.mark.parametrize("share", [0, 0.0, 0.5, 1, 1.0])
def test_a_share_passes_with_both_its_ends(share: float) -> None:
    check_share("leave", share)


@pytest.mark.parametrize("value", [-1e-9, 1 + 1e-9, 2, -1, math.nan, math.inf])
def test_what_is_no_share_is_one_sentence(value: float) -> None:
    with pytest.raises(LabError, match=rf"^Parameter leave is {value}, expected from 0 to 1, such as 0.8\.$"):
        check_share("leave", value)
