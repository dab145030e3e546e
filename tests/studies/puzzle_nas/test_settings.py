"""Settings with which no search could end well are refused when they are made."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale


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


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("08_puzzle_nas")


@each_scale
def test_every_scale_has_the_parent_among_its_options(scale: str) -> None:
    s = SETTINGS[scale]
    assert s.layers <= 30
    assert (s.heads[0], s.widths[0]) == ("3", "1536")
    assert {"linear", "0"} <= set(s.heads) & set(s.widths)
