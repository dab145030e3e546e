"""The records of runs: finding and reading them.

A run is a folder `runs/<scale>/<notebook>/seed<k>` with the executed notebook and `record.json`; the record
is written last, so a folder without one is a run that was killed. What the repository stores has the same
two parts under other names: `notebooks/<notebook>.ipynb` and `notebooks/records/<notebook>.<scale>.json`.
Both are read here and nowhere else. Records are data, not code: a malformed one is reported and skipped.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.lab.runs.notebooks import NOTEBOOK, notebooks_folder, read_notebook

RECORD = "record.json"


class NoRuns(LabError):
    """Nothing was run yet, neither here nor by whoever stored the notebooks' outputs."""


@dataclass(frozen=True)
class Run:
    """One finished run: its record and the executed notebook, which may be missing (None)."""

    record: dict[str, Any]
    notebook: Path | None

    @property
    def name(self) -> str:
        """The notebook's name without its ending."""
        return str(self.record["notebook"])

    @property
    def scale(self) -> str:
        """The scale of the run."""
        return str(self.record["scale"])

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.record["seed"])

    @property
    def ok(self) -> bool:
        """Whether every cell ran."""
        return self.record.get("status") == "ok"


def read_record(path: Path) -> dict[str, Any] | None:
    """Return a record, or None with a line on stderr when the file is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["schema"] == 1 and isinstance(record["notebook"], str) and isinstance(record["scale"], str):
            int(record["seed"])
            return dict(record)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    print(f"nemo-lab: skipped {path}: not a record of schema 1.", file=sys.stderr)
    return None


def runs_in(folder: Path) -> Iterator[Run]:
    """Yield the finished runs under a `runs` folder, in the order of their paths."""
    for path in sorted(folder.glob(f"*/*/seed*/{RECORD}")):
        record = read_record(path)
        if record is not None:
            notebook = path.with_name(NOTEBOOK)
            yield Run(record, notebook if notebook.is_file() else None)


def stored_runs(folder: Path) -> Iterator[Run]:
    """Yield the runs whose outputs the repository stores: `notebooks/records/*.json` and their notebooks.

    A record of another scale than the stored outputs has no notebook to link to.
    """
    for path in sorted(folder.glob("records/*.json")):
        record = read_record(path)
        if record is None:
            continue
        notebook = folder / f"{record['notebook']}.ipynb"
        scale = notebook.is_file() and read_notebook(notebook).metadata.get("nemo_lab", {}).get("scale")
        yield Run(record, notebook if scale == record["scale"] else None)


def latest(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Return for each notebook the latest run of each seed at its highest scale with a run that succeeded.

    A notebook whose every run failed keeps those of its highest scale, so that the failure is seen.
    """
    from nemo_lab.lab.scales import SCALES

    rank = {scale: position for position, scale in enumerate(SCALES)}
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.name, []).append(run)
    return {name: _highest(groups[name], rank) for name in sorted(groups)}


def _highest(runs: list[Run], rank: dict[str, int]) -> list[Run]:
    candidates = [run for run in runs if run.ok] or runs
    top = max((run.scale for run in candidates), key=lambda scale: rank.get(scale, -1))
    newest: dict[int, Run] = {}
    for run in sorted(candidates, key=lambda run: str(run.record.get("started", ""))):
        if run.scale == top:
            newest[run.seed] = run
    return [newest[seed] for seed in sorted(newest)]


def find_runs(folder: Path | None) -> dict[str, list[Run]]:
    """Return the latest runs from `folder` if it has records, else those stored with the notebooks.

    Raises:
        NoRuns: there is no run anywhere.
    """
    runs = list(runs_in(folder)) if folder and folder.is_dir() else []
    if not runs:
        runs = list(stored_runs(notebooks_folder()))
    if not runs:
        raise NoRuns("There are no runs yet; make some with `nemo-lab run --scale smoke`.")
    return latest(runs)
