"""The code hash changes with what can change outputs, and with nothing else."""

import json

import pytest

from nemo_lab.lab import code
from nemo_lab.lab.code import code_cells, code_hash, reached_modules
from nemo_lab.lab.home import LabError


def cell(source: str, kind: str = "code", tags: tuple[str, ...] = ()) -> dict[str, object]:
    lines = source.splitlines(keepends=True)
    extra = {"outputs": [], "execution_count": 1} if kind == "code" else {}
    return {"cell_type": kind, "source": lines, "metadata": {"tags": list(tags)}, **extra}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in place of nemo_lab."""
    root = tmp_path / "nemo_lab"
    files = {
        "__init__.py": "",
        "alone.py": "A = 1\n",
        "stage/__init__.py": "from .first import thing\n",
        "stage/first.py": "def thing():\n    from nemo_lab.deep import late\n",
        "stage/second.py": "from ..alone import A\n",
        "deep/__init__.py": "",
        "deep/late.py": "import json\nimport nemo_lab.stage.first\n",
        "lab/__init__.py": "",
        "lab/settings.py": "B = 1\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(code, "PACKAGE", root)
    return root


def write(folder, *cells, name: str = "05_hybrid_architecture"):
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_imports_are_followed_through_packages_functions_and_dots(package):
    assert list(reached_modules(["from nemo_lab.stage import thing"])) == [
        "nemo_lab",
        "nemo_lab.deep",
        "nemo_lab.deep.late",
        "nemo_lab.stage",
        "nemo_lab.stage.first",
    ]
    assert "nemo_lab.alone" in reached_modules(["import nemo_lab.stage.second as s"])
    assert "nemo_lab.alone" in reached_modules(["from nemo_lab.stage import second"])
    assert list(reached_modules(["from nemo_lab import alone"])) == ["nemo_lab", "nemo_lab.alone"]
    assert reached_modules(["import numpy, nemo_labour"]) == {}


def test_magics_are_understood(package):
    found = reached_modules(["%matplotlib inline\n!ls\nfrom nemo_lab import alone\nx = !pwd\n"])
    assert "nemo_lab.alone" in found


def test_hash_follows_cells_and_reached_modules_only(package, tmp_path):
    base = [cell("from nemo_lab.stage import thing"), cell("thing()")]
    before = code_hash(write(tmp_path, *base))
    assert code_hash(write(tmp_path, *base)) == before
    assert code_hash(write(tmp_path, base[1], base[0])) != before
    assert code_hash(write(tmp_path, base[0], cell("thing(1)"))) != before
    (package / "alone.py").write_text("A = 2\n")
    (package / "lab/settings.py").write_text("B = 2\n")
    assert code_hash(write(tmp_path, *base)) == before
    (package / "deep/late.py").write_text("import json\nimport nemo_lab.stage.first\n# changed\n")
    assert code_hash(write(tmp_path, *base)) != before


def test_hash_ignores_text_outputs_and_injected_parameters(package, tmp_path):
    base = [cell("x = 1", tags=("parameters",)), cell("print(x)")]
    before = code_hash(write(tmp_path, *base))
    shown = cell("print(x)") | {"outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
    injected = cell("# Parameters\nx = 2\n", tags=("injected-parameters",))
    assert code_hash(write(tmp_path, cell("# Title", "markdown"), base[0], injected, shown)) == before


def test_own_rows_count_and_other_notebooks_rows_do_not(package, tmp_path, monkeypatch):
    here, there = write(tmp_path, cell("1")), write(tmp_path, cell("1"), name="00_start_here")
    before = code_hash(here), code_hash(there)
    assert before[0] != before[1]
    own = {**code.SETTINGS, "05_hybrid_architecture": {"smoke": "other"}}
    monkeypatch.setattr(code, "SETTINGS", own)
    assert code_hash(here) != before[0]
    assert code_hash(there) == before[1]
    claims = code.claims_of
    monkeypatch.setattr(code, "claims_of", lambda name: claims(name)[1:])
    middle = code_hash(here)
    monkeypatch.setattr(code, "claims_of", lambda name: claims(name)[2:])
    assert code_hash(here) != middle
    assert code_hash(there) == before[1]


def test_settings_module_is_hashed_by_rows_not_text(package, tmp_path):
    path = write(tmp_path, cell("import nemo_lab.lab.settings"))
    before = code_hash(path)
    (package / "lab/settings.py").write_text("B = 3\n")
    assert code_hash(path) == before


def test_the_real_package_is_reached_from_a_notebooks_first_line():
    found = reached_modules(["from nemo_lab.lab import start"])
    assert {"nemo_lab.lab.session", "nemo_lab.lab.claims", "nemo_lab.lab.home"} <= set(found)


@pytest.mark.parametrize("text", ["", "[]", '{"cells": [1]}', "{}"])
def test_not_a_notebook(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(LabError, match=r"x\.ipynb is not a readable notebook"):
        code_cells(path)


def test_cell_that_is_not_python_is_named(package, tmp_path):
    with pytest.raises(LabError, match="not Python"):
        code_hash(write(tmp_path, cell("def broken(:")))
