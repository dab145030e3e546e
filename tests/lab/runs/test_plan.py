"""A plan of runs: what is refused before anything runs."""

import nbformat
import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab.runs.plan import convert, plan
from tests.lab.tiny_notebooks import tiny


def jobs_of(paths, out, scale="smoke", seeds=(0,), knobs=()):
    return plan(paths, scale, seeds, knobs, out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": "lptop"}, "Unknown scale 'lptop', did you mean 'laptop'; valid: smoke, laptop, gpu"),
        ({"knobs": [("stpes", "3")]}, "unknown knob 'stpes', did you mean 'steps'"),
        ({"knobs": [("steps", "many")]}, "'many', expected a whole number such as 3"),
        ({"knobs": [("seed", "3")]}, "--seed"),
        ({"seeds": [-1]}, "seed is -1"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_runs(tmp_path, change, message):
    path = tiny(tmp_path / "nb", "10_a")
    with pytest.raises(LabError, match=r"^[^\n]*$") as caught:
        jobs_of([path], tmp_path / "runs", **change)
    assert message in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_knob_must_be_known_to_every_notebook(tmp_path):
    first = tiny(tmp_path / "nb", "10_a")
    second = tiny(tmp_path / "nb", "11_b")
    notebook = nbformat.read(second, as_version=4)
    notebook.cells[1].source = 'scale: str = ""\nseed: int = 0\n'
    nbformat.write(notebook, second)
    with pytest.raises(LabError, match=r"'11_b': unknown knob 'steps'; valid: none"):
        jobs_of([first, second], tmp_path / "runs", knobs=[("steps", "5")])


def test_the_settings_of_a_notebook_check_its_knobs(tmp_path):
    path = tiny(tmp_path / "nb", "00_start_here")
    with pytest.raises(LabError, match=r"steps is -4, expected a positive int"):
        jobs_of([path], tmp_path / "runs", knobs=[("steps", "-4")])
    with pytest.raises(LabError, match=r"steps is 'x', expected an int"):
        jobs_of([path], tmp_path / "runs", knobs=[("steps", "x")])
    assert jobs_of([path], tmp_path / "runs", knobs=[("steps", "7")])[0].injected["steps"] == 7


def test_two_notebooks_of_one_name_are_refused(tmp_path):
    paths = [tiny(tmp_path / folder, "10_a") for folder in ("one", "two")]
    with pytest.raises(LabError, match="Two notebooks are named '10_a'"):
        jobs_of(paths, tmp_path / "runs")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("3", "int", 3), ("0.5", "float", 0.5), ("True", "bool", True), ("a", "str", "a")],
)
def test_values_are_converted_to_the_declared_type(text, kind, value):
    assert convert(text, kind) == value
    assert type(convert(text, kind)) is type(value)


@pytest.mark.parametrize(("text", "kind"), [("3.5", "int"), ("nan", "float"), ("yes", "bool"), ("", "int")])
def test_values_of_another_type_are_refused(text, kind):
    with pytest.raises(ValueError, match=r".*"):
        convert(text, kind)
