"""The folded solutions of the exercises run, each behind the cells that a reader has run before it, at smoke."""

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def solutions(notebook: Any) -> list[str]:
    """The Python code of all folded solutions."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return SOLUTION.findall(text)


def test_solutions_are_found() -> None:
    text = "1.\n<details><summary>How</summary>\n\n```python\nx = 1\n```\n</details>\n<details>no code</details>"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    assert solutions(notebook) == ["x = 1\n"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_folded_solutions_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(path, as_version=4)
    codes = solutions(notebook)
    assert codes, "the notebook has no exercise with a solution in code"
    notebook.cells = [cell for cell in notebook.cells if "lab.finish()" not in cell.source]
    notebook.cells += [new_code_cell(code) for code in codes]
    for name, value in {"NEMO_LAB_SCALE": "smoke", "NEMO_LAB_PROGRESS": "0"}.items():
        monkeypatch.setitem(os.environ, name, value)
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=where).execute()
