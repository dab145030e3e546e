"""The notebooks, their studies, and settings by name."""

import dataclasses
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab import scales
from nemo_lab.lab.scales import SCALES
from nemo_lab.studies.hybrid_architecture import settings as hybrid_architecture
from nemo_lab.studies.registry import NOTEBOOKS, SETTINGS, study_of
from tests.studies import settings_contract as promises


@pytest.mark.parametrize("notebook", SETTINGS)
def test_every_notebook_has_every_scale_and_enough_seeds(notebook):
    instances = SETTINGS[notebook]
    assert tuple(instances) == SCALES
    kinds = {type(instance) for instance in instances.values()}
    assert len(kinds) == 1
    assert kinds.pop().__dataclass_params__.frozen
    for scale in SCALES[1:]:
        assert getattr(instances[scale], "seeds", 3) >= 3  # claims need three


def test_the_study_of_a_notebook_is_the_folder_of_its_name():
    assert study_of("05_hybrid_architecture") == "nemo_lab.studies.hybrid_architecture"
    assert study_of("90_performance") == "nemo_lab.studies.performance"


def test_every_stored_notebook_has_a_study_and_every_study_a_notebook():
    root = Path(__file__).parents[2]
    assert tuple(sorted(path.stem for path in (root / "notebooks").glob("*.ipynb"))) == NOTEBOOKS
    folders = {path.parent.name for path in (root / "nemo_lab/studies").glob("*/settings.py")}
    assert {study_of(notebook).rpartition(".")[2] for notebook in NOTEBOOKS} == folders


def test_settings_are_a_table_by_notebook_and_know_no_other():
    assert (tuple(SETTINGS), len(SETTINGS)) == (NOTEBOOKS, 13)
    assert SETTINGS["05_hybrid_architecture"] is hybrid_architecture.SETTINGS
    assert "05_hybrid" not in SETTINGS
    with pytest.raises(KeyError, match="hybrid_architecture"):
        SETTINGS["hybrid_architecture"]


def test_a_study_is_imported_when_it_is_asked_for():
    code = "import sys; from nemo_lab.studies.registry import SETTINGS; before = set(sys.modules)\n"
    code += "SETTINGS['03_climb_mixing']; print(*sorted(n for n in set(sys.modules) - before if 'studies' in n))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"nemo_lab.studies.climb_mixing{end}" for end in ("", ".settings")]


# --- what every study's tests ask for notices what it is there for

HYBRID = dict(hybrid_architecture.SETTINGS)


@dataclasses.dataclass(frozen=True)
class OtherType:
    steps: float = 1.0
    d_model: int = 32


@dataclasses.dataclass(frozen=True)
class NoField:
    steps: int = 1


@dataclasses.dataclass
class NotFrozen:
    steps: int = 1


@pytest.mark.parametrize(
    ("promise", "wrong"),
    [
        (promises.every_scale_is_an_instance_of_one_frozen_class, {k: v for k, v in HYBRID.items() if k != "gpu"}),
        (promises.every_scale_is_an_instance_of_one_frozen_class, HYBRID | {"gpu": NoField()}),
        (promises.every_scale_is_an_instance_of_one_frozen_class, dict.fromkeys(SCALES, NotFrozen())),
        (promises.smoke_is_no_larger_than_laptop, HYBRID | {"smoke": replace(HYBRID["smoke"], steps=241)}),
        (promises.smoke_is_no_larger_than_laptop, HYBRID | {"smoke": replace(HYBRID["smoke"], contexts=(99_999,))}),
        (promises.smoke_is_no_larger_than_laptop, HYBRID | {"smoke": HYBRID["laptop"]}),
        (promises.claims_have_three_seeds, HYBRID | {"gpu": replace(HYBRID["gpu"], seeds=2)}),
        (promises.knobs_of_the_notebook_are_fields_of_their_type, dict.fromkeys(SCALES, OtherType())),
        (promises.knobs_of_the_notebook_are_fields_of_their_type, dict.fromkeys(SCALES, NoField())),
        (promises.knobs_take_what_laptop_has, HYBRID | {"laptop": replace(HYBRID["laptop"], contexts=())}),
        (promises.knobs_take_what_laptop_has, HYBRID | {"laptop": replace(HYBRID["laptop"], steps=0)}),
    ],
)
def test_a_broken_promise_is_noticed(monkeypatch, promise, wrong):
    promise("05_hybrid_architecture")
    for module in (promises, scales):
        monkeypatch.setattr(module, "SETTINGS", {"05_hybrid_architecture": wrong})
    with pytest.raises((AssertionError, LabError)):
        promise("05_hybrid_architecture")
