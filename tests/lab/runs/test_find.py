"""Which runs are found, and which of several counts."""

import json
from pathlib import Path

import pytest

from nemo_lab.lab.runs import find
from nemo_lab.lab.runs.find import NoRuns, find_runs, latest, read_record, runs_in, stored_runs
from tests.lab.report.made_runs import run_of


def test_the_latest_run_at_the_highest_scale_that_succeeded_counts():
    old, new = run_of(started="2026-01-01"), run_of(started="2026-02-01")
    smoke, failed = run_of(scale="smoke", started="2026-03-01"), run_of(scale="gpu", status="failed")
    assert latest([new, old, smoke, failed, run_of(1)]) == {"05_x": [new, run_of(1)]}
    assert latest([failed]) == {"05_x": [failed]}


def put(path: Path, **changes: object) -> Path:
    """A record at this path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run_of().record | changes), encoding="utf-8")
    return path


def notebook_at(path: Path, scale: str) -> None:
    page = {"cells": [], "metadata": {"nemo_lab": {"scale": scale}}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(page), encoding="utf-8")


def test_a_run_is_what_its_record_says(tmp_path):
    put(tmp_path / "laptop/05_x/seed3/record.json", seed=3, status="failed")
    (run,) = runs_in(tmp_path)
    assert (run.name, run.scale, run.seed, run.ok, run.notebook) == ("05_x", "laptop", 3, False, None)


def test_finished_runs_are_found_with_their_notebooks_and_killed_ones_are_not(tmp_path):
    for seed in (1, 0):
        put(tmp_path / f"smoke/05_x/seed{seed}/record.json", scale="smoke", seed=seed)
    (tmp_path / "smoke/05_x/seed0/notebook.ipynb").touch()
    (tmp_path / "smoke/05_x/seed2").mkdir()  # killed: no record yet
    put(tmp_path / "smoke/05_x/.running-seed4/record.json", seed=4)
    assert [(run.seed, run.notebook is not None) for run in runs_in(tmp_path)] == [(0, True), (1, False)]


MALFORMED = (
    *("", "{", "[]", "null", "7", '{"schema": 1}'),
    '{"schema": 2, "notebook": "05_x", "scale": "smoke", "seed": 0}',
    '{"schema": 1, "notebook": "05_x", "scale": "smoke"}',
    '{"schema": 1, "notebook": 5, "scale": "smoke", "seed": 0}',
    '{"schema": 1, "notebook": "05_x", "scale": "smoke", "seed": "x"}',
)


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_record_is_skipped_with_a_line(tmp_path, capsys, text):
    path = tmp_path / "smoke/05_x/seed0/record.json"
    put(path).write_text(text, encoding="utf-8")
    assert read_record(path) is None
    assert capsys.readouterr().err == f"nemo-lab: skipped {path}: not a record of schema 1.\n"
    put(tmp_path / "smoke/05_x/seed1/record.json", seed=1)
    assert [run.seed for run in runs_in(tmp_path)] == [1]


def test_a_stored_record_has_the_notebook_only_at_the_scale_of_its_outputs(tmp_path):
    notebook_at(tmp_path / "05_x.ipynb", "laptop")
    for scale in ("laptop", "smoke"):
        put(tmp_path / f"records/05_x.{scale}.json", scale=scale)
    put(tmp_path / "records/06_y.laptop.json", notebook="06_y")
    found = {(run.name, run.scale): run.notebook for run in stored_runs(tmp_path)}
    assert found == {
        ("05_x", "laptop"): tmp_path / "05_x.ipynb",
        ("05_x", "smoke"): None,
        ("06_y", "laptop"): None,
    }


def test_own_runs_come_before_the_stored_ones(tmp_path, monkeypatch):
    stored = tmp_path / "notebooks"
    put(stored / "records/05_x.laptop.json", seed=1)
    monkeypatch.setattr(find, "notebooks_folder", lambda: stored)
    for none in (None, tmp_path / "no such folder", stored):
        assert [run.seed for run in find_runs(none)["05_x"]] == [1]
    put(tmp_path / "runs/smoke/05_x/seed5/record.json", seed=5, scale="smoke")
    assert [run.seed for run in find_runs(tmp_path / "runs")["05_x"]] == [5]
    (stored / "records/05_x.laptop.json").unlink()
    with pytest.raises(NoRuns, match="nemo-lab run --scale smoke"):
        find_runs(None)
