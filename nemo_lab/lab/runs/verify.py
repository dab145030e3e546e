"""`nemo-lab verify`: are the stored outputs those of today's code, and fit to be compared?

A notebook's outputs are part of the repository, and like a comment they go stale in silence. This check is
cheap (nothing is executed) and names each notebook with what is wrong: outputs made by other code, none at
all, errors or warnings, cells run out of order, machine paths, or too few cells that nbval compares for
real (a third of those with output, DESIGN section 3).
"""

import re
from pathlib import Path
from typing import Any

from nemo_lab.lab.runs.notebooks import tags

_PATH = re.compile(
    r"(?<![\w/.:<-])/(?:home|root|Users|tmp|work|usr|opt|var|mnt|private|workspace|content)/[\w.+-]+"
    r"|\b[A-Za-z]:\\\\?[\w.+-]+\\"
)
CHECKED = "nbval-check-output"


def verify(notebooks: list[Path]) -> dict[str, list[str]]:
    """Return for each notebook (by name) what is wrong with its stored outputs; an empty list is good.

    Args:
        notebooks: paths of `.ipynb` files.

    Raises:
        LabError: a file that is no notebook.
    """
    return {path.stem: problems(path) for path in notebooks}


def problems(path: Path) -> list[str]:
    """Return one sentence for each thing that is wrong with the stored outputs of one notebook."""
    from nemo_lab.lab.runs.notebooks import read_notebook

    notebook = read_notebook(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    with_output = [cell for cell in code if cell.outputs]
    if not with_output:
        return ["no stored outputs; run `nemo-lab run --write` on it"]
    return [
        *_stale(path, notebook),
        *_order(code),
        *_bad_outputs(with_output),
        *_too_few_checked(with_output),
    ]


def _stale(path: Path, notebook: Any) -> list[str]:
    """Compare the hash noted by `nemo-lab run --write` with that of today's code."""
    from nemo_lab.lab.runs.staleness import code_hash

    noted = notebook.metadata.get("nemo_lab", {}).get("code_hash")
    if noted is None:
        return ["does not say which code made its outputs; store them with `nemo-lab run --write`"]
    if noted != code_hash(path):
        return [
            "stored outputs were made by other code than today's; run it again with --write, or, when no number was "
            "meant to change, `nemo-lab verify --replay --against` a revision at which they were fresh"
        ]
    return []


def _order(code: list[Any]) -> list[str]:
    counts = [cell.execution_count for cell in code]
    if counts == list(range(1, len(code) + 1)):
        return []
    first = next(i for i, count in enumerate(counts) if count != i + 1)
    return [f"execution counts are not 1..{len(code)} (code cell {first + 1} has {counts[first]})"]


def _bad_outputs(cells: list[Any]) -> list[str]:
    """Return sentences for errors, stderr and absolute paths in the outputs of these cells."""
    found = []
    for cell in cells:
        where = f"In [{cell.execution_count}]"
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{where} stores an error: {output.ename}")
            elif output.get("name") == "stderr":
                found.append(f"{where} stores stderr: {output.text.strip()[-80:]!r}")
            path = _PATH.search(_text(output))
            if path:
                found.append(f"{where} stores the machine's path {path.group()!r}")
    return found


def _text(output: Any) -> str:
    """Return everything of an output that a reader could read; images are left out."""
    if output.output_type == "error":
        return "\n".join(output.traceback)
    data = output.get("data", {})
    return output.get("text", "") + "\n".join(str(v) for k, v in data.items() if k.startswith("text/"))


def _too_few_checked(cells: list[Any]) -> list[str]:
    checked = sum(CHECKED in tags(cell) for cell in cells)
    if 3 * checked >= len(cells):
        return []
    return [
        f"{checked} of {len(cells)} cells with output carry the tag {CHECKED}; "
        f"at least a third ({-(-len(cells) // 3)}) must"
    ]
