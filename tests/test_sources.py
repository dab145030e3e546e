"""Which code stands behind something: what counts is noticed each way it can be reached, what does not is not."""

import ast
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from nemo_lab import sources
from nemo_lab.corpora import store
from nemo_lab.errors import LabError
from nemo_lab.lab.runs.staleness import code_cells
from nemo_lab.sources import Sources, code_of

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FILES = {
    "__init__.py": "",
    "alone.py": "A = 1\nB = 2\n",
    "lazy/__init__.py": '_HOMES = {"far": "first", "near": ".second"}\n'.replace('".second"', '"second"'),
    "lazy/first.py": "from nemo_lab.alone import A\n\ndef far():\n    return A\n",
    "lazy/second.py": "def near():\n    return 1\n\ndef unused():\n    return 2\n",
    "data/__init__.py": "",
    "data/catalog.py": 'READERS = {"a": "plain:read"}\nPINNED = ["pack"]\nTABLE = open("t.parquet")\n',
    "data/readers/__init__.py": "",
    "data/readers/plain.py": "def read():\n    return 1\n",
    "data/packages.toml": '[[package]]\nname = "pack"\nsha = "1"\n\n[[package]]\nname = "other"\nsha = "1"\n',
    "data/t.parquet": "bytes",
    "started.py": 'def main():\n    work()\n\ndef work():\n    return 1\n\nif __name__ == "__main__":\n    main()\n',
    "starter.py": 'import sys\nCOMMAND = [sys.executable, "-m", "nemo_lab.started"]\n',
    "methods.py": (
        "import math\nimport numpy as np\n"
        "class Base:\n    size = 1\n    def step(self):\n        return helper(self.size)\n\n"
        "class Model(Base):\n    width: int = 3\n\n"
        "def helper(x):\n    'Says nothing.'\n    return np.exp(x) + math.pi\n\n"
        "def shadowed(helper):\n    return helper(1)\n\n"
        "def even(n):\n    return n == 0 or odd(n - 1)\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n\n"
        "REGISTRY = {}\nREGISTRY['x'] = helper\n"
    ),
}


@pytest.fixture
def package(tmp_path):
    """A small package in place of nemo_lab."""
    root = tmp_path / "nemo_lab"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def digest(root: Path, *cells: str) -> str:
    return Sources(root).digest_of_cells(cells)


LAZY = "from nemo_lab import lazy\nlazy.far()"
STARTER = "from nemo_lab.starter import COMMAND\nCOMMAND"
CATALOG = "from nemo_lab.data import catalog\ncatalog.READERS"
MODEL = "from nemo_lab.methods import Model\nModel().step()"


@pytest.mark.parametrize(
    ("cell", "file", "old", "new"),
    [
        (LAZY, "alone.py", "A = 1", "A = 5"),
        ("import nemo_lab.lazy\nnemo_lab.lazy.far()", "alone.py", "A = 1", "A = 5"),
        ("from nemo_lab.lazy import far as f\nf()", "alone.py", "A = 1", "A = 5"),
        ("def late():\n    from nemo_lab.lazy import first\n    return first.far()", "alone.py", "A = 1", "A = 5"),
        ("from nemo_lab import alone\nprint(alone)", "alone.py", "B = 2", "B = 5"),
        (STARTER, "started.py", "return 1", "return 2"),
        ('run("nemo_lab.started")', "started.py", "return 1", "return 2"),
        (CATALOG, "data/readers/plain.py", "return 1", "return 2"),
        (
            "from nemo_lab.data.catalog import PINNED\nPINNED",
            "data/packages.toml",
            'pack"\nsha = "1"',
            'pack"\nsha = "2"',
        ),
        ("from nemo_lab.data.catalog import TABLE\nTABLE", "data/t.parquet", "bytes", "other"),
        (MODEL, "methods.py", "size = 1", "size = 2"),
        (MODEL, "methods.py", "width: int = 3", "width: int = 4"),
        (MODEL, "methods.py", "math.pi", "math.e"),
        (MODEL, "methods.py", "import numpy as np", "import torch as np"),
        (MODEL, "methods.py", "REGISTRY['x'] = helper", "REGISTRY['y'] = helper"),
        ("from nemo_lab.methods import even\neven(4)", "methods.py", "n != 0", "n > 0"),
    ],
)
def test_a_changed_definition_is_noticed_each_way_it_is_reached(package, cell, file, old, new):
    before = digest(package, cell)
    edit(package, file, old, new)
    assert digest(package, cell) != before


@pytest.mark.parametrize(
    ("cell", "file", "old", "new"),
    [
        (LAZY, "alone.py", "B = 2", "B = 5"),
        (LAZY, "lazy/second.py", "return 1", "return 5"),
        (MODEL, "methods.py", "'Says nothing.'", "'Says something.'\n    # and remarks\n"),
        (MODEL, "methods.py", "np.exp(x) + math.pi", "(\n        np.exp(x)\n        + math.pi\n    )"),
        (MODEL, "methods.py", "width: int", "width: float"),
        (MODEL, "methods.py", "def step(self):", "def step(self) -> float:"),
        (MODEL, "methods.py", "n != 0", "n > 0"),
        (MODEL, "methods.py", "import numpy as np", "from collections import abc\nimport numpy as np"),
        ("from nemo_lab.methods import shadowed\nshadowed(len)", "alone.py", "A = 1", "A = 5"),
        (
            "from nemo_lab.data.catalog import PINNED\nPINNED",
            "data/packages.toml",
            'other"\nsha = "1"',
            'other"\nsha = "2"',
        ),
    ],
)
def test_what_computes_nothing_else_or_is_not_reached_does_not_count(package, cell, file, old, new):
    before = digest(package, cell)
    edit(package, file, old, new)
    assert digest(package, cell) == before


def test_a_move_and_a_renaming_do_not_count(package):
    before = digest(package, LAZY), digest(package, CATALOG), digest(package, STARTER)
    (package / "lazy/first.py").rename(package / "lazy/moved.py")
    edit(package, "lazy/__init__.py", '"far": "first"', '"far": "moved"')
    edit(package, "lazy/moved.py", "from nemo_lab.alone import A", "from nemo_lab import alone as a")
    edit(package, "lazy/moved.py", "return A", "return a.FIRST")
    edit(package, "alone.py", "A = 1", "FIRST = 1")
    (package / "data/readers/plain.py").rename(package / "data/readers/simple.py")
    edit(package, "data/readers/simple.py", "def read", "def lines")
    edit(package, "data/catalog.py", "plain:read", "simple:lines")
    (package / "begun").mkdir()
    (package / "begun/__init__.py").write_text("")
    (package / "started.py").rename(package / "begun/here.py")
    edit(package, "starter.py", "nemo_lab.started", "nemo_lab.begun.here")
    assert (digest(package, LAZY), digest(package, CATALOG), digest(package, STARTER)) == before


def test_a_field_with_the_name_of_an_imported_module_is_a_field(package):
    cell = "from nemo_lab.fields import Page\nPage()"
    (package / "fields.py").write_text("class Page:\n    alone: int = 0\n")
    before = digest(package, cell)
    (package / "fields.py").write_text("from nemo_lab import alone\n\nclass Page:\n    alone: int = 0\n")
    assert digest(package, cell) == before


def test_two_names_that_trade_places_are_noticed(package):
    cell = "from nemo_lab.alone import A as first, B as second\nprint(first, second)"
    assert digest(package, cell) != digest(package, cell.replace("A as first, B as", "B as first, A as"))


def test_cells_count_in_order_and_magics_are_understood(package):
    assert digest(package, "a = 1", "b = 2") != digest(package, "b = 2", "a = 1")
    assert digest(package, f"%matplotlib inline\n{LAZY}\nx = !pwd") != digest(package, f"{LAZY}\nx = !pwd")
    with pytest.raises(LabError, match="not Python"):
        digest(package, "def broken(:")


# --- live objects


def doubled(x: int) -> int:
    return 2 * x


FACTOR = 3


def scaled(x: int) -> int:
    return FACTOR * doubled(x)


def test_live_functions_are_followed_into_closures_partials_and_globals(monkeypatch):
    def within(function):
        return lambda x: function(x)

    assert code_of(within(doubled)) == code_of(within(doubled))
    assert len({code_of(within(doubled)), code_of(within(scaled)), code_of(doubled), code_of(scaled)}) == 4
    before = code_of(partial(scaled))
    monkeypatch.setitem(globals(), "FACTOR", 4)
    assert code_of(partial(scaled)) != before


def test_what_has_no_source_is_refused():
    with pytest.raises(LabError, match="'len'"):
        code_of(len)


# --- the real package, edited in a copy


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("copy") / "nemo_lab"
    shutil.copytree(sources.PACKAGE, root, ignore=shutil.ignore_patterns("__pycache__"))
    return root


LOOKED_AT = ["00_start_here", "05_hybrid_architecture", "08_puzzle_nas", "10_crossthink_rl", "90_performance"]
EDITS = {
    "an order": (
        "corpora/mixtures.py",
        ".shuffle(seed=seed)",
        ".shuffle(seed=0)",
        ["00_start_here", "05_hybrid_architecture"],
    ),
    "a reader": (
        "corpora/readers/pod.py",
        ".rstrip()",
        ".lstrip()",
        ["00_start_here", "05_hybrid_architecture", "08_puzzle_nas"],
    ),
    "a rate": ("training/optimizer.py", "] = rate", "] = 100 * rate", LOOKED_AT),
    "a process": (
        "studies/performance/language_model_tasks.py",
        "WARMUP + sizes.steps",
        "sizes.steps",
        ["90_performance"],
    ),
}


def digests(root: Path) -> dict[str, str]:
    code = Sources(root)
    return {name: code.digest_of_cells(code_cells(NOTEBOOKS / f"{name}.ipynb")) for name in LOOKED_AT}


@pytest.fixture(scope="module")
def unchanged(copy):
    return digests(copy)


@pytest.mark.parametrize("what", EDITS)
def test_notebooks_notice_an_edit_of_the_package(copy, unchanged, what):
    name, old, new, seen_by = EDITS[what]
    kept = (copy / name).read_text()
    edit(copy, name, old, new)
    now = digests(copy)
    (copy / name).write_text(kept)
    assert [title for title in LOOKED_AT if now[title] != unchanged[title]] == seen_by


def test_formatting_comments_docstrings_and_annotations_of_every_module_do_not_count(copy, unchanged, tmp_path):
    """Every module is written anew from its syntax tree, with other docstrings and no annotation of a result."""
    root = tmp_path / "nemo_lab"
    shutil.copytree(copy, root)
    for path in root.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                node.body.insert(0, ast.Expr(ast.Constant("Another remark.")))
            if isinstance(node, ast.FunctionDef):
                node.returns = None
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)))
    assert digests(root) == unchanged


BASE = """
import tiny_plan
from nemo_lab.mixing.proxies import base_model
print(base_model(tiny_plan.plan(), 3).name)
"""


def test_a_cached_base_model_is_built_anew_when_the_optimisers_rate_changes(copy, tmp_path):
    script = tmp_path / "base.py"
    script.write_text(BASE)

    def built() -> str:
        paths = os.pathsep.join([str(copy.parent), str(Path(__file__).parent / "mixing")])
        environment = {**os.environ, "PYTHONPATH": paths, "NEMO_LAB_HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, str(script)], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = built()
    assert built() == first
    name, old, new, _ = EDITS["a rate"]
    edit(copy, name, old, new)
    try:
        assert built() != first
    finally:
        edit(copy, name, new, old)


def test_one_entry_of_the_catalog_does_not_rebuild_the_other_corpora(copy, monkeypatch):
    def keys() -> dict[str, str]:
        monkeypatch.setattr(sources, "here", lambda: Sources(copy))
        return {name: store._folder(name).name for name in ("perl-manual", "dictionary")}

    before = keys()
    edit(copy, "corpora/readers/pod.py", ".rstrip()", ".lstrip()")
    after = keys()
    edit(copy, "corpora/readers/pod.py", ".lstrip()", ".rstrip()")
    assert after["perl-manual"] != before["perl-manual"]
    assert after["dictionary"] == before["dictionary"]
