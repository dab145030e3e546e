"""Names of a package that are looked up when they are first used, so that importing the package costs nothing.

A package's `__init__` keeps a table of names and of the modules, relative to it, that define them:

    _HOMES = {"load": "loading", "package": "packages.fetch"}
    __all__ = list(_HOMES)
    __getattr__, __dir__ = attach(__name__, _HOMES)

A name must not be that of a module of the package: once imported, the module would hide it.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__` (PEP 562) for names by the modules that define them."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    def names() -> list[str]:
        return sorted(homes)

    return get, names
