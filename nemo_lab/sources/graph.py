"""Which definitions stand behind which: names followed from module to module, and one hash over what is reached."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from nemo_lab.sources.modules import (
    Alias,
    Module,
    Node,
    Piece,
    imported_names,
    imports_of,
    joined,
    parse_cell,
    parse_module,
)
from nemo_lab.sources.writer import TreeWriter

EFFECTS, MAIN, ALL = "<effects>", "<main>", "<all>"
# Not looked at: the guard itself, for what it hashes decides and not how it is written; and the table of all
# notebooks' settings, of which each notebook's own rows are hashed in its place.
_BLIND = ("nemo_lab.sources", "nemo_lab.lab.runs.staleness", "nemo_lab.studies.registry")
_ROUNDS = 12  # a reference's mark tells apart what differs up to so many references away
_MODULE = re.compile(r"nemo_lab(?:\.\w+)+")
_READER = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


class Sources:
    """The definitions of one package on disk, each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module | None] = {}
        self._pieces: dict[Node, list[Piece]] = {}

    def digest_of_cells(self, cells: Iterable[str]) -> str:
        """Return a hash for a notebook: its cells and every definition behind them.

        Raises:
            LabError: a cell is not Python.
        """
        return self.digest(self.pieces_of_cells(cells))

    def pieces_of_cells(self, cells: Iterable[str]) -> list[Piece]:
        """Return the cells as text and references; `reached` says what lies behind them."""
        body = [statement for cell in cells for statement in parse_cell(cell).body]
        page = Module("", self.root / "page.py", aliases=imports_of(body, ""))
        run = imported_names(ast.Module(body, []), "")
        effects = [Node(name, EFFECTS) for name in sorted(set(run)) if (m := self.module(name)) and m.effects]
        return [*TreeWriter(self, page).text(body), *effects]

    def digest(self, pieces: Sequence[Piece]) -> str:
        """Return 16 hexadecimal digits for the pieces and everything that they reach."""
        behind = self.reached(pieces)
        texts = {node: hash_of(p if isinstance(p, str) else "→" for p in found) for node, found in behind.items()}
        references = {node: [p for p in found if isinstance(p, Node)] for node, found in behind.items()}
        marks = texts
        for _ in range(_ROUNDS):
            marks = {node: hash_of([texts[node], *(marks[r] for r in references[node])]) for node in behind}
        own = [piece if isinstance(piece, str) else marks[piece] for piece in pieces]
        return hash_of([*own, *sorted(set(marks.values()))])[:16]

    def reached(self, pieces: Iterable[Piece]) -> dict[Node, list[Piece]]:
        """Return every node that the pieces refer to, directly or not, with its own pieces."""
        queue = [piece for piece in pieces if isinstance(piece, Node)]
        found: dict[Node, list[Piece]] = {}
        while queue:
            node = queue.pop()
            if node not in found:
                found[node] = self._pieces_of(node)
                queue += [piece for piece in found[node] if isinstance(piece, Node)]
                queue += self._surroundings(node)
        return found

    def _surroundings(self, node: Node) -> list[Node]:
        """Return what importing the module runs: loose statements of it, of its imports, of packages around it."""
        if ":" in node.where:
            return []
        parts = node.where.split(".")
        around = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
        module = self.module(node.where)
        imported = module.imported if module and node.name == EFFECTS else []
        return [Node(name, EFFECTS) for name in (*around, *imported) if self.module(name)]

    def _pieces_of(self, node: Node) -> list[Piece]:
        if node not in self._pieces:
            self._pieces[node] = list(self._read(node))
        return self._pieces[node]

    def _read(self, node: Node) -> Iterable[Piece]:
        if node.where == "file:":
            return [hashlib.sha256(path.read_bytes()).hexdigest() for path in self._files[node.name]]
        if node.where == "row:":
            return [self._rows[node.name]]
        module = self.module(node.where)
        assert module is not None  # nodes are made of modules that were found
        writer = TreeWriter(self, module)
        if node.name == ALL:
            own = [Node(module.name, name) for name in sorted(module.bound) if not name.startswith("__")]
            lazy = [self.resolve(Alias(module.name, name), [])[0] for name in sorted(module.homes)]
            return [*own, *(node for node in lazy if node)]
        if node.name in (EFFECTS, MAIN):
            return writer.text(module.effects if node.name == EFFECTS else module.main)
        return writer.definition(node.name)

    def module(self, name: str) -> Module | None:
        """Return a module of the package, None when there is none of that name or the guard looks away."""
        if name not in self._modules:
            path = None if name.startswith(_BLIND) else self._file_of(name)
            self._modules[name] = parse_module(name, path) if path else None
        return self._modules[name]

    def _file_of(self, name: str) -> Path | None:
        first, *rest = name.split(".")
        if first != self.root.name:
            return None
        inside = self.root.joinpath(*rest)
        options = (inside / "__init__.py", inside.with_suffix(".py"))
        return next((path for path in options if path.is_file()), None)

    def resolve(self, alias: Alias, attributes: Sequence[str]) -> tuple[Node | None, list[str]]:
        """Follow a name from a module through attributes; return the node, if it is one, and what is left."""
        path = [*([alias.name] if alias.name else []), *attributes]
        name = alias.module
        while path:
            module = self.module(name)
            if module is None:
                return None, path
            first, rest = path[0], path[1:]
            if first in module.bound:
                return Node(name, first), rest
            if module.aliases.get(first) not in (None, Alias(name, first)):  # `from . import first` is the module
                return self.resolve(module.aliases[first], rest)
            if first in module.homes:
                return self.resolve(Alias(joined(module.package, module.homes[first]), first), rest)
            if self.module(f"{name}.{first}") is None:
                late = "__getattr__" in module.bound and not module.homes
                return (Node(name, "__getattr__") if late else None), path
            name, path = f"{name}.{first}", rest
        return (Node(name, ALL) if self.module(name) else None), []

    def named_by(self, text: str, module: Module) -> Node | None:
        """Return what a string constant names: a module, a `module:function`, a file beside, a row of a table."""
        if text in self._rows:
            return Node("row:", text)
        reader = _READER.fullmatch(text)
        if reader:
            return self._reader(reader[1], reader[2], module)
        if "." not in text:
            return None
        if _MODULE.fullmatch(text):
            return self._program(text)
        name = text.rpartition("/")[2]
        if name in self._files:
            return Node("file:", name)
        beside = module.path.with_name(name) if name.endswith(".py") else None
        if beside is None or not beside.is_file():
            return None
        return self._program(".".join((self.root.name, *beside.relative_to(self.root).with_suffix("").parts)))

    def _program(self, name: str) -> Node | None:
        """Return what starting a module by `-m` runs, or all of a module that is named without being a program."""
        for candidate in (f"{name}.__main__", name):
            module = self.module(candidate)
            if module:
                return Node(candidate, MAIN if module.main else ALL)
        return None

    def _reader(self, name: str, function: str, module: Module) -> Node | None:
        """Return a `module:function`: the module by its name, or by its end in the folder of the one that says so."""
        whole = self.module(name)
        if whole and function in whole.bound:
            return Node(name, function)
        folder = module.path.parent
        for path in sorted(folder.rglob(f"{name.replace('.', '/')}.py")):
            full = ".".join((self.root.name, *path.relative_to(self.root).with_suffix("").parts))
            found = self.module(full)
            if found and function in found.bound:
                return Node(full, function)
        return None

    @functools.cached_property
    def _files(self) -> dict[str, list[Path]]:
        """The package's data files by name, in whichever folder; of TOML tables the rows count."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.root.rglob("*.*")):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".toml"):
                found.setdefault(path.name, []).append(path)
        return found

    @functools.cached_property
    def _rows(self) -> dict[str, str]:
        """Rows of the package's TOML tables by name or id, as text."""
        found: dict[str, str] = {}
        for path in sorted(self.root.rglob("*.toml")):
            for table in tomllib.loads(path.read_text(encoding="utf-8")).values():
                rows = table if isinstance(table, list) else []
                found |= {row.get("name") or row.get("id"): repr(sorted(row.items())) for row in rows}
        return {name: text for name, text in found.items() if name}


def hash_of(texts: Iterable[str]) -> str:
    """Return the sha256 of texts in order, in hexadecimal."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()
