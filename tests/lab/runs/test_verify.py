"""`nemo-lab verify`: each way in which stored outputs can be stale or unfit is named, and nothing else."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

import nemo_lab
from nemo_lab.corpora.cards import card_path
from nemo_lab.errors import LabError
from nemo_lab.lab.runs.execute import execute, store
from nemo_lab.lab.runs.notebooks import notebooks_folder
from nemo_lab.lab.runs.plan import plan
from nemo_lab.lab.runs.staleness import code_hash
from nemo_lab.lab.runs.verify import problems, verify
from tests.lab.tiny_notebooks import tiny


def stored(path, change=lambda notebook: None, cells=3):
    """Write a notebook with good stored outputs, one of three compared, after `change`."""
    body = [new_code_cell(f"print({n})", execution_count=n + 1) for n in range(cells)]
    for n, cell in enumerate(body):
        cell.outputs = [new_output("stream", name="stdout", text=f"{n}\n")]
    body[0].metadata["tags"] = ["nbval-check-output"]
    notebook = new_notebook(cells=body)
    nbformat.write(notebook, path)
    notebook.metadata["nemo_lab"] = {"scale": "laptop", "seed": 0, "code_hash": code_hash(path)}
    change(notebook)
    nbformat.write(notebook, path)
    return path


def say(text):
    return lambda notebook: notebook.cells[1].outputs.append(new_output("stream", name="stdout", text=text))


def noise(text):
    return lambda notebook: notebook.cells[2].outputs.append(new_output("stream", name="stderr", text=text))


def error(notebook):
    notebook.cells[2].outputs.append(new_output("error", ename="KeyError", evalue="x"))


def test_good_outputs_have_no_problem(tmp_path):
    assert problems(stored(tmp_path / "10_a.ipynb")) == []


def test_what_run_writes_passes(tmp_path):
    path = tiny(tmp_path / "nb", "10_a", "print(1)")
    assert "no stored outputs" in problems(path)[0]
    [job] = plan([path], "smoke", [0], [], tmp_path / "runs")
    store(job, execute(job))
    assert verify([path]) == {"10_a": []}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nb: nb.cells[0].update(source="print(9)"), "other code than today's"),
        (lambda nb: nb.metadata.pop("nemo_lab"), "does not say which code"),
        (lambda nb: nb.cells[1].update(execution_count=7), "not 1..3 (code cell 2 has 7)"),
        (lambda nb: nb.cells[1].update(execution_count=None), "code cell 2 has None"),
        (lambda nb: nb.cells[0].metadata.pop("tags"), "0 of 3 cells with output carry the tag"),
        (noise("careful"), "'careful'"),
        (noise(""), "stores stderr"),
        (error, "stores an error: KeyError"),
        (say("saved in /home/ada/lab"), "path '/home/ada"),
        (say("see C:\\Users\\ada"), "path 'C:"),
    ],
)
def test_each_problem_is_named(tmp_path, change, words):
    found = problems(stored(tmp_path / "10_a.ipynb", change))
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    "text", ["https://arxiv.org/home/x", "tokens/s", "a/tmp/b", "1 /2", "</tmp/x>", "and/or/usr/x"]
)
def test_what_only_looks_like_a_path_passes(tmp_path, text):
    assert problems(stored(tmp_path / "10_a.ipynb", say(text))) == []


def test_a_file_that_is_no_notebook_is_one_sentence(tmp_path):
    (tmp_path / "10_a.ipynb").write_text("[]")
    with pytest.raises(LabError, match="not a readable notebook"):
        verify([tmp_path / "10_a.ipynb"])


def test_the_clone_is_found_from_anywhere_and_asked_for_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = Path(nemo_lab.__file__).resolve().parents[1]
    assert notebooks_folder() == root / "notebooks"
    assert card_path("novels").is_file()
    monkeypatch.setattr(nemo_lab, "__file__", str(tmp_path / "site-packages/nemo_lab/__init__.py"))
    with pytest.raises(LabError, match="run this in a clone"):
        notebooks_folder()
    with pytest.raises(LabError, match="clone it"):
        card_path("novels")
