"""`nemo-lab verify --replay --against REVISION`: does changed code give the same numbers?

A refactoring changes the code behind stored outputs without meaning to change one of them, and running every
notebook again at laptop scale to see that costs an hour and a half. Here each notebook runs at smoke, on this
machine, by the code of the other revision and by today's, and every number that the two runs recorded (samples,
controls, verdicts, values) and every compared output must be equal to the last bit. Then the stored outputs of
the other revision are today's outputs too: the notebook is stamped with today's hash and a note of what it was
compared with. Listings of source code, which no run changes, are stored anew. Where anything differs, the
differences are listed and nothing is stamped.

Equality at smoke does not prove equality at laptop scale: a branch that only larger settings reach is not
walked. It proves it for every line that both walk, which for a notebook is every line of its text.

Outputs that were stale at the other revision are not saved by this: they are refused.
"""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.lab.runs.find import RECORD
from nemo_lab.lab.runs.notebooks import (
    NOTEBOOK,
    notebooks_folder,
    read_notebook,
    record_of,
    tags,
    write_committed,
)
from nemo_lab.lab.runs.staleness import code_hash, shown_records
from nemo_lab.lab.runs.verify import CHECKED

SCALE = "smoke"
# Numbers that a clock or the machine's memory decides, by notebook: claims and values of the record. In 08 the times
# of the parts decide which architectures are compared, so that all that follows from the choice counts.
TIMED: Mapping[str, tuple[str, ...]] = {
    "02_web_curation": ("value duplicates.mb_per_second", "value rephrase.tokens_per_second"),
    "05_hybrid_architecture": ("claim nemotron-h.throughput", "value throughput.ratio"),
    "06_fp8_pretraining": ("value time.*",),
    "07_pruning_distillation": (
        "claim ssm-pruning.speed",
        "claim nemotron-h.minipuzzle",
        "value speed.ratio",
        "value minipuzzle.speed",
    ),
    "08_puzzle_nas": (
        "claim llama-nemotron.*",
        "value additivity.*",
        "value kl.*",
        "value speed.*",
        "value targets.overlap",
    ),
    "90_performance": ("value ratio.*", "value extract.*"),
}
_LISTING = re.compile(r"\bshow_source\(")
_COMMAND = "import sys; from nemo_lab.cli import main; sys.exit(main(sys.argv[1:]))"
# Where `code_hash` lives, here and in revisions to compare with.
_HASH = """
import importlib, json, sys
from pathlib import Path
for name in ("nemo_lab.lab.runs.staleness", "nemo_lab.lab.code"):
    try:
        code_hash = importlib.import_module(name).code_hash
        break
    except ImportError:
        pass
print(json.dumps({name: code_hash(Path("notebooks") / f"{name}.ipynb") for name in sys.argv[1:]}))
"""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Replayed:
    """What a notebook's two runs showed: differences (none: equal), and whether it was stamped."""

    differences: list[str]
    stamped: bool


def replay(notebooks: Sequence[Path], against: str, tell: Tell = lambda line: None) -> dict[str, Replayed]:
    """Run notebooks by two revisions at smoke, compare what they show, and stamp those that are equal.

    Args:
        notebooks: paths in this checkout's `notebooks/`; with local changes, these count.
        against: a git revision whose stored outputs are good.
        tell: called with a line for each step.

    Raises:
        LabError: no such revision, a notebook that it does not have or whose outputs were stale there.
    """
    root = notebooks_folder().parent
    names = [path.stem for path in notebooks]
    revision = _revision(root, against)
    with tempfile.TemporaryDirectory(prefix="nemo-lab-replay-") as folder:
        other = Path(folder) / "other"
        _extract(root, revision, other)
        _check_fresh(other, names, against)
        for side, tree in (("before", other), ("after", root)):
            tell(f"running {len(names)} notebooks at {SCALE} by {against if tree is other else 'the code here'} …")
            _run(tree, names, Path(folder) / side)
        return {path.stem: _judged(path, Path(folder), other / "notebooks" / path.name, revision) for path in notebooks}


def _judged(path: Path, folder: Path, old: Path, revision: str) -> Replayed:
    """Compare the two runs of one notebook; stamp it where they are equal."""
    before, after = (folder / side / SCALE / path.stem / "seed0" for side in ("before", "after"))
    different = [*_other_records(path, old), *_stored_apart(path, old), *differences(before, after, path)]
    if not different:
        stamp(path, after / NOTEBOOK, revision)
    return Replayed(different, not different)


def differences(before: Path, after: Path, path: Path) -> list[str]:
    """Return one line for each recorded number and compared output in which two runs' folders differ.

    Compared cells that only today's notebook has must show what they store.
    """
    records = [json.loads((side / RECORD).read_text(encoding="utf-8")) for side in (before, after)]
    failed = [
        f"the run {when} failed: {record.get('error')}"
        for when, record in zip(("before", "now"), records, strict=True)
        if record["status"] != "ok"
    ]
    if failed:
        return failed
    old, new = (_outputs(side / NOTEBOOK) for side in (before, after))
    stored = _outputs(path)
    wanted = {cell: old.get(cell, stored.get(cell)) for cell in new}
    return [
        *_unequal(*(_numbers(record) for record in records)),
        *(f"cell {cell} shows {_short(new[cell])}, before {_short(wanted[cell])}"
          for cell in new if new[cell] != wanted[cell]),
    ]  # fmt: skip


def _numbers(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return every number of a record that no clock decides, by a name to tell it by."""
    found: dict[str, Any] = {f"value {name}": number for name, number in record["values"].items()}
    for claim in record["claims"]:
        control = claim["control"] or {}
        found[f"claim {claim['id']}"] = [claim["verdict"], claim["samples"], control.get("samples")]
    timed = TIMED.get(record["notebook"], ())
    return {name: number for name, number in found.items() if not any(fnmatch(name, known) for known in timed)}


def _unequal(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    nothing = "nothing"
    return [
        f"{name} is {_short(after.get(name, nothing))}, before {_short(before.get(name, nothing))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name, nothing) != after.get(name, nothing)
    ]


def _outputs(path: Path) -> dict[str, str]:
    """Return what the compared cells of a notebook show as text, by the cell's id."""
    cells = [cell for cell in read_notebook(path).cells if CHECKED in tags(cell)]
    return {cell.id: "".join(map(_text, cell.outputs)) for cell in cells}


def _text(output: Any) -> str:
    if output.get("name") == "stderr":
        return ""
    text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
    return re.sub(r"\b0x[0-9a-f]{8,16}\b", "ADDRESS", text)


def _other_records(path: Path, old: Path) -> list[str]:
    """Return a line where a notebook shows other notebooks' records and these are no longer what they were."""
    if shown_records(path) == shown_records(old):
        return []
    return ["the records of other notebooks, which it shows, have changed; run it with --write"]


def _stored_apart(path: Path, old: Path) -> list[str]:
    """Return a line for each cell that both revisions have with the same source and other stored outputs."""
    theirs = {cell.id: cell for cell in read_notebook(old).cells if cell.cell_type == "code"}
    return [
        f"cell {cell.id} stores other outputs than before, by hand"
        for cell in read_notebook(path).cells
        if cell.id in theirs
        and cell.source == theirs[cell.id].source
        and not _LISTING.search(cell.source)
        and "".join(map(_text, cell.outputs)) != "".join(map(_text, theirs[cell.id].outputs))
    ]


def stamp(path: Path, executed: Path, revision: str) -> None:
    """Note in a notebook and its record that today's code gives its stored outputs, and renew its listings."""
    notebook = read_notebook(path)
    shown = {cell.id: cell.outputs for cell in read_notebook(executed).cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.cell_type == "code" and _LISTING.search(cell.source) and CHECKED not in tags(cell):
            cell.outputs = [_renumbered(output, cell.execution_count) for output in shown[cell.id]]
    own = notebook.metadata["nemo_lab"]
    own["code_hash"], own["replayed"] = code_hash(path), {"against": revision[:7], "scale": SCALE}
    record = json.loads(record_of(path, own["scale"]).read_text(encoding="utf-8"))
    record["code"] |= {"hash": own["code_hash"], "replayed": own["replayed"]}
    write_committed(path, notebook, record, own["scale"])


def _renumbered(output: Any, count: int) -> Any:
    if output.output_type == "execute_result":
        output.execution_count = count
    return output


def _revision(root: Path, name: str) -> str:
    """Return the commit that a revision names."""
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"There is no revision {name!r} in {root.name!r}; give a commit, branch or tag of this clone.")
    return done.stdout.strip()


def _extract(root: Path, revision: str, folder: Path) -> None:
    """Write the files of a revision into a new folder, without touching this checkout."""
    command = ["git", "-C", str(root), "archive", "--format=tar", revision]
    content = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")


def _check_fresh(tree: Path, names: Sequence[str], against: str) -> None:
    """Refuse notebooks that a revision lacks, or whose outputs its own code did not make."""
    noted = {}
    for name in names:
        path = tree / "notebooks" / f"{name}.ipynb"
        if not path.is_file():
            raise LabError(f"Revision {against} has no notebook {name!r}; run it with --write instead.")
        noted[name] = read_notebook(path).metadata.get("nemo_lab", {}).get("code_hash")
    today = json.loads(_python(tree, _HASH, names).stdout)
    stale = [name for name in names if today[name] != noted[name]]
    if stale:
        raise LabError(
            f"Outputs of {', '.join(stale)} were stale at {against} already; run them again with --write, "
            "or name a revision at which they were not."
        )


def _run(tree: Path, names: Sequence[str], out: Path) -> None:
    _python(tree, _COMMAND, ["run", *names, "--scale", SCALE, "--out", str(out)])
    missing = [name for name in names if not (out / SCALE / name / "seed0" / RECORD).is_file()]
    if missing:
        raise LabError(f"The run of {', '.join(missing)} left no record; see what `nemo-lab run` says of it.")


def _python(tree: Path, code: str, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a program by the package of a tree, which goes before the installed one."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: a notebook failed, which its record tells
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise LabError(f"The code in {tree.name!r} could not be started; it said: {said}")
    return done


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else f"{text[:87]}…"
