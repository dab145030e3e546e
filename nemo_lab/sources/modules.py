"""A module as the guard reads it: what each of its names is bound by, and the statements that bind nothing."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nemo_lab.errors import LabError

Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
Comprehensions = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Node(NamedTuple):
    """Something that can change: a definition, or what EFFECTS, MAIN and ALL say of a module; a file or row."""

    where: str  # module; "file:" and "row:" for data
    name: str


class Alias(NamedTuple):
    """What an import binds: a module (`name` empty) or a name in one."""

    module: str
    name: str = ""


Piece = str | Node
Scope = Mapping[str, Alias | None]  # None: a local name


@dataclasses.dataclass
class Module:
    """A parsed module: what each name is bound by, and the statements that bind nothing."""

    name: str
    path: Path
    bound: dict[str, list[ast.stmt]] = dataclasses.field(default_factory=dict)
    aliases: dict[str, Alias] = dataclasses.field(default_factory=dict)
    homes: dict[str, str] = dataclasses.field(default_factory=dict)
    imported: list[str] = dataclasses.field(default_factory=list)  # full names, of modules or of names in them
    effects: list[ast.stmt] = dataclasses.field(default_factory=list)
    main: list[ast.stmt] = dataclasses.field(default_factory=list)

    @property
    def package(self) -> str:
        """The name that relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]


def parse_module(name: str, path: Path) -> Module:
    """Return a module's names and statements."""
    module = Module(name, path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module.aliases = imports_of(tree.body, module.package)
    module.imported = imported_names(tree, module.package)
    for statement in tree.body:
        _sort(statement, module)
    module.effects += [s for s in tree.body if _registers(s, module)]
    return module


def _sort(statement: ast.stmt, module: Module) -> None:
    """Put a top-level statement where it belongs: what names it binds, or what it does."""
    if isinstance(statement, ast.Import | ast.ImportFrom) or is_text(statement):
        return
    names = list(stored_names([statement]))
    if names == ["_HOMES"]:
        module.homes = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
    elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
        return
    elif isinstance(statement, ast.If) and "__main__" in ast.unparse(statement.test):
        module.main += statement.body
    else:
        if isinstance(statement, ast.If | ast.Try):
            names += imports_of([statement], module.package)
        for name in names:
            module.bound.setdefault(name, []).append(statement)
        plain = isinstance(statement, (*Functions, ast.ClassDef, ast.Assign, ast.AnnAssign))
        if not plain or not names:
            module.effects.append(statement)


def _registers(statement: ast.stmt, module: Module) -> bool:
    """Whether a definition has a decorator of the package, which may enter it into a table."""
    bases = [chain(d.func if isinstance(d, ast.Call) else d)[0] for d in getattr(statement, "decorator_list", [])]
    package = module.name.split(".")[0]
    inside = {name for name, alias in module.aliases.items() if alias.module.split(".")[0] == package}
    return any(base in module.bound or base in inside for base in bases)


def stored_names(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """Yield the names that nodes bind, without looking into functions, classes and comprehensions."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, _NAMED) and node.name:
            yield node.name
        if not isinstance(node, (*Functions, ast.ClassDef, *Comprehensions)):
            yield from stored_names(list(ast.iter_child_nodes(node)))


def imports_of(nodes: Sequence[ast.AST], package: str) -> dict[str, Alias]:
    """Return what the import statements of these nodes bind, without looking into functions and classes."""
    found: dict[str, Alias] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                found[alias.asname or whole] = Alias(whole)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            found |= {alias.asname or alias.name: Alias(base, alias.name) for alias in node.names}
        elif not isinstance(node, (*Functions, ast.ClassDef)):
            found |= imports_of(list(ast.iter_child_nodes(node)), package)
    return found


def imported_names(tree: ast.AST, package: str) -> list[str]:
    """Return what import statements anywhere in a tree import, by full name: importing a module runs it."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found


def chosen_imports(node: ast.If | ast.Try, package: str) -> list[Alias]:
    """Return what the branches of a choice import, each branch for itself."""
    branches = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    branches += [handler.body for handler in getattr(node, "handlers", [])]
    plain = [[s for s in branch if isinstance(s, ast.Import | ast.ImportFrom)] for branch in branches]
    return [alias for branch in plain for alias in imports_of(branch, package).values()]


def _base(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name that a `from … import` starts at."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def local_names(node: ast.AST, package: str) -> Scope:
    """Return a function's own names: arguments, what it binds (None), and what it imports."""
    arguments: ast.arguments = node.args  # type: ignore[attr-defined]
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    body = node.body if isinstance(node.body, list) else [node.body]  # type: ignore[attr-defined]
    shared = {name for inner in body for n in ast.walk(inner) if isinstance(n, ast.Global) for name in n.names}
    own = {*(argument.arg for argument in every if argument), *stored_names(body)} - shared
    return {**dict.fromkeys(own), **imports_of(body, package)}


def chain(node: ast.AST) -> tuple[str | None, list[str]]:
    """Return the base name and the attributes of `a.b.c`; no base for attributes of something computed."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else None), attributes


def is_text(node: ast.AST) -> bool:
    """Whether a statement is a bare string or `...`: a docstring, a remark, an empty body."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and (value.value is ... or isinstance(value.value, str))


def joined(package: str, home: str) -> str:
    """Return the full name of a module that a `_HOMES` table names from its package."""
    return home if home.startswith(f"{package.split('.')[0]}.") else f"{package}.{home}"


def parse_cell(source: str) -> ast.Module:
    """Parse a cell; IPython's own magics become plain calls first."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise LabError(f"A code cell is not Python ({error.msg}): {source.strip()[:60]!r}.") from None
