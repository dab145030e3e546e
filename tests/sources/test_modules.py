"""A module as the guard reads it, and cells with magics."""

import ast

import pytest

from nemo_lab.errors import LabError
from nemo_lab.sources.modules import Alias, joined, local_names, parse_module
from tests.sources.made_package import LAZY, digest


def test_cells_count_in_order_and_magics_are_understood(package):
    assert digest(package, "a = 1", "b = 2") != digest(package, "b = 2", "a = 1")
    assert digest(package, f"%matplotlib inline\n{LAZY}\nx = !pwd") != digest(package, f"{LAZY}\nx = !pwd")
    with pytest.raises(LabError, match="not Python"):
        digest(package, "def broken(:")


MODULE = """
'A docstring.'
import math as m
import os.path
from typing import TYPE_CHECKING
from . import beside
from ..above import thing as other

if TYPE_CHECKING:
    import never
    hidden = 1

_HOMES = {"far": "first"}
A, (B, *C) = 1, (2, 3)
A += 1

def f(x):
    inside = 1
    return inside

try:
    import maybe
    D = [E for E in ()]
except ImportError as error:
    D = None
register(f)

if __name__ == "__main__":
    main()
"""


def test_names_imports_and_loose_statements_are_told_apart(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(MODULE)
    module = parse_module("nemo_lab.a.b.m", path)
    assert set(module.bound) == {"A", "B", "C", "f", "D", "error", "maybe"}
    assert [ast.unparse(statement) for statement in module.bound["A"]] == ["A, (B, *C) = (1, (2, 3))", "A += 1"]
    assert module.aliases == {
        "m": Alias("math"),
        "os": Alias("os"),
        "TYPE_CHECKING": Alias("typing", "TYPE_CHECKING"),
        "beside": Alias("nemo_lab.a.b", "beside"),
        "other": Alias("nemo_lab.a.above", "thing"),
        "never": Alias("never"),
        "maybe": Alias("maybe"),
    }
    assert module.homes == {"far": "first"}
    assert [type(statement).__name__ for statement in module.effects] == ["AugAssign", "Try", "Expr"]
    assert [ast.unparse(statement) for statement in module.main] == ["main()"]


def test_relative_imports_of_a_package_start_in_it(tmp_path):
    path = tmp_path / "__init__.py"
    path.write_text("from .first import one\n")
    assert parse_module("nemo_lab.a", path).aliases == {"one": Alias("nemo_lab.a.first", "one")}


def test_a_functions_own_names_hide_the_modules():
    (function,) = ast.parse(
        "def f(a, /, b, *c, d, **e):\n"
        "    global shared\n"
        "    from .near import g\n"
        "    shared = h = [i for i in a]\n"
        "    def k(l): m = 1\n"
    ).body
    own = local_names(function, "nemo_lab.a")
    assert own == {**dict.fromkeys("abcdehk"), "g": Alias("nemo_lab.a.near", "g")}


def test_a_home_is_named_from_its_package():
    assert joined("nemo_lab.a", "b.c") == "nemo_lab.a.b.c"
    assert joined("nemo_lab.a", "nemo_lab.d") == "nemo_lab.d"
