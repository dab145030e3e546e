"""Which code made a notebook's outputs: one hash over all that can change them.

It covers the notebook's code cells (not its text, outputs or injected parameters), the source of every
`nemo_lab` module that they reach through import statements, also those inside functions, and the
notebook's own rows of the ledger and of the settings. Rows of other notebooks do not count, so entering
a claim for one notebook leaves the others' outputs valid. `nemo-lab verify` compares it with the records.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import nemo_lab
from nemo_lab.lab.claims import claims_of
from nemo_lab.lab.home import LabError
from nemo_lab.lab.settings import SETTINGS

PACKAGE = Path(nemo_lab.__file__).parent
# Tables with rows for all notebooks; the notebook's own rows are hashed in their place.
_TABLES = frozenset({"nemo_lab.lab.settings"})


def code_hash(notebook: Path) -> str:
    """Return 16 hexadecimal digits for the code behind the notebook at this path.

    Raises:
        LabError: the file is not a notebook, or a cell is not Python.
    """
    cells = code_cells(notebook)
    digest = hashlib.sha256()
    for part in (*cells, *_sources(cells), *_rows(notebook.stem)):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def code_cells(notebook: Path) -> list[str]:
    """Return the sources of a notebook's code cells, without the cell that papermill injects."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        own = [cell for cell in cells if "injected-parameters" not in cell["metadata"].get("tags", [])]
        return ["".join(cell["source"]) for cell in own if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{notebook.name} is not a readable notebook ({type(error).__name__}).") from None


def reached_modules(cells: Iterable[str]) -> dict[str, Path]:
    """Return name and file of every `nemo_lab` module that the cells import, directly or not, sorted."""
    queue = [name for cell in cells for name in _imports(_parse_cell(cell), "", False)]
    found: dict[str, Path] = {}
    while queue:
        name = queue.pop()
        path = _file_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        queue += _imports(tree, name, path.name == "__init__.py")
    return dict(sorted(found.items()))


def _sources(cells: Iterable[str]) -> Iterator[str]:
    for name, path in reached_modules(cells).items():
        if name not in _TABLES:
            yield f"{name}\n{path.read_text(encoding='utf-8')}"


def _rows(notebook: str) -> Iterator[str]:
    for claim in claims_of(notebook):
        yield repr(claim)
    for scale, settings in SETTINGS.get(notebook, {}).items():
        yield f"{scale} {settings!r}"


def _parse_cell(source: str) -> ast.Module:
    """Parse a cell; IPython's own magics become plain calls first."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise LabError(f"A code cell is not Python ({error.msg}): {source.strip()[:60]!r}.") from None


def _imports(tree: ast.AST, module: str, package: bool) -> list[str]:
    """Return candidate names of imported `nemo_lab` modules, with the packages around each.

    `from a import b` may name a module or an attribute; both `a` and `a.b` are candidates.
    """
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    own = [name.split(".") for name in names if name.split(".")[0] == "nemo_lab"]
    return [".".join(parts[:depth]) for parts in own for depth in range(1, len(parts) + 1)]


def _base(node: ast.ImportFrom, module: str, package: bool) -> str:
    """Return the absolute name that a `from … import` starts at."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + package]
    return ".".join([*kept, node.module] if node.module else kept)


def _file_of(name: str) -> Path | None:
    """Return the file of a module of this package, or None when the name is not a module."""
    inside = PACKAGE.joinpath(*name.split(".")[1:])
    options = (inside / "__init__.py", inside.with_suffix(".py"))
    return next((path for path in options if path.is_file()), None)
