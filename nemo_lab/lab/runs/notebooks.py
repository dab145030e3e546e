"""The repository's notebooks: found by name, read, and stored with outputs that are fit to be compared.

A notebook that was run holds times, paths and counters. Stored as it is, every run would be a diff of a thousand
lines and two machines would never agree; `as_committed` keeps what a reader wants.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nemo_lab
from nemo_lab.errors import LabError, one_of
from nemo_lab.files import write_text

_OURS = {"injected-parameters", "papermill-error-cell-tag"}
_RUN_ONLY = ("papermill", "execution", "ExecuteTime", "widgets")
_WIDGET = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
NOTEBOOK = "notebook.ipynb"


def as_committed(notebook: Any, *, scale: str, seed: int, code_hash: str) -> Any:
    """Return a copy of an executed notebook in the form that is committed.

    Args:
        notebook: an executed nbformat 4 notebook, as papermill wrote it.
        scale: the scale that made the outputs.
        seed: the seed that made the outputs.
        code_hash: `nemo_lab.lab.runs.staleness.code_hash` of the notebook when it ran.
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


def write_committed(path: Path, notebook: Any, record: Mapping[str, Any], scale: str) -> None:
    """Write stored outputs: the record first, then the notebook, so that no notebook is without its record."""
    import nbformat

    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    write_text(record_of(path, scale), json.dumps(record, indent=1, sort_keys=True) + "\n")
    write_text(path, text if text.endswith("\n") else text + "\n")


def record_of(path: Path, scale: str) -> Path:
    """Return where the record of a notebook's stored outputs lies."""
    return path.parent / "records" / f"{path.stem}.{scale}.json"


def notebooks_folder() -> Path:
    """Return `notebooks/` of the current folder, else the one beside the installed package.

    Raises:
        LabError: there is none; the commands need a clone of the repository.
    """
    for root in (Path.cwd(), Path(nemo_lab.__file__).resolve().parents[1]):
        if (root / "notebooks").is_dir():
            return root / "notebooks"
    raise LabError("No folder 'notebooks' here; run this in a clone of the Nemo Lab repository.")


def find_notebooks(names: Iterable[str]) -> list[Path]:
    """Return the absolute paths of notebooks given by name, number (`05` or `5`) or path; none means all.

    Raises:
        LabError: an unknown name, or one that fits several notebooks.
    """
    names = list(names)
    folder = None if names and all(_is_path(name) for name in names) else notebooks_folder()
    known = {path.stem: path.resolve() for path in sorted(folder.glob("*.ipynb"))} if folder else {}
    if names:
        return list(dict.fromkeys(_find(name, known) for name in names))
    if not known:
        raise LabError(f"No notebook in {str(folder)!r}.")
    return list(known.values())


def _is_path(name: str) -> bool:
    return name.endswith(".ipynb") and Path(name).is_file()


def _find(name: str, known: dict[str, Path]) -> Path:
    if _is_path(name):
        return Path(name).resolve()
    stem = name.removesuffix(".ipynb")
    if stem in known:
        return known[stem]
    if stem.isdigit():
        fits = [path for title, path in known.items() if _number(title) == int(stem)]
    else:
        fits = [path for title, path in known.items() if title.partition("_")[2] == stem]
    if len(fits) != 1:
        raise LabError(one_of("notebook", name, list(known)))
    return fits[0]


def _number(title: str) -> int | None:
    head = title.partition("_")[0]
    return int(head) if head.isdigit() else None


def read_notebook(path: Path) -> Any:
    """Return a notebook as nbformat 4.

    Raises:
        LabError: the file cannot be read or is no notebook.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise LabError(f"{str(path)!r} is not a readable notebook ({type(error).__name__}).") from error
