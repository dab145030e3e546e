"""The notebook's session: what it refuses, judges, shows and records."""

import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import nemo_lab.lab
from nemo_lab.errors import LabError
from nemo_lab.lab import session
from nemo_lab.lab.ledger.claims import claims_of
from nemo_lab.lab.session import injected_names, show_source, start
from tests.lab.judged import CONTROLS, NOTEBOOK, SAMPLES, judged

pytestmark = pytest.mark.usefixtures("own_home")


def test_package_offers_start_and_show_source():
    assert nemo_lab.lab.start is start
    assert nemo_lab.lab.show_source is show_source
    with pytest.raises(AttributeError, match="nothing"):
        _ = nemo_lab.lab.nothing


def test_importing_the_small_modules_is_light():
    code = "import sys, nemo_lab.artifacts, nemo_lab.progress; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "pandas", "matplotlib", "numpy", "scipy", "IPython"} & set(done.stdout.split())
    assert not heavy


def test_start_gives_settings_scale_and_seeds(monkeypatch):
    lab = start(NOTEBOOK, scale="laptop", seed=5, steps=7)
    assert (lab.notebook, lab.scale, lab.seed) == (NOTEBOOK, "laptop", 5)
    assert lab.settings.steps == 7
    assert lab.seeds == list(range(5, 5 + lab.settings.seeds))
    assert len(lab.seeds) >= 3
    assert start("00_start_here", seed=2).seeds == [2]  # its settings have no field `seeds`
    monkeypatch.setenv("NEMO_LAB_SCALE", "smoke")
    assert start(NOTEBOOK).scale == "smoke"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": "lptop"}, "smoke, laptop, gpu, cluster"),
        ({"stesp": 3}, "did you mean 'steps'"),
        ({"steps": "3"}, "expected an int"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_start_refuses(options, words):
    with pytest.raises(LabError, match=words):
        start(NOTEBOOK, **options)


def test_start_seeds_the_global_generators():
    start(NOTEBOOK, seed=11)
    first = random.random(), np.random.rand()  # noqa: NPY002
    start(NOTEBOOK, seed=11)
    assert (random.random(), np.random.rand()) == first  # noqa: NPY002
    start(NOTEBOOK, seed=12)
    assert random.random() != first[0]


def test_injected_names_come_from_papermills_cell_only():
    history = [
        "",
        "import os\nother = 1",
        "# Parameters\nscale = 'smoke'\nstesp = 3\nrate: float = 0.1\nd['x'] = 1\n",
    ]
    assert injected_names(history) == ["scale", "stesp", "rate"]
    assert injected_names(["# Parameters\n%magic"]) == []


def test_misspelt_injected_name_is_refused(monkeypatch):
    history = {"In": ["", "# Parameters\nscale = 'smoke'\nstesp = 3\n"]}
    monkeypatch.setattr(session, "_namespace", lambda: history)
    with pytest.raises(LabError) as caught:
        start(NOTEBOOK, scale="smoke", steps=3)
    assert str(caught.value) == "Unknown parameter 'stesp', did you mean 'steps'; valid: scale, seed, steps."
    history["In"] = ["", "# Parameters\nscale = 'smoke'\nsteps = 3\n"]
    assert start(NOTEBOOK, scale="smoke", steps=3).settings.steps == 3
    with pytest.raises(LabError, match="'steps'"):
        start(NOTEBOOK, scale="smoke")  # the notebook took the name but did not hand it over


def test_claim_of_another_notebook_or_without_control_is_refused():
    lab = start(NOTEBOOK, scale="smoke")
    with pytest.raises(LabError, match="belongs to 06_fp8_pretraining"):
        lab.claim("nemotron-h.fp8", [0.1], control=[1.0])
    with pytest.raises(LabError, match="no control"):
        lab.claim("nemotron-h.accuracy", [0.1])
    with pytest.raises(LabError, match="did you mean"):
        lab.claim("nemotron-h.acuracy", [0.1], control=[1.0])
    assert lab.judgements == {}


def test_claim_prints_one_stable_line(capsys):
    lab = start(NOTEBOOK, scale="laptop")
    lab.claim("nemotron-h.throughput", [3.00001, 3.1, 3.2], control=[1.0] * 3)
    head, line = capsys.readouterr().out.strip().splitlines()
    assert head.split() == ["claim", "figure", "ours", "control", "verdict"]
    assert line.startswith(
        "nemotron-h.throughput  up to 3x  3.1 x [2.85, 3.35], n = 3  1 x [1, 1], n = 3  ✓ reproduced"
    )


def test_ledger_shows_also_what_is_missing(capsys):
    lab = start(NOTEBOOK, scale="smoke")
    lab.claim("nemotron-h.constant", [1.0], control=[64.0])
    capsys.readouterr()
    lab.ledger()
    text = capsys.readouterr().out
    assert text.count("not run yet") == 2
    assert text.count("✓ reproduced") == 1


def test_finish_refuses_while_a_claim_is_missing(own_home):
    lab = start(NOTEBOOK, scale="smoke")
    lab.claim("nemotron-h.constant", [1.0], control=[64.0])
    with pytest.raises(LabError, match=r"nemotron-h\.accuracy, nemotron-h\.throughput"):
        lab.finish()
    assert not own_home.exists() or not list(own_home.rglob("*.json"))


def test_record_variable_wins(tmp_path, monkeypatch):
    target = tmp_path / "deep" / "record.json"
    monkeypatch.setenv("NEMO_LAB_RECORD", str(target))
    judged(scale="smoke").finish()
    stored = json.loads(target.read_text(encoding="utf-8"))
    verdicts = {entry["id"]: entry["verdict"] for entry in stored["claims"]}
    assert verdicts["nemotron-h.constant"] == "reproduced"
    assert verdicts["nemotron-h.accuracy"] == "too small to judge"
    assert os.listdir(target.parent) == ["record.json"]


def test_a_claim_run_again_replaces_its_entry():
    lab = judged(scale="laptop")
    lab.claim("nemotron-h.throughput", [1.0, 1.01, 1.02], control=[1.0] * 3)
    entries = [entry for entry in lab.record()["claims"] if entry["id"] == "nemotron-h.throughput"]
    assert [entry["samples"] for entry in entries] == [[1.0, 1.01, 1.02]]


def test_values_must_be_finite():
    lab = start(NOTEBOOK)
    with pytest.raises(LabError, match="Value x is nan"):
        lab.value("x", float("nan"))
    lab.value("x", np.float32(0.5))
    assert lab.record()["values"] == {"x": 0.5}


def test_source_is_the_packages_own():
    shown = show_source(start)
    assert "def start(" in shown.data
    assert 'class="highlight"' in shown._repr_html_()
    with pytest.raises(LabError, match="len"):
        show_source(len)


KERNEL = """
from nemo_lab.lab import start
lab = start({notebook!r}, scale=scale, seed=seed, steps=steps)
"""


def execute(tmp_path, parameters, *cells):
    import nbformat
    import papermill

    first = nbformat.v4.new_code_cell("scale: str = ''\nseed: int = 0\nsteps: int = None\n")
    first.metadata["tags"] = ["parameters"]
    rest = [nbformat.v4.new_code_cell(cell) for cell in (KERNEL.format(notebook=NOTEBOOK), *cells)]
    notebook = nbformat.v4.new_notebook(cells=[first, *rest])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "in.ipynb")
    out = str(tmp_path / "out.ipynb")
    return papermill.execute_notebook(str(tmp_path / "in.ipynb"), out, parameters, progress_bar=False)


def test_under_papermill_good_names_run_and_a_misspelt_one_does_not(tmp_path):
    import papermill

    claims = [
        f"lab.claim({claim.id!r}, {SAMPLES[claim.id]}, control={CONTROLS[claim.id]})" for claim in claims_of(NOTEBOOK)
    ]
    done = execute(tmp_path, {"scale": "smoke", "steps": 3}, "assert lab.settings.steps == 3", *claims, "lab.finish()")
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} == {"display_data", "stream"}
    assert all({"text/plain", "text/html"} <= set(out["data"]) for out in outputs if "data" in out)
    assert not [out for out in outputs if out.get("name") == "stderr"]
    with pytest.raises(papermill.PapermillExecutionError, match="Unknown parameter 'stesp', did you mean 'steps'"):
        execute(tmp_path, {"scale": "smoke", "stesp": 3})
