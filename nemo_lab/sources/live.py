"""Live objects (builders of artifacts) as pieces: what code they run, wherever it was defined."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Generator, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.sources.graph import Sources
from nemo_lab.sources.modules import Alias, Module, Node, Piece
from nemo_lab.sources.writer import TreeWriter


class Live:
    """Turns live objects into pieces: references into the package, text of what was defined outside it."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.outside = Module("", sources.root / "page.py")
        self.seen: dict[int, Any] = {}  # by address, and kept alive so that no address is used again

    def pieces(self, thing: Any, where: Module) -> Iterator[Piece]:
        """Yield the pieces of an object; strings name what they would name in the module `where`."""
        if isinstance(thing, str):
            named = self.sources.named_by(thing, where)
            yield from [named] if named else []
        elif isinstance(thing, FunctionType):
            yield from self._function(inspect.unwrap(thing))
        elif isinstance(thing, ModuleType):
            yield self.sources.resolve(Alias(thing.__name__), [])[0] or thing.__name__
        elif id(thing) not in self.seen:
            self.seen[id(thing)] = thing
            where = yield from self._kind(thing, where)
            for part in _parts(thing):
                yield from self.pieces(part, where)
            if callable(thing) and isinstance(type(thing).__call__, FunctionType):
                yield from self._function(type(thing).__call__)

    def _kind(self, thing: Any, where: Module) -> Generator[Piece, None, Module]:
        """Yield a class, or the class of a value, where the package defines it; return its module."""
        kind = thing if isinstance(thing, type) else type(thing)
        module = self.sources.module(kind.__module__)
        name = kind.__qualname__.split(".")[0]
        if module and name in module.bound:
            yield Node(module.name, name)
            return module
        return where

    def _function(self, function: Any) -> Iterator[Piece]:
        """Yield a function and what its closure holds."""
        module = self.sources.module(function.__module__)
        name = function.__qualname__.split(".")[0]
        if module and name in module.bound:
            yield Node(module.name, name)
        elif id(function) not in self.seen:
            self.seen[id(function)] = function
            yield from self._text(function)
        for cell in function.__closure__ or ():
            if _is_filled(cell):
                yield from self.pieces(cell.cell_contents, module or self.outside)

    def _text(self, function: Any) -> Iterator[Piece]:
        """Yield the text of a function that a cell or a script defines, and what its globals refer to."""
        tree = _tree(function)
        names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
        used = {name: function.__globals__[name] for name in names if name in function.__globals__}
        modules = {name: Alias(value.__name__) for name, value in used.items() if isinstance(value, ModuleType)}
        page = Module("", self.outside.path, aliases=modules)
        yield from TreeWriter(self.sources, page).text(tree.body)
        for value in used.values():
            if isinstance(value, bool | int | float | str | tuple):
                yield repr(value)
            elif not isinstance(value, ModuleType | BuiltinFunctionType):
                yield from self.pieces(value, self.outside)


def _parts(thing: Any) -> Iterable[Any]:
    """Return what an object was given: arguments of a partial, items of a container, fields of a dataclass."""
    if isinstance(thing, functools.partial):
        return (thing.func, *thing.args, *thing.keywords.values())
    if isinstance(thing, Mapping):
        return thing.values()
    if isinstance(thing, list | tuple | set | frozenset):
        return thing
    if isinstance(thing, MethodType):
        return (thing.__func__, thing.__self__)
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    return ()


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a closure that refers to what is defined later
        return False


def _tree(function: Any) -> ast.Module:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        raise no_source(function) from None


def no_source(function: Any) -> LabError:
    """Return the error that refuses a function without Python source."""
    return LabError(
        f"There is no source code to hash for {function.__qualname__!r}; give a Python function of a file or a cell."
    )
