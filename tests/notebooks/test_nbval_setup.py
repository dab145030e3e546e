"""The nbval set-up, on made notebooks: right ones pass, and each kind of fault fails as it should."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks.nbval_setup import solutions

ROOT = Path(__file__).parents[2]
RECORD = {
    "schema": 1,
    "notebook": "made",
    "scale": "smoke",
    "seed": 0,
    "status": "ok",
    "seconds": 0.1,
    "peak_mb": 1.0,
    "claims": [],
    "values": {"loss": 2.0},
}
WRITE = f"""import os, pathlib
_ = pathlib.Path(os.environ['NEMO_LAB_RECORD']).write_text({json.dumps(RECORD)!r})"""


def write(path: Path, *cells: tuple[str, str, list[str]]) -> None:
    """A stored notebook of cells (source, printed output, tags)."""
    notebook = new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for count, (source, printed, tags) in enumerate(cells, 1):
        outputs = [new_output("stream", name="stdout", text=printed)] if printed else []
        cell = new_code_cell(source, execution_count=count, outputs=outputs, metadata={"tags": tags})
        notebook.cells.append(cell)
    nbformat.write(notebook, path)


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """pytest as a maintainer calls it, on a folder elsewhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEMO_LAB")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        str(ROOT / "pyproject.toml"),
    ]
    return subprocess.run(
        [*command, "--rootdir", str(ROOT), "--nbval-lax", *options, str(folder)],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=ROOT,
        env=environment,
        check=False,
    )


def test_a_stored_notebook_passes_and_its_record_is_checked(tmp_path: Path) -> None:
    checked = ["nbval-check-output"]
    write(
        tmp_path / "made.ipynb",
        ("import os\nprint(os.environ['NEMO_LAB_SCALE'])", "smoke\n", checked),
        ("import sys\nprint('progress', file=sys.stderr)", "", checked),
        ("print(object())", "<object object at 0x7f0123456789>\n", checked),
        ("import time\nprint(time.time())", "0.0\n", []),
        (WRITE, "", []),
    )
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (("print(2)", "1\n", ["nbval-check-output"]), "mismatch"),
        (("1 / 0", "", []), "ZeroDivisionError"),
        (("pass", "", []), "wrote no record"),
    ],
    ids=["other output", "error", "no record"],
)
def test_a_fault_fails(tmp_path: Path, cell: tuple[str, str, list[str]], reason: str) -> None:
    write(tmp_path / "made.ipynb", cell)
    done = run(tmp_path)
    assert done.returncode == 1
    assert reason in done.stdout


SOLUTION = "1. Halve it.\n<details><summary>How</summary>\n\n```python\n{}\n```\n</details>\n<details>no code</details>"


@pytest.mark.parametrize(("code", "summary"), [("assert x == 1", "3 passed"), ("assert x == 2", "1 failed, 2 passed")])
def test_a_folded_solution_runs_behind_the_cells(tmp_path: Path, code: str, summary: str) -> None:
    notebook = new_notebook(cells=[new_code_cell("x = 1\n" + WRITE), new_markdown_cell(SOLUTION.format(code))])
    nbformat.write(notebook, tmp_path / "made.ipynb")
    assert summary in run(tmp_path).stdout


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_has_an_exercise_with_a_solution_in_code(path: Path) -> None:
    assert solutions(nbformat.read(path, as_version=4))


def test_a_dead_kernel_fails_at_the_cell_time_limit(tmp_path: Path) -> None:
    write(tmp_path / "made.ipynb", ("import os\nos._exit(1)", "", []))
    done = run(tmp_path, "--nbval-cell-timeout", "2")
    assert done.returncode == 1


def test_a_folder_without_notebooks_is_said_to_hold_none(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 5, done.stdout
    assert "no tests ran" in done.stdout
