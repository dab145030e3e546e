"""Which code stands behind something: the definitions that it reaches, hashed.

Two things go stale in silence when code changes: a notebook's stored outputs and a cached artifact. Both ask
here. From the names that a notebook's cells or a builder use, definitions (functions, classes, constants) are
followed through the package, not files: a change counts when a reached definition computes something else.
It does not count when nothing is computed differently: docstrings, comments, formatting, annotations and
import statements are left out, and a reference stands for what it refers to, so that moving or renaming a
definition changes nothing.

Followed are names and attributes of modules (also through the `_HOMES` tables of packages that import when
used), strings that name a module (started by `-m`) or `module:function` (the catalog's readers), files of the
package that are named (`format_matrix.parquet`), and rows of its TOML tables by their name or id (the pinned
version of a package). A module's statements outside definitions count as soon as one of its definitions does.

Not followed: modules chosen by a computed name, and methods of an object whose class is nowhere named. A
string built at run time names a module for nobody but the run; the package has two such places, the catalog's
readers (followed by their strings) and a study's settings (hashed by their values).
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import nemo_lab
from nemo_lab.sources.graph import Sources
from nemo_lab.sources.live import Live, no_source
from nemo_lab.sources.modules import Node, Piece

__all__ = ["Node", "Piece", "Sources", "code_of", "here"]

PACKAGE = Path(nemo_lab.__file__).parent


def code_of(*things: Any) -> str:
    """Return 16 hexadecimal digits for the code behind functions, classes, modules and what they were given.

    `functools.partial`s, closures, containers and dataclasses are looked into; of other values the class counts.

    Raises:
        LabError: a function without source code (built-in, compiled).
    """
    for thing in things:
        if isinstance(thing, BuiltinFunctionType):
            raise no_source(thing)
    sources = here()
    live = Live(sources)
    return sources.digest([piece for thing in things for piece in live.pieces(thing, live.outside)])


@functools.cache
def here() -> Sources:
    """Return the sources of the installed package, read once a process."""
    return Sources(PACKAGE)
