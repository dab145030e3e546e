"""Notebooks of a few cells that run in a second: they need no package and write their record themselves."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'scale: str = ""  # smoke, laptop\nseed: int = 0  # the first seed\nsteps: int = 3  # a count\n'
RECORD = """
import json, os, sys
record = {
    "schema": 1, "notebook": NAME, "scale": scale, "seed": seed, "status": "ok",
    "parameters": {"steps": steps},
    "started": "2026-01-01T00:00:00+00:00", "seconds": 0.1, "peak_mb": 12.5,
    "code": {"version": "0", "git": "", "hash": ""}, "packages": {"torch": "2"}, "machine": {"cores": 2},
    "claims": [], "values": {"steps": steps},
    "python": sys.executable, "hash_seed": os.environ["PYTHONHASHSEED"],
    "progress": os.environ["NEMO_LAB_PROGRESS"], "scale_variable": os.environ["NEMO_LAB_SCALE"],
}
with open(os.environ["NEMO_LAB_RECORD"], "w") as stream:
    json.dump(record, stream)
"""


def tiny(folder: Path, name: str, *cells: str, checked: bool = True) -> Path:
    """Write a notebook with a title, the parameters cell, the given code cells and one that records."""
    first = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    tags = {"tags": ["nbval-check-output"]} if checked else {}
    body = [new_code_cell(source, metadata=dict(tags)) for source in cells]
    last = new_code_cell(RECORD.replace("NAME", repr(name)))
    notebook = new_notebook(cells=[new_markdown_cell(f"# {name}"), first, *body, last])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path
