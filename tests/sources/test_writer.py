"""What computes nothing else does not count; what a name refers to does, whatever it is called."""

import pytest

from tests.sources.made_package import LAZY, MODEL, digest, edit


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


def test_a_field_with_the_name_of_an_imported_module_is_a_field(package):
    cell = "from nemo_lab.fields import Page\nPage()"
    (package / "fields.py").write_text("class Page:\n    alone: int = 0\n")
    before = digest(package, cell)
    (package / "fields.py").write_text("from nemo_lab import alone\n\nclass Page:\n    alone: int = 0\n")
    assert digest(package, cell) == before


def test_two_names_that_trade_places_are_noticed(package):
    cell = "from nemo_lab.alone import A as first, B as second\nprint(first, second)"
    assert digest(package, cell) != digest(package, cell.replace("A as first, B as", "B as first, A as"))
