"""What the settings of every study promise; each study's tests ask for all of it with `each_promise`.

@each_promise
def test_settings(promise):
    promise("05_hybrid_architecture")
"""

import dataclasses
import typing
from pathlib import Path
from typing import Any

import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import claims_of
from nemo_lab.lab.runs.plan import inspect
from nemo_lab.lab.scales import SCALES, resolve
from nemo_lab.studies.registry import SETTINGS

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# A narrow model needs more steps to learn the habit that Retro-Search revises.
SLOWER_AT_SMOKE = {("11_retro_search", "steps")}


def every_scale_is_an_instance_of_one_frozen_class(notebook: str) -> None:
    instances = SETTINGS[notebook]
    assert tuple(instances) == SCALES
    kinds = {type(instance) for instance in instances.values()}
    assert len(kinds) == 1
    assert kinds.pop().__dataclass_params__.frozen


def smoke_is_no_larger_than_laptop(notebook: str) -> None:
    """Whole numbers, and lists by their length and what they add up to."""
    smoke, laptop = (SETTINGS[notebook][scale] for scale in ("smoke", "laptop"))
    larger = [
        field.name
        for field in dataclasses.fields(smoke)
        for less, more in zip(_sizes(getattr(smoke, field.name)), _sizes(getattr(laptop, field.name)), strict=True)
        if less > more
    ]
    assert {(notebook, name) for name in larger} == {pair for pair in SLOWER_AT_SMOKE if pair[0] == notebook}
    assert smoke != laptop


def _sizes(value: Any) -> list[float]:
    if isinstance(value, tuple):
        numbers = [abs(one) for one in value if not isinstance(one, str)]
        return [len(value), sum(numbers)]
    return [value] if isinstance(value, int) else []


def claims_have_three_seeds(notebook: str) -> None:
    """A study has seeds exactly where it has claims to judge."""
    for scale in SCALES[1:]:
        seeds = getattr(SETTINGS[notebook][scale], "seeds", 0)
        assert seeds >= 3 if claims_of(notebook) else seeds == 0


def knobs_of_the_notebook_are_fields_of_their_type(notebook: str) -> None:
    cell = inspect(NOTEBOOKS / f"{notebook}.ipynb")
    types = typing.get_type_hints(type(SETTINGS[notebook]["smoke"]))
    assert {"scale", "seed"} < set(cell)
    knobs = {name: kind for name, (kind, _) in cell.items() if name not in ("scale", "seed")}
    assert knobs == {name: types[name].__name__ for name in knobs if name in types}


def knobs_take_what_laptop_has(notebook: str) -> None:
    """Every field of laptop's settings can be asked for at smoke, all of them together."""
    laptop = SETTINGS[notebook]["laptop"]
    asked = {field.name: getattr(laptop, field.name) for field in dataclasses.fields(laptop)}
    assert resolve(notebook, "smoke", asked) == laptop


PROMISES = (
    every_scale_is_an_instance_of_one_frozen_class,
    smoke_is_no_larger_than_laptop,
    claims_have_three_seeds,
    knobs_of_the_notebook_are_fields_of_their_type,
    knobs_take_what_laptop_has,
)
each_promise = pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
each_scale = pytest.mark.parametrize("scale", SCALES)


def refused(notebook: str, knob: str, value: object, words: str) -> None:
    """The value ends as a sentence with these words before anything runs."""
    with pytest.raises(LabError, match=words):
        resolve(notebook, "smoke", {knob: value})
