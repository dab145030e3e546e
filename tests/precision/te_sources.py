"""The Python sources of the pinned Transformer Engine, read out of its wheel without installing or importing it.

The wheel is 1.2 MB and holds Python alone. It is looked for in `$NEMO_LAB_WHEELS`, else in the folder `wheels` of
the lab's cache. No test fetches it: without it the tests that need it are skipped and say how to get it.
"""

import ast
import hashlib
import os
import zipfile
from functools import cache
from pathlib import Path

import pytest

from nemo_lab.lab.home import home

VERSION = "2.20.2"
SHA256 = "7dcfad943a1a55b2612db9a0e43697fe98c70f4c42ec391ba3a0f872f6ce2094"
NAME = f"transformer_engine-{VERSION}-py3-none-any.whl"


def wheel() -> Path:
    """The wheel, its content checked; skips the test where there is none."""
    folder = Path(os.environ.get("NEMO_LAB_WHEELS") or home() / "wheels")
    path = folder / NAME
    if not path.is_file():
        pytest.skip(
            f"{NAME} is not in the folder of wheels (NEMO_LAB_WHEELS); "
            f"get it with `pip download --no-deps -d FOLDER transformer-engine=={VERSION}`"
        )
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256, f"{path} is not the published wheel"
    return path


@cache
def _parsed(path: Path, member: str) -> ast.Module:
    with zipfile.ZipFile(path) as archive:
        return ast.parse(archive.read(f"transformer_engine/{member}").decode())


def module(member: str) -> ast.Module:
    """The syntax tree of a member such as `common/recipe/__init__.py`."""
    return _parsed(wheel(), member)


def definition(member: str, name: str, inside: str = "") -> ast.AST:
    """A class or function by name; of a class' method with the class as `inside`."""
    body = module(member).body if not inside else definition(member, inside).body
    return next(node for node in body if getattr(node, "name", "") == name)


def arguments(function: ast.FunctionDef) -> list[str]:
    """Names of a function's arguments without self."""
    named = [*function.args.args, *function.args.kwonlyargs]
    return [argument.arg for argument in named if argument.arg != "self"]


def fields(klass: ast.ClassDef) -> dict[str, str]:
    """A dataclass' fields and class attributes with the source of their defaults."""
    found = {}
    for node in klass.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            found[node.target.id] = ast.unparse(node.value)
        elif isinstance(node, ast.Assign):
            found[node.targets[0].id] = ast.unparse(node.value)
    return found
