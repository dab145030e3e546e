"""`nemo-lab run`: notebooks through papermill, one folder and one record a run.

What a batch must survive: a failing notebook (the others still run, the table at the end tells), Ctrl-C and
SIGKILL at any moment, and being started again. Each run works in a folder `.running-<pid>` inside its own
folder; at the end the executed notebook is renamed into place and then, last, `record.json`. So a run with
a record is a finished run, one without is done again, and there is nothing in between. A kernel ends with
the process that started it (ipykernel watches its parent), also after SIGKILL.

The kernel is always this very interpreter: papermill asks Jupyter for `python3`, and a kernel of that name
in the user's folder would win over the environment's, so a kernel specification of our own goes first.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.files import write_text
from nemo_lab.lab.runs.find import RECORD, read_record
from nemo_lab.lab.runs.notebooks import NOTEBOOK, read_notebook
from nemo_lab.lab.runs.plan import Job

_RUNNING = ".running-"
_PEAK_INTERVAL = 0.2  # seconds between two looks at the kernel's memory
OnCell = Callable[[Job, int, int], None]


def run(
    jobs: Sequence[Job],
    *,
    resume: bool = False,
    on_start: Callable[[Job], None] = lambda job: None,
    on_cell: OnCell = lambda job, done, total: None,
    on_end: Callable[[Job, dict[str, Any]], None] = lambda job, record: None,
) -> list[dict[str, Any]]:
    """Run the jobs one after the other and return their records, also those of failed runs.

    Args:
        jobs: from `nemo_lab.lab.runs.plan.plan`.
        resume: take the record of a finished run with the same parameters and code instead of running.
        on_start: called before a notebook runs; not for one that is resumed.
        on_cell: called with the job, the cells done and the cells in all, before each cell.
        on_end: called with the record of each job.
    """
    records = []
    for job in jobs:
        record = finished(job) if resume else None
        if record is None:
            on_start(job)
            record = execute(job, on_cell)
        else:
            record = record | {"resumed": True}
        on_end(job, record)
        records.append(record)
    return records


def finished(job: Job) -> dict[str, Any] | None:
    """Return the record of a run of the same request that succeeded, else None."""
    path = job.folder / RECORD
    record = read_record(path) if path.is_file() and (job.folder / NOTEBOOK).is_file() else None
    if record and record.get("status") == "ok" and record.get("request") == job.request:
        return record
    return None


def execute(job: Job, on_cell: OnCell = lambda job, done, total: None) -> dict[str, Any]:
    """Run one notebook, write its folder, and return its record (`status` is `ok` or `failed`)."""
    job.folder.mkdir(parents=True, exist_ok=True)
    _clean(job.folder)
    work = job.folder / f"{_RUNNING}{os.getpid()}"
    work.mkdir()
    try:
        outcome = _papermill(job, work, on_cell)
        record = _record(job, work, outcome)
        _publish(job, work, record)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return record


def _clean(folder: Path) -> None:
    """Remove what killed runs left; the folder of another living process stays."""
    import psutil

    for leftover in folder.glob(f"{_RUNNING}*"):
        pid = leftover.name.removeprefix(_RUNNING)
        if not pid.isdigit() or int(pid) == os.getpid() or not psutil.pid_exists(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _papermill(job: Job, work: Path, on_cell: OnCell) -> dict[str, Any]:
    """Execute the notebook into `work`; return status, start, seconds, peak memory and any error."""
    from papermill import execute_notebook

    position = [0]
    total = len(read_notebook(job.notebook).cells)

    def before_cell(cell: Any, cell_index: int) -> None:
        position[0] = cell_index
        on_cell(job, min(cell_index, total), total)

    outcome: dict[str, Any] = {"status": "ok", "started": datetime.now(UTC).isoformat(timespec="seconds")}
    clock = time.monotonic()
    with _environment(_kernel_environment(job, work)), _peak_memory(outcome):
        try:
            execute_notebook(
                str(job.notebook),
                str(work / NOTEBOOK),
                parameters=job.injected,
                kernel_name="python3",
                progress_bar=False,
                cwd=str(job.notebook.parent),
                on_cell_start=before_cell,
            )
        except Exception as error:  # whatever a notebook raises, the others go on
            outcome |= {"status": "failed", "error": _last_line(error)}
            outcome["cell"] = _source_index(job, work / NOTEBOOK, getattr(error, "cell_index", position[0]))
    return outcome | {"seconds": round(time.monotonic() - clock, 2)}


def _kernel_environment(job: Job, work: Path) -> dict[str, str]:
    """Write a kernel specification for this interpreter and return the variables the kernel runs under."""
    from ipykernel.kernelspec import get_kernel_dict

    # ipykernel's own specification names this interpreter and the ciphers it speaks. Its log is off: all it
    # ever tells is of a socket closed under it when a run is stopped.
    spec = get_kernel_dict(extra_arguments=["--log-level=CRITICAL"])
    write_text(work / "jupyter" / "kernels" / "python3" / "kernel.json", json.dumps(spec))
    others = os.environ.get("JUPYTER_PATH")
    return {
        "JUPYTER_PATH": os.pathsep.join([str(work / "jupyter"), *([others] if others else [])]),
        "NEMO_LAB_RECORD": str(work / RECORD),
        "NEMO_LAB_PROGRESS": "0",
        "NEMO_LAB_SCALE": job.scale,
        "PYTHONHASHSEED": "0",
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the block and restore the old ones after it."""
    old = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _peak_memory(outcome: dict[str, Any]) -> Iterator[None]:
    """Note in `outcome` the largest memory in MB that this process's children held together."""
    import psutil

    done = threading.Event()
    peak = [0]

    def watch() -> None:
        me = psutil.Process()
        while not done.wait(_PEAK_INTERVAL):
            peak[0] = max(peak[0], sum(_resident(child) for child in me.children(recursive=True)))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        outcome["peak_mb"] = round(peak[0] / 1e6, 1)


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it ended between being listed and being asked
        return 0


def _last_line(error: Exception) -> str:
    """Return what went wrong as one line: `ValueError: …` of the notebook, not of papermill."""
    title, message = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    return f"{title}: {lines[0]}"[:300] if lines else str(title)


def _source_index(job: Job, executed: Path, index: int) -> int:
    """Translate a cell's index in the executed notebook into its index in the source notebook."""
    from nemo_lab.lab.runs.notebooks import tags

    if not executed.is_file():
        return index
    cells = [cell for cell in read_notebook(executed).cells if "papermill-error-cell-tag" not in tags(cell)]
    return index - sum("injected-parameters" in tags(cell) for cell in cells[:index])


def _record(job: Job, work: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Join what the notebook recorded (if it came so far) with what was seen from outside."""
    inner = read_record(work / RECORD) if (work / RECORD).is_file() else None
    asked = {"notebook": job.name, "scale": job.scale, "seed": job.seed, "parameters": job.injected}
    record = {"schema": 1, "claims": [], "values": {}} | asked | (inner or _surroundings(job))
    if outcome["status"] == "failed":
        record["claims"] = []  # a run that broke off has shown nothing
    # Peak memory as the kernel saw it is exact; its seconds would leave out its own start.
    peak = record.get("peak_mb") or outcome["peak_mb"]
    return record | outcome | {"peak_mb": peak, "request": job.request}


def _surroundings(job: Job) -> dict[str, Any]:
    """Describe code, packages and machine for a notebook that did not come to write its record."""
    from nemo_lab.lab.runs import record

    return {
        "code": record.describe_code(job.name) | {"hash": job.code_hash},
        "packages": record.describe_packages(),
        "machine": record.describe_machine(),
    }


def _publish(job: Job, work: Path, record: dict[str, Any]) -> None:
    """Rename the results into the run's folder: the old record goes first, the new one comes last."""
    (job.folder / RECORD).unlink(missing_ok=True)
    if (work / NOTEBOOK).is_file():
        os.replace(work / NOTEBOOK, job.folder / NOTEBOOK)
    write_text(job.folder / RECORD, json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def store(job: Job, record: Mapping[str, Any]) -> None:
    """Make a finished run the stored outputs: the canonical notebook over the source, and its record.

    Raises:
        LabError: the run failed, or its knobs were not the notebook's own, which its cells would not show.
    """
    from nemo_lab.lab.runs.notebooks import as_committed, write_committed

    if record.get("status") != "ok":
        raise LabError(f"Notebook {job.name!r} failed, so its outputs are not stored.")
    clean = as_committed(read_notebook(job.folder / NOTEBOOK), scale=job.scale, seed=job.seed, code_hash=job.code_hash)
    kept = {name: value for name, value in record.items() if name not in ("resumed", "request")}
    write_committed(job.notebook, clean, kept, job.scale)
