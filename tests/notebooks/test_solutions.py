"""Folded solutions use names that their notebook has, and of a module only what it has."""

import ast
import builtins
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def bound(tree: ast.AST) -> set[str]:
    """Names that code binds anywhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def modules_of(tree: ast.AST) -> dict[str, ModuleType]:
    """Modules of the package that code imports by `from … import …`, by the names that they have there."""
    found: dict[str, ModuleType] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nemo_lab"):
            home: Any = import_module(str(node.module))
            for alias in node.names:
                try:
                    found[alias.asname or alias.name] = import_module(f"{node.module}.{alias.name}")
                except ModuleNotFoundError:
                    assert hasattr(home, alias.name), f"{node.module} has no {alias.name}"
    return found


def unknown(tree: ast.AST, names: set[str], modules: dict[str, ModuleType]) -> Iterator[str]:
    """Names that nobody bound, and attributes that a module has not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names and not hasattr(builtins, node.id):
            yield node.id
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module and not hasattr(module, node.attr):
                yield ast.unparse(node)


def unknown_in(cells: list[tuple[str, str]]) -> set[str]:
    """What solutions use and none of the cells, (kind, source), has; an earlier solution counts as run."""
    code = ast.parse("\n".join(source for kind, source in cells if kind == "code"))
    names, modules = bound(code), modules_of(code)
    found: set[str] = set()
    prose = "\n".join(source for kind, source in cells if kind == "markdown")
    for block in re.findall(r"```python\n(.*?)```", prose, re.DOTALL):
        tree = ast.parse(block)
        names, modules = names | bound(tree), modules | modules_of(tree)
        found |= set(unknown(tree, names, modules))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_use_what_is_there(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert not unknown_in([(cell.cell_type, cell.source) for cell in cells])


def test_what_is_not_there_is_seen() -> None:
    code = "from nemo_lab.modeling import costs\nx = 1"
    solution = "```python\ny = x + z\ncosts.no_such_thing(len(y))\ncosts.parameter_count\n```"
    assert unknown_in([("code", code), ("markdown", solution)]) == {"z", "costs.no_such_thing"}
