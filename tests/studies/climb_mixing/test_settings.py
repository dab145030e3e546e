"""Settings of notebook 03: a mixture needs two clusters, and cells to merge into them."""

from collections.abc import Callable

import pytest

from nemo_lab.studies.climb_mixing.settings import SETTINGS
from tests.studies.settings_contract import each_promise, each_scale, refused


@each_promise
def test_settings_keep_what_all_promise(promise: Callable[[str], None]) -> None:
    promise("03_climb_mixing")


@pytest.mark.parametrize(
    ("knob", "value", "words"),
    [
        ("clusters", 1, "clusters is 1, expected at least 2"),
        ("clusters", 0, "clusters is 0"),
    ],
)
def test_what_no_experiment_can_use_is_refused(knob: str, value: object, words: str) -> None:
    refused("03_climb_mixing", knob, value, words)


@each_scale
def test_there_are_cells_for_all_clusters_and_larger_models(scale: str) -> None:
    s = SETTINGS[scale]
    assert s.k_init >= max(s.clusters, *s.other_clusters)
    assert s.clusters not in s.other_clusters
    assert s.d_proxy < s.d_larger
    assert list(s.rounds) == sorted(s.rounds, reverse=True), "a search narrows"
    assert s.larger_seeds <= s.seeds
