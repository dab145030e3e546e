"""What a record says of a run, and that it names no folder and no machine."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest

import nemo_lab.lab
from nemo_lab.lab.runs import record
from tests.lab.judged import CONTROLS, NOTEBOOK, SAMPLES, judged

pytestmark = pytest.mark.usefixtures("own_home")


def test_finish_writes_the_record_and_shows_no_path(own_home, capsys):
    lab = judged(scale="laptop", seed=4, steps=9)
    lab.value("bits", 2.5)
    capsys.readouterr()
    lab.finish()
    assert capsys.readouterr().out == f"Recorded 3 claims of {NOTEBOOK} at laptop, seed 4.\n"
    stored = json.loads((own_home / "runs" / NOTEBOOK / "laptop-seed4.json").read_text(encoding="utf-8"))
    assert list(stored) == [
        *("schema", "notebook", "scale", "seed", "parameters", "status", "started", "seconds", "peak_mb"),
        *("code", "packages", "machine", "claims", "values"),
    ]
    assert (stored["schema"], stored["status"], stored["seed"]) == (1, "ok", 4)
    assert stored["parameters"] == json.loads(json.dumps(dataclasses.asdict(lab.settings)))  # tuples are lists there
    assert stored["parameters"]["steps"] == 9
    assert stored["values"] == {"bits": 2.5}
    assert {entry["id"]: entry["verdict"] for entry in stored["claims"]} == dict.fromkeys(SAMPLES, "reproduced")
    accuracy = stored["claims"][0]
    assert accuracy["samples"] == SAMPLES["nemotron-h.accuracy"]
    assert accuracy["control"]["samples"] == CONTROLS["nemotron-h.accuracy"]
    assert accuracy["control"]["verdict"] == "not reproduced"
    assert accuracy["low"] < accuracy["mean"] < accuracy["high"]
    assert accuracy["note"] == "a note"
    assert stored["peak_mb"] > 20
    assert stored["machine"]["cores"] >= 1
    assert stored["packages"]["numpy"] == np.__version__
    assert set(stored["code"]) == {"version", "git", "hash"}
    assert str(own_home) not in json.dumps(stored)
    assert str(Path.cwd()) not in json.dumps(stored)
    assert os.uname().nodename not in json.dumps(stored["machine"])


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "PACKAGE", tmp_path / "nemo_lab")
    monkeypatch.chdir(tmp_path)
    assert record.describe_code("no_such_notebook") == {
        "version": nemo_lab.__version__,
        "git": "",
        "hash": "",
    }
