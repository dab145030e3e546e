"""The one form in which an executed notebook is committed.

A notebook as papermill leaves it carries what differs from run to run: timestamps, the injected parameters,
widget state, the exact Python patch version, the way a stream was cut into pieces. Stored like that, every
run would be a diff of a thousand lines and two machines would never agree. `canonical` keeps what a reader
sees and what nbval compares, renumbers the cells as if the injected one had never run, and notes in
`metadata.nemo_lab` which scale, seed and code made the outputs, so that `nemo-lab verify` can tell when the
code has moved on.
"""

import re
from typing import Any

_OURS = {"injected-parameters", "papermill-error-cell-tag"}
_RUN_ONLY = ("papermill", "execution", "ExecuteTime", "widgets")
_WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def canonical(notebook: Any, *, scale: str, seed: int, code_hash: str) -> Any:
    """Return a copy of an executed notebook in the form that is committed.

    Args:
        notebook: an executed nbformat 4 notebook, as papermill wrote it.
        scale: the scale that made the outputs.
        seed: the seed that made the outputs.
        code_hash: `nemo_lab.lab.code.code_hash` of the notebook when it ran.
    """
    from copy import deepcopy

    clean = deepcopy(notebook)
    clean.cells = [_clean_cell(cell) for cell in clean.cells if not _OURS & set(tags(cell))]
    _renumber(clean.cells)
    version = str(clean.metadata.get("language_info", {}).get("version", ""))
    minor = re.match(r"\d+\.\d+", version)
    clean.metadata = type(clean.metadata)(
        kernelspec=dict(KERNELSPEC),
        language_info={"name": "python", **({"version": minor.group()} if minor else {})},
        nemo_lab={"scale": scale, "seed": seed, "code_hash": code_hash},
    )
    return clean


def tags(cell: Any) -> list[str]:
    """Return the tags of a notebook cell."""
    return list(cell.metadata.get("tags", []))


def _clean_cell(cell: Any) -> Any:
    for name in _RUN_ONLY:
        cell.metadata.pop(name, None)
    if not cell.metadata.get("tags", True):
        del cell.metadata["tags"]  # papermill gives every cell an empty list
    if cell.cell_type == "code":
        cell.outputs = _merge_streams([output for output in cell.outputs if _kept(output)])
    return cell


def _kept(output: Any) -> bool:
    """Return whether an output is for the reader: neither stderr nor a widget without its state."""
    return output.get("name") != "stderr" and _WIDGET not in output.get("data", {})


def _merge_streams(outputs: list[Any]) -> list[Any]:
    """Join neighbouring stream outputs, which the kernel cuts wherever its timer happened to fire."""
    merged: list[Any] = []
    for output in outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            merged.append(output)
    return merged


def _renumber(cells: list[Any]) -> None:
    """Count the executed cells 1..n, in their `execute_result` outputs too."""
    count = 0
    for cell in cells:
        if cell.cell_type != "code" or cell.execution_count is None:
            continue
        count += 1
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
