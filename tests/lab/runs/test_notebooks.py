"""Notebooks are found by number, name or path, and stored in one form."""

import nbformat
import pytest

import nemo_lab
from nemo_lab.errors import LabError
from nemo_lab.lab.runs.notebooks import as_committed, find_notebooks, notebooks_folder, read_notebook, tags
from tests.lab.tiny_notebooks import tiny


def test_streams_are_joined_and_widgets_left_out():
    cell = nbformat.v4.new_code_cell("x", execution_count=7)
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="a"),
        nbformat.v4.new_output("stream", name="stdout", text="b"),
        nbformat.v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
        nbformat.v4.new_output("execute_result", data={"text/plain": "1"}, execution_count=7),
    ]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})
    clean = as_committed(notebook, scale="smoke", seed=0, code_hash="x")
    assert [output.get("text") for output in clean.cells[0].outputs] == ["ab", None]
    assert clean.cells[0].outputs[1].execution_count == 1
    assert "widgets" not in clean.metadata
    assert cell.execution_count == 7  # the argument is left alone


def test_outputs_that_say_nothing_of_the_run_go_and_the_rest_stays_in_order():
    def output(kind, **more):
        return nbformat.v4.new_output(kind, **more)

    cell = nbformat.v4.new_code_cell("x", metadata={"tags": ["parameters"], "papermill": {"duration": 3}})
    cell.outputs = [
        output("stream", name="stderr", text="a warning"),
        output("stream", name="stdout", text="a"),
        output("display_data", data={"text/plain": "picture"}),
        output("stream", name="stdout", text="b"),
    ]
    clean = as_committed(nbformat.v4.new_notebook(cells=[cell]), scale="laptop", seed=3, code_hash="abc")
    assert [one.get("text") or one.data["text/plain"] for one in clean.cells[0].outputs] == ["a", "picture", "b"]
    assert tags(clean.cells[0]) == ["parameters"]
    assert "papermill" not in clean.cells[0].metadata
    assert clean.metadata["nemo_lab"] == {"scale": "laptop", "seed": 3, "code_hash": "abc"}


def test_cells_that_ran_are_numbered_from_one_and_prose_is_not():
    cells = [nbformat.v4.new_code_cell(f"cell{k}", execution_count=9 + k) for k in range(2)]
    page = nbformat.v4.new_notebook(cells=[cells[0], nbformat.v4.new_markdown_cell("prose"), cells[1]])
    clean = as_committed(page, scale="smoke", seed=0, code_hash="")
    assert [cell.get("execution_count") for cell in clean.cells] == [1, None, 2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three notebooks, the current one."""
    for name in ("05_hybrid", "06_fp8", "90_speed"):
        tiny(tmp_path / "notebooks", name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "notebooks"


@pytest.mark.parametrize("name", ["05_hybrid", "05_hybrid.ipynb", "05", "5", "hybrid", "notebooks/05_hybrid.ipynb"])
def test_a_notebook_has_several_names(folder, name):
    assert find_notebooks([name]) == [folder / "05_hybrid.ipynb"]


def test_all_are_found_in_order_and_none_twice(folder):
    assert [path.stem for path in find_notebooks([])] == ["05_hybrid", "06_fp8", "90_speed"]
    assert [path.stem for path in find_notebooks(["90", "5", "speed", "05"])] == ["90_speed", "05_hybrid"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("hybird", "did you mean '05_hybrid'"), ("7", "05_hybrid, 06_fp8, 90_speed"), ("no/such.ipynb", "no/such")],
)
def test_an_unknown_notebook_lists_the_known(folder, name, words):
    with pytest.raises(LabError, match=words):
        find_notebooks([name])


def test_a_number_of_two_notebooks_names_none(folder):
    tiny(folder, "05_other")
    with pytest.raises(LabError, match="05_hybrid, 05_other"):
        find_notebooks(["5"])


def test_without_a_folder_the_command_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (notebooks_folder() / "00_start_here.ipynb").is_file(), "the one beside the package"
    monkeypatch.setattr(nemo_lab, "__file__", str(tmp_path / "a/nemo_lab/__init__.py"))
    with pytest.raises(LabError, match="run this in a clone of the Nemo Lab repository"):
        notebooks_folder()
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(LabError, match="No notebook in"):
        find_notebooks([])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"cells": 3}'])
def test_what_is_no_notebook_is_one_sentence(tmp_path, text):
    path = tmp_path / "a.ipynb"
    with pytest.raises(LabError, match="not a readable notebook"):
        read_notebook(path)  # there is none
    path.write_text(text)
    with pytest.raises(LabError, match=r"a\.ipynb' is not a readable notebook"):
        read_notebook(path)
