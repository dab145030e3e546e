"""Definitions that are reached in a roundabout way: through choices, rebinding, tables, effects, defaults, files."""

import pytest

from nemo_lab.lab.runs import staleness
from nemo_lab.sources import Node
from tests.sources.made_package import digest, edit

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
