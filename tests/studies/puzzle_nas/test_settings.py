"""Settings with which no search could end well are refused when they are made."""

from dataclasses import replace

import pytest

from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas.settings import SETTINGS


@pytest.mark.parametrize("share", [-0.5, 0.0, 1.0, 2.0, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(LabError, match="share is"):
        replace(SETTINGS["smoke"], share=share)


@pytest.mark.parametrize("every", [-1, 0, 4])
def test_no_layer_to_record(every):
    with pytest.raises(LabError, match=rf"every is {every}, expected 1 to 3"):
        replace(SETTINGS["smoke"], every=every)


def test_what_is_right_passes():
    assert replace(SETTINGS["smoke"], every=1, share=0.01).share == 0.01
