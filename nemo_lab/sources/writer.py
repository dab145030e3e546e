"""Syntax trees as text without what computes nothing, with a reference in place of each name of the package."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from nemo_lab.sources.modules import (
    Alias,
    Comprehensions,
    Functions,
    Module,
    Node,
    Piece,
    Scope,
    chain,
    chosen_imports,
    is_text,
    local_names,
    stored_names,
)

# Annotations compute nothing; the others repeat what the tree says or differ between versions of Python.
_SILENT = ("annotation", "returns", "type_comment", "type_params", "ctx", "kind", "simple")
_DEFAULTS = ("defaults", "kw_defaults")  # of arguments; they are evaluated outside the function


class Names(Protocol):
    """What tells a writer what names and strings of a module refer to; `graph.Sources` does."""

    def resolve(self, alias: Alias, attributes: Sequence[str]) -> tuple[Node | None, list[str]]:
        """Follow a name through attributes; return the node, if it is one, and what is left."""

    def named_by(self, text: str, module: Module) -> Node | None:
        """Return what a string constant of a module names."""


class TreeWriter:
    """Turns syntax trees into pieces: text without what computes nothing, and references in place of names."""

    def __init__(self, sources: Names, module: Module) -> None:
        self.sources = sources
        self.module = module
        self.scopes: list[Scope] = []
        self.pieces: list[Piece] = []
        self.in_class = False

    def text(self, statements: Sequence[ast.stmt]) -> list[Piece]:
        """Return the pieces of these statements."""
        self._write(list(statements))
        return self.pieces

    def definition(self, name: str) -> list[Piece]:
        """Return the pieces of what binds a name, without the name where it is the only one bound."""
        for statement in self.module.bound[name]:
            if isinstance(statement, (*Functions, ast.ClassDef)):
                self._head(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and _targets(statement) == [name]:
                self._write(statement.value)
            else:
                self.pieces.append(name)
                self._write(statement)
        if name in self.module.aliases:  # imported and bound again: `f = cache(f)`
            self._refer(self.module.aliases[name], [])
        return self.pieces

    def _write(self, value: Any) -> None:
        if isinstance(value, list):
            self.pieces.append("[")
            for item in value:
                self._write(item)
            self.pieces.append("]")
        elif isinstance(value, ast.AST):
            self._node(value)
        else:
            self.pieces.append(repr(value))

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) or is_text(node):
            return
        if isinstance(node, ast.AnnAssign) and not self.in_class:  # in a class, an annotation makes a field
            if node.value:
                self._node(ast.Assign([node.target], node.value))
            return
        if isinstance(node, ast.Name | ast.Attribute) and self._reference(node):
            return
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = self.sources.named_by(node.value, self.module)
            self.pieces.append(named or repr(node.value))
        elif isinstance(node, (*Functions, ast.ClassDef)):
            self.pieces.append(getattr(node, "name", ""))
            self._head(node)
        elif isinstance(node, Comprehensions):
            self._write(node.generators[0].iter)  # evaluated outside
            with self._scope(dict.fromkeys(stored_names(node.generators))):
                self._fields(node)
        else:
            self._fields(node)
        if isinstance(node, ast.If | ast.Try):  # a choice between imports: every one counts
            for found in chosen_imports(node, self.module.package):
                self._refer(found, [])

    def _fields(self, node: ast.AST, without: Sequence[str] = ()) -> None:
        """Write a node's class and fields; annotations and contexts say nothing about what is computed."""
        self.pieces.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if name not in (*_SILENT, *_DEFAULTS, *without):
                self._write(value)

    def _head(self, node: ast.AST) -> None:
        """Write a function or class without its name; a function's own names hide the module's."""
        outside, self.in_class = self.in_class, isinstance(node, ast.ClassDef)
        self._inside(node)
        self.in_class = outside

    def _inside(self, node: ast.AST) -> None:
        if isinstance(node, ast.ClassDef):
            self._fields(node, ["name"])
            return
        self._write([getattr(node, "decorator_list", []), node.args.defaults, node.args.kw_defaults])  # type: ignore[attr-defined]
        with self._scope(local_names(node, self.module.package)):
            self._fields(node, ["name", "decorator_list"])

    @contextmanager
    def _scope(self, names: Scope) -> Iterator[None]:
        self.scopes.append(names)
        yield
        self.scopes.pop()

    def _reference(self, node: ast.Name | ast.Attribute) -> bool:
        """Write a name or a chain of attributes as what it refers to; False where it is a name of its own."""
        base, attributes = chain(node)
        alias = self._looked_up(base) if base else None
        if alias is None or isinstance(node.ctx, ast.Store):  # a field may have the name of a module
            return False
        self._refer(alias, attributes)
        return True

    def _refer(self, alias: Alias, attributes: Sequence[str]) -> None:
        found, left = self.sources.resolve(alias, attributes)
        if found:
            self.pieces.append(found)
        if found or alias.module.split(".")[0] == "nemo_lab":
            self.pieces += [f".{name}" for name in left]
        else:  # in full, so that its import statement need not be read
            self.pieces.append(".".join([alias.module, *left]))

    def _looked_up(self, name: str) -> Alias | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.module.bound:
            return Alias(self.module.name, name)
        return self.module.aliases.get(name)


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [target.id if isinstance(target, ast.Name) else "" for target in targets]
