"""`nemo-lab run`: what is run and recorded, what survives, and what is stored."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
import psutil
import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab.runs.execute import execute, finished, run, store
from nemo_lab.lab.runs.plan import plan
from tests.lab.tiny_notebooks import tiny

WAIT = 300  # seconds that a busy machine may take to start a kernel


def jobs_of(paths, out, scale="smoke", seeds=(0,), knobs=()):
    return plan(paths, scale, seeds, knobs, out)


def leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if ".running-" in path.name or path.name.endswith(".tmp")]


# ---- one run


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Three notebooks, the middle one failing, run once."""
    folder = tmp_path_factory.mktemp("batch")
    paths = [
        tiny(folder / "nb", "10_first", "print(steps)", "import sys\nprint('noise', file=sys.stderr)"),
        tiny(folder / "nb", "11_fails", "print('so far')", "raise RuntimeError('out of\\nluck')", "print(1)"),
        tiny(folder / "nb", "12_last", "2 + 2"),
    ]
    jobs = jobs_of(paths, folder / "runs", knobs=[("steps", "5")])
    return folder, jobs, run(jobs)


def test_a_failing_notebook_does_not_stop_the_others(batch):
    folder, jobs, records = batch
    assert [record["status"] for record in records] == ["ok", "failed", "ok"]
    failed = records[1]
    assert failed["error"] == "RuntimeError: out of"
    assert failed["cell"] == 3  # counted in the notebook's source, from 0
    assert failed["claims"] == []
    assert failed["machine"]
    kept = nbformat.read(jobs[1].folder / "notebook.ipynb", as_version=4)
    outputs = [output for cell in kept.cells for output in cell.get("outputs", [])]
    assert any("so far" in output.get("text", "") for output in outputs)
    assert leftovers(folder) == []


def test_the_kernel_is_this_interpreter_and_its_environment_is_fixed(batch):
    _, _, records = batch
    assert Path(records[0]["python"]) == Path(sys.executable)
    assert records[0]["hash_seed"] == "0"
    assert records[0]["progress"] == "0"
    assert records[0]["scale_variable"] == "smoke"
    assert "NEMO_LAB_RECORD" not in os.environ


def test_a_record_says_what_was_asked_for_and_what_it_cost(batch):
    _, jobs, records = batch
    record = json.loads((jobs[0].folder / "record.json").read_text())
    assert record == records[0]
    assert record["request"]["knobs"] == {"steps": 5}
    assert record["values"] == {"steps": 5}
    assert record["peak_mb"] == 12.5  # the kernel's own figure
    assert records[1]["peak_mb"] > 10  # seen from outside, since the notebook recorded none
    assert record["seconds"] > 0.2


def test_resume_keeps_finished_runs_and_repeats_failed_ones(batch, monkeypatch):
    _, jobs, _ = batch
    executed = []
    monkeypatch.setattr(
        "nemo_lab.lab.runs.execute.execute", lambda job, on_cell: executed.append(job.name) or {"status": "ok"}
    )
    records = run(jobs, resume=True)
    assert executed == ["11_fails"]
    assert records[0]["resumed"]


def test_a_run_of_other_code_seed_or_knobs_is_not_the_same(batch):
    folder, jobs, _ = batch
    assert finished(jobs[0])
    assert not finished(jobs_of([jobs[0].notebook], folder / "runs", knobs=[("steps", "6")])[0])
    assert not finished(jobs_of([jobs[0].notebook], folder / "runs", seeds=[1], knobs=[("steps", "5")])[0])
    changed = tiny(folder / "changed", "10_first", "print('other', steps)")
    assert not finished(jobs_of([changed], folder / "runs", knobs=[("steps", "5")])[0])


def test_a_dead_kernel_is_a_failed_run(tmp_path):
    path = tiny(tmp_path / "nb", "10_dies", "import os\nos._exit(9)")
    record = execute(jobs_of([path], tmp_path / "runs")[0])
    assert record["status"] == "failed"
    assert "died" in record["error"]
    assert record["cell"] == 2


# ---- stored outputs


def test_what_is_stored_is_the_same_whenever_and_wherever_it_ran(batch):
    _, jobs, records = batch
    job = jobs[0]
    before = nbformat.read(job.notebook, as_version=4)
    store(job, records[0])
    stored = nbformat.read(job.notebook, as_version=4)
    nbformat.validate(stored)
    assert [cell.id for cell in stored.cells] == [cell.id for cell in before.cells]
    assert [cell.source for cell in stored.cells] == [cell.source for cell in before.cells]
    assert [cell.execution_count for cell in stored.cells if cell.cell_type == "code"] == [1, 2, 3, 4]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert stored.metadata == {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": version},
        "nemo_lab": {"scale": "smoke", "seed": 0, "code_hash": job.code_hash},
    }
    text = job.notebook.read_text()
    assert "noise" not in text.replace("print('noise'", "")
    assert "papermill" not in text
    assert "injected" not in text
    record = json.loads((job.notebook.parent / "records" / "10_first.smoke.json").read_text())
    assert record["status"] == "ok"
    assert str(job.notebook.parent) not in json.dumps(record)
    again = jobs_of([job.notebook], job.folder.parents[2], knobs=[("steps", "5")])[0]
    assert again.code_hash == job.code_hash  # storing outputs does not change the code


def test_a_failed_run_is_not_stored(batch):
    _, jobs, records = batch
    with pytest.raises(LabError, match="failed, so its outputs are not stored"):
        store(jobs[1], records[1])


# ---- killed


def start_batch(folder: Path, *more: str) -> subprocess.Popen:
    """Start `nemo-lab run` on a quick notebook and one that waits for a file; return it once that waits."""
    waiting = folder / "waiting"
    if not (folder / "nb").exists():
        tiny(folder / "nb", "10_quick", "print('quick')")
        go = f"Path({str(folder / 'go')!r})"
        tiny(
            folder / "nb",
            "11_slow",
            "import os, time\nfrom pathlib import Path\n"
            f"Path({str(waiting)!r}).write_text(str(os.getpid()))\n"
            f"while not {go}.exists(): time.sleep(0.05)",
        )
    names = [str(folder / "nb" / f"{name}.ipynb") for name in ("10_quick", "11_slow")]
    command = [sys.executable, "-m", "nemo_lab.cli", "run", *names, "--scale", "smoke", *more]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's `… &` has it ignored
    )
    deadline = time.monotonic() + WAIT
    while not (waiting.exists() and waiting.read_text()) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + WAIT
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the kernel outlived its run"
        time.sleep(0.1)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_killed_batch_goes_on_where_it_was(tmp_path, sent, status):
    process = start_batch(tmp_path)
    kernel = int((tmp_path / "waiting").read_text())
    process.send_signal(sent)
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == status
    wait_until_gone(kernel)
    out = tmp_path / "runs"
    assert [path.parent.parent.name for path in out.rglob("record.json")] == ["10_quick"]
    if sent == signal.SIGINT:
        assert leftovers(out) == []
        assert "Traceback" not in errors, errors
        assert errors.strip().splitlines()[-1].startswith("nemo-lab: stopped")

    first = (out / "smoke" / "10_quick" / "seed0" / "record.json").stat().st_mtime_ns
    (tmp_path / "go").touch()
    process = start_batch(tmp_path, "--resume")
    output, errors = process.communicate(timeout=WAIT)
    assert process.returncode == 0, errors
    assert "kept" in output
    assert (out / "smoke" / "10_quick" / "seed0" / "record.json").stat().st_mtime_ns == first
    assert (out / "smoke" / "11_slow" / "seed0" / "record.json").exists()
    assert leftovers(out) == []
