"""The code hash changes with what can change outputs, and with nothing else."""

import json

import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab.runs import staleness
from nemo_lab.lab.runs.staleness import code_cells, code_hash


def cell(source: str, kind: str = "code", tags: tuple[str, ...] = ()) -> dict[str, object]:
    lines = source.splitlines(keepends=True)
    extra = {"outputs": [], "execution_count": 1} if kind == "code" else {}
    return {"cell_type": kind, "source": lines, "metadata": {"tags": list(tags)}, **extra}


def write(folder, *cells, name: str = "05_hybrid_architecture"):
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_hash_follows_cells_and_what_they_reach(tmp_path):
    base = [cell("from nemo_lab.lab.scales import rank"), cell("rank('smoke')")]
    before = code_hash(write(tmp_path, *base))
    assert code_hash(write(tmp_path, *base)) == before
    assert code_hash(write(tmp_path, base[0], cell("# why\nrank( 'smoke' )"))) == before
    assert code_hash(write(tmp_path, cell("from nemo_lab.lab import scales"), cell("scales.rank('smoke')"))) == before
    assert code_hash(write(tmp_path, base[0], cell("rank('laptop')"))) != before
    assert code_hash(write(tmp_path, base[0], cell("rank('smoke')"), cell("1"))) != before


def test_a_notebook_that_shows_the_ledger_sees_the_records_of_others(tmp_path):
    whole = write(tmp_path, cell("from nemo_lab.lab.runs.find import find_runs\nfind_runs(None)"), name="00_start_here")
    other = write(tmp_path, cell("1"))
    before = code_hash(whole), code_hash(other)
    record = {"schema": 1, "notebook": "05_hybrid_architecture", "scale": "laptop", "seed": 0, "claims": [{"id": "a"}]}
    (tmp_path / "records").mkdir()
    (tmp_path / "records/05_hybrid_architecture.laptop.json").write_text(json.dumps(record))
    after = code_hash(whole), code_hash(other)
    assert after[0] != before[0]
    assert after[1] == before[1]
    (tmp_path / "records/05_hybrid_architecture.laptop.json").write_text(json.dumps(record | {"seconds": 5}))
    assert code_hash(whole) == after[0]
    own = record | {"notebook": "00_start_here"}
    (tmp_path / "records/00_start_here.laptop.json").write_text(json.dumps(own))
    assert code_hash(whole) == after[0]


def test_hash_ignores_text_outputs_and_injected_parameters(tmp_path):
    base = [cell("x = 1", tags=("parameters",)), cell("print(x)")]
    before = code_hash(write(tmp_path, *base))
    shown = cell("print(x)") | {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
    injected = cell("# Parameters\nx = 2\n", tags=("injected-parameters",))
    assert code_hash(write(tmp_path, cell("# Title", "markdown"), base[0], injected, shown)) == before


def test_own_rows_count_and_other_notebooks_rows_do_not(tmp_path, monkeypatch):
    here, there = write(tmp_path, cell("1")), write(tmp_path, cell("1"), name="00_start_here")
    before = code_hash(here), code_hash(there)
    assert before[0] != before[1]
    rows = staleness.SETTINGS["05_hybrid_architecture"]
    own = {**staleness.SETTINGS, "05_hybrid_architecture": {**rows, "smoke": rows["laptop"]}}
    monkeypatch.setattr(staleness, "SETTINGS", own)
    assert code_hash(here) != before[0]
    assert code_hash(there) == before[1]
    claims = staleness.claims_of
    monkeypatch.setattr(staleness, "claims_of", lambda name: claims(name)[1:])
    middle = code_hash(here)
    monkeypatch.setattr(staleness, "claims_of", lambda name: claims(name)[2:])
    assert code_hash(here) != middle
    assert code_hash(there) == before[1]


@pytest.mark.parametrize("text", ["", "[]", '{"cells": [1]}', "{}"])
def test_not_a_notebook(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(LabError, match=r"x\.ipynb is not a readable notebook"):
        code_cells(path)


def test_cell_that_is_not_python_is_named(tmp_path):
    with pytest.raises(LabError, match="not Python"):
        code_hash(write(tmp_path, cell("def broken(:")))
