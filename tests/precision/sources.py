"""Python sources of the pinned GPU packages, read out of their archives without installing or importing them.

Looked for in `$NEMO_LAB_WHEELS`, else in the folder `wheels` of the lab's cache. No test fetches them: without an
archive the tests that need it are skipped and say how to get it. `pip download` asks a source archive for its
metadata, hence the flags; what our tests read is the archive of exactly this content.
"""

import ast
import hashlib
import os
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from nemo_lab.files import home


class Archive(NamedTuple):
    """File name, sha256, folder of the package inside, and what to give pip to get it."""

    file: str
    sha256: str
    folder: str
    pip: str


_SOURCE = "--no-build-isolation --no-binary :all: "  # with the package's *_SKIP_CUDA_BUILD=TRUE
ARCHIVES = {
    "transformer-engine": Archive(
        "transformer_engine-2.20.2-py3-none-any.whl",
        "7dcfad943a1a55b2612db9a0e43697fe98c70f4c42ec391ba3a0f872f6ce2094",
        "transformer_engine",
        "transformer-engine==2.20.2",
    ),
    "flash-attn": Archive(
        "flash_attn-2.8.3.post2.tar.gz",
        "d0f9f0b08a986cdeadbffcf5ec8b3a8f514366c68ad1853d3ab061bc83cc340b",
        "flash_attn-2.8.3.post2/flash_attn",
        _SOURCE + "flash-attn==2.8.3.post2",
    ),
    "causal-conv1d": Archive(
        "causal_conv1d-1.7.0.tar.gz",
        "3202758494eaa7b597ce1c282dfa188889506bfcb92cad3c407d26736bfcd32b",
        "causal_conv1d-1.7.0/causal_conv1d",
        _SOURCE + "causal-conv1d==1.7.0",
    ),
}


def archive(package: str) -> Path:
    """A package's archive, its content checked; skips the test where there is none."""
    wanted = ARCHIVES[package]
    path = Path(os.environ.get("NEMO_LAB_WHEELS") or home() / "wheels") / wanted.file
    if not path.is_file():
        pytest.skip(
            f"{wanted.file} is not in the folder of wheels (NEMO_LAB_WHEELS); "
            f"get it with `pip download --no-deps -d FOLDER {wanted.pip}`"
        )
    assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted.sha256, f"{path} is not the published archive"
    return path


def module(package: str, member: str) -> ast.Module:
    """The syntax tree of a member of the package, such as `common/recipe/__init__.py`."""
    return _parsed(archive(package), f"{ARCHIVES[package].folder}/{member}")


@cache
def _parsed(path: Path, member: str) -> ast.Module:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return ast.parse(wheel.read(member).decode())
    with tarfile.open(path) as tarball:
        stream = tarball.extractfile(member)
        assert stream is not None
        return ast.parse(stream.read().decode())


def definition(tree: ast.AST, name: str) -> ast.AST:
    """A class or function by name, of a module or a class."""
    return next(node for node in tree.body if getattr(node, "name", "") == name)


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


def calls(path: str, owner: str) -> dict[str, set[str]]:
    """Attributes of the name `owner` that a file calls, with the keywords it passes."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=called), keywords=given) if name == owner:
                found.setdefault(called, set()).update(keyword.arg for keyword in given)
    return found
