"""What every notebook must be like, as functions from a notebook to the list of what is wrong with it.

The contract is STYLE.md's, told in sentences; `test_notebooks.py` applies it to `notebooks/` and proves on
mutants that each rule notices its violation. What `nemo-lab verify` already checks (execution order, errors,
stderr, machine paths, the share of compared cells) is called, not written again.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

MAX_BYTES = 1_500_000
MAX_CELL_LINES = 25
MAX_FUNCTION_LINES = 10
LITERALS = {"str", "int", "float", "bool"}
SCALES = ("smoke", "laptop")
FORBIDDEN_TAGS = {"raises-exception", "nbval-skip", "nbval-ignore-output"}
Notebook = Any


def code_cells(notebook: Notebook) -> list[Any]:
    """The code cells that are not empty."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def tags(cell: Any) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def parse(cell: Any) -> ast.Module:
    """A cell as Python; IPython's magics become calls."""
    from IPython.core.inputtransformer2 import TransformerManager

    return ast.parse(TransformerManager().transform_cell(cell.source))


def calls(notebook: Notebook, method: str) -> Iterator[ast.Call]:
    """The calls `lab.<method>(…)` of a notebook."""
    for cell in code_cells(notebook):
        for node in ast.walk(parse(cell)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"lab.{method}":
                yield node


def title(notebook: Notebook) -> list[str]:
    """The first cell: a title, the paper it is about, and a table of scales."""
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        return ["the first cell is not a title"]
    rows = [line for line in first.source.splitlines() if line.lstrip().startswith("|")]
    wrong = [f"the table of scales lacks {scale}" for scale in SCALES if not any(scale in row for row in rows)]
    if not re.search(r"arXiv|Nemotron|paper", first.source):
        wrong.append("the title cell names no paper")
    return wrong


def parameters(notebook: Notebook) -> list[str]:
    """One cell tagged `parameters`, of typed literals with comments, the only form papermill reads."""
    cells = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    if len(cells) != 1:
        return [f"{len(cells)} cells are tagged parameters, expected 1"]
    wrong, declared = [], {}
    lines = cells[0].source.splitlines()
    for node in parse(cells[0]).body:
        line = lines[node.lineno - 1]
        if not _typed_literal(node):
            wrong.append(f"not a typed literal: {line!r}")
        elif not re.search(r"\S  # \S", line):
            wrong.append(f"no help comment: {line!r}")
        else:
            declared[node.target.id] = (node.annotation.id, node.value.value)
    for name, want in {"scale": ("str", ""), "seed": ("int", 0)}.items():
        if declared.get(name) != want:
            wrong.append(f"parameter {name} is not `{name}: {want[0]} = {want[1]!r}`")
    return wrong


def _typed_literal(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.annotation, ast.Name)
        and node.annotation.id in LITERALS
        and isinstance(node.value, ast.Constant)
        and type(node.value.value).__name__ == node.annotation.id
        and not (isinstance(node.value.value, str) and "=" in node.value.value)
    )


def frame(notebook: Notebook) -> list[str]:
    """The lab's session: started after the parameters, a ledger shown, finished in the last code cell."""
    cells = code_cells(notebook)
    wrong = []
    if not any("start(" in cell.source for cell in cells):
        wrong.append("no lab.start(…)")
    if not list(calls(notebook, "ledger")):
        wrong.append("no lab.ledger()")
    if not cells or "lab.finish()" not in cells[-1].source:
        wrong.append("the last code cell does not call lab.finish()")
    return wrong


def claims(notebook: Notebook, name: str, known: dict[str, str]) -> list[str]:
    """Each row that the ledger gives to this notebook is claimed, and nothing else.

    `known` maps the id of every testable claim to its notebook.
    """
    made = []
    for call in calls(notebook, "claim"):
        literal = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        made.append(literal if isinstance(literal, str) else ast.unparse(call))
    own = {claim for claim, owner in known.items() if owner == name}
    wrong = [f"claim {claim} of the ledger is not made" for claim in sorted(own - set(made))]
    wrong += [f"claim {claim!r} is not a row of the ledger for this notebook" for claim in set(made) - own]
    return wrong + [f"claim {claim} is made twice" for claim in own if made.count(claim) > 1]


def size_of_cells(notebook: Notebook) -> list[str]:
    """One idea a cell, and what is long lives in the package."""
    wrong = []
    for cell in code_cells(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if len(lines) > MAX_CELL_LINES:
            wrong.append(f"a cell of {len(lines)} lines: {lines[0]!r}")
        for node in ast.walk(parse(cell)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    wrong.append(f"{node.name} has {length} lines; move it into nemo_lab")
    return wrong


def metadata(notebook: Notebook) -> list[str]:
    """Ids, kernel, and only tags that papermill and nbval understand alike."""
    wrong = [] if notebook.metadata.get("kernelspec", {}).get("name") == "python3" else ["the kernel is not python3"]
    ids = [cell.get("id") for cell in notebook.cells]
    if None in ids or len(set(ids)) != len(ids):
        wrong.append("a cell has no id, or two have the same")
    used = {tag for cell in notebook.cells for tag in tags(cell)}
    wrong += [f"tag {tag}: papermill and nbval disagree about it" for tag in sorted(used & FORBIDDEN_TAGS)]
    if re.search(r"(?<![\w.:/])/(?:home|root|Users|tmp|work)/\w", json.dumps(notebook.metadata)):
        wrong.append("the metadata hold a machine's path")
    return wrong


def figures(notebook: Notebook) -> list[str]:
    """A reader who cannot see a figure knows what it shows: alt text, or text just before it."""
    wrong = []
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type != "code" or not any(_image(output) for output in cell.outputs):
            continue
        told = before.cell_type == "markdown" or any(_alt(output) for output in cell.outputs)
        if not told and not cell.source.lstrip().startswith("#"):
            wrong.append(f"a figure without a word before it: {cell.source.splitlines()[0]!r}")
    return wrong


def _image(output: Any) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _alt(output: Any) -> bool:
    return any("alt" in entry for entry in output.get("metadata", {}).values() if isinstance(entry, dict))


def file_size(path: Path) -> list[str]:
    """Small enough to be read on the web and kept in git."""
    size = path.stat().st_size
    return [f"{size / 1e6:.1f} MB, at most {MAX_BYTES / 1e6} MB"] if size > MAX_BYTES else []


RULES: tuple[Callable[[Notebook], list[str]], ...] = (
    title,
    parameters,
    frame,
    size_of_cells,
    metadata,
    figures,
)
