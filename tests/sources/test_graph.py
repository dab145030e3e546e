"""Which code stands behind something: what counts is noticed each way it can be reached, what does not is not."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_lab import sources
from nemo_lab.corpora import store
from nemo_lab.lab.runs import staleness
from nemo_lab.lab.runs.staleness import code_cells
from nemo_lab.sources import Node, Sources
from tests.sources.made_package import CATALOG, LAZY, MODEL, STARTER, digest, edit

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


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
        paths = os.pathsep.join([str(copy.parent), str(Path(__file__).parents[1] / "mixing")])
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


# --- what is reached in a roundabout way: choices, rebinding, tables, effects, defaults, files

CELL = "from nemo_lab.made import used\nused()"
FAST = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("made", "other", "changed"),
    [
        ("limit = 1\ndef used(limit=limit):\n    return limit", FAST, "limit = 1"),
        (
            "try:\n    from nemo_lab.other import f\nexcept ImportError:\n    f = None\ndef used():\n    f()",
            FAST,
            "return 1",
        ),
        (
            "import sys\nif sys.flags.dev_mode:\n    from nemo_lab.other import f\nelse:\n"
            "    from nemo_lab.alone import A as f\ndef used():\n    f",
            FAST,
            "return 1",
        ),
        (
            "def used(x):\n    if x:\n        from nemo_lab.other import f\n    else:\n"
            "        from nemo_lab.alone import A as f\n    return f",
            FAST,
            "return 1",
        ),
        (
            "from functools import cache\nfrom nemo_lab.other import f\nf = cache(f)\ndef used():\n    f()",
            FAST,
            "return 1",
        ),
        ("def f():\n    return [1]\ndef used():\n    return [f for f in f()]", FAST, "[1]"),
        ("def used():\n    return 'nemo_lab.other:f'", FAST, "return 1"),
        (
            "T = {}\ndef enter(f):\n    T[f.__name__] = f\n@enter\ndef one():\n    return 1\ndef used():\n    T",
            FAST,
            "return 1",
        ),
        ("import nemo_lab.other\ndef used():\n    pass", "import torch\ntorch.set_num_threads(1)", "threads(1)"),
        ("from nemo_lab.other import torch\ndef used():\n    torch.e", "import torch\ntorch.set_x(1)", "set_x(1)"),
        (
            "from nemo_lab import other\ndef used():\n    other.late",
            "def __getattr__(name):\n    return 1",
            "return 1",
        ),
        ("from nemo_lab import other\ndef used():\n    return open('data/made.csv')", FAST, "file"),
    ],
)
def test_a_change_is_noticed_through_it(package, made, other, changed):
    (package / "made.py").write_text(made + "\n")
    (package / "other.py").write_text(other + "\n")
    (package / "data/made.csv").write_text("1")
    before = digest(package, CELL)
    if changed == "file":
        (package / "data/made.csv").write_text("2")
    else:
        name = "made.py" if changed in made else "other.py"
        edit(package, name, changed, changed.replace("1", "2"))
    assert digest(package, CELL) != before


def test_a_cell_that_only_imports_counts_what_the_module_does(package):
    (package / "made.py").write_text("import torch\ntorch.set_num_threads(1)\n")
    before = digest(package, "import nemo_lab.made")
    edit(package, "made.py", "(1)", "(2)")
    assert digest(package, "import nemo_lab.made") != before


def test_a_package_as_a_whole_is_its_lazy_names_too(package):
    cell = "from nemo_lab import lazy\ngetattr(lazy, 'f' + 'ar')"
    before = digest(package, cell)
    edit(package, "alone.py", "A = 1", "A = 5")
    assert digest(package, cell) != before


def test_a_package_may_import_its_own_module_by_name(package):
    (package / "own").mkdir()
    (package / "own/__init__.py").write_text("from . import part\n")
    (package / "own/part.py").write_text(FAST)
    assert digest(package, "from nemo_lab import own\nown.part.f()")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kept = 1", "kept: int = 1"),
        ("    ...", '    """Say what it does."""'),
        ("import matplotlib.pyplot as plt", "from matplotlib import pyplot as plt"),
    ],
)
def test_what_computes_nothing_is_not_noticed(package, old, new):
    made = "import matplotlib.pyplot as plt\ndef stub():\n    ...\ndef used():\n    stub()\n"
    made += "    kept = 1\n    return plt.plot(kept)\n"
    (package / "made.py").write_text(made)
    before = digest(package, CELL)
    edit(package, "made.py", old, new)
    assert digest(package, CELL) == before


def test_an_annotation_that_makes_a_field_counts(package):
    before = digest(package, "from nemo_lab.methods import Model\nModel")
    edit(package, "methods.py", "width: int = 3", "width = 3")
    assert digest(package, "from nemo_lab.methods import Model\nModel") != before


def test_the_methods_of_a_notebooks_settings_count():
    rows = list(staleness._rows("04_two_phase_pretraining"))
    assert Node("nemo_lab.studies.two_phase_pretraining.settings", "TwoPhase") in rows
