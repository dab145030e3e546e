"""Which code made a notebook's outputs: one hash over all that can change them.

It covers the notebook's code cells (not its text, outputs or injected parameters), every definition of the
package that they reach (`nemo_lab.sources` says how), and the notebook's own rows of the ledger and of the
settings. Rows of other notebooks do not count, so entering a claim for one notebook leaves the others' outputs
valid; only a notebook that shows what the others recorded depends on the whole ledger and on their records.
`nemo-lab verify` compares the hash with the one that the stored outputs note.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from nemo_lab import sources
from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import claims_of, ledger
from nemo_lab.lab.runs.find import find_runs, stored_runs
from nemo_lab.studies.registry import SETTINGS


def code_hash(notebook: Path) -> str:
    """Return 16 hexadecimal digits for the code behind the notebook at this path.

    Raises:
        LabError: the file is not a notebook, or a cell is not Python.
    """
    pieces = _pieces(notebook)
    return sources.here().digest([*pieces, *_shown(notebook, pieces)])


def shown_records(notebook: Path) -> list[str]:
    """Return what a notebook that shows the whole ledger sees besides code: all claims and the others' records.

    Empty for a notebook that shows its own alone.
    """
    return _shown(notebook, _pieces(notebook))


def _shown(notebook: Path, pieces: list[sources.Piece]) -> list[str]:
    shows = sources.Node(find_runs.__module__, find_runs.__name__) in sources.here().reached(pieces)
    return list(_records_of_others(notebook)) if shows else []


def _pieces(notebook: Path) -> list[sources.Piece]:
    return [*sources.here().pieces_of_cells(code_cells(notebook)), *_rows(notebook.stem)]


def code_cells(notebook: Path) -> list[str]:
    """Return the sources of a notebook's code cells, without the cell that papermill injects."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        own = [cell for cell in cells if "injected-parameters" not in cell["metadata"].get("tags", [])]
        return ["".join(cell["source"]) for cell in own if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{notebook.name} is not a readable notebook ({type(error).__name__}).") from None


def _rows(notebook: str) -> Iterator[sources.Piece]:
    """Yield the notebook's own claims and settings, by value, and the settings' class, for its methods count too."""
    for claim in claims_of(notebook):
        yield repr(asdict(claim))
    for scale, settings in SETTINGS.get(notebook, {}).items():
        yield f"{scale} {asdict(settings)!r}"
        yield sources.Node(type(settings).__module__, type(settings).__name__)


def _records_of_others(notebook: Path) -> Iterator[str]:
    yield from (repr(asdict(claim)) for claim in ledger().values())
    for run in stored_runs(notebook.parent):
        if run.name != notebook.stem:
            yield json.dumps([run.name, run.scale, run.seed, run.record["claims"]], sort_keys=True)
