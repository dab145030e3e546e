"""What each folder offers is there, whatever was imported before, and what is written down names nothing else."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import nemo_lab
from nemo_lab.lazy import attach

ROOT = Path(__file__).parents[1]
PACKAGE = Path(nemo_lab.__file__).parent
FOLDERS = sorted(".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("__init__.py"))
DOTTED = re.compile(r"\bnemo_lab(?:\.\w+)+")
NO_MODULES = {"nemo_lab.studies.name", "nemo_lab.time_step_min"}  # any study's; a field of our config.json
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NO_FILES = re.compile(r"NN_name|/name$|NAME|^tests/pytorch/")  # any notebook's, any study's; Transformer Engine's own
FILES = re.compile(r"\b(?:nemo_lab|tests|notebooks|data_cards)/[\w/.-]*\w")


def wrong_names(folder: str) -> list[str]:
    """Names that a folder offers and does not have, or that give a module in place of what it holds."""
    package = import_module(folder)
    wrong = []
    for name in getattr(package, "__all__", ()):
        try:
            thing = getattr(package, name)
        except (AttributeError, ImportError) as error:
            wrong.append(f"{folder}.{name}: {error}")
        else:
            wrong += [f"{folder}.{name} is a module"] * isinstance(thing, ModuleType)
    return wrong


def hidden_names(folder: str) -> set[str]:
    """Names looked up when used that a module of the folder would hide once it is imported."""
    homes = getattr(import_module(folder), "_HOMES", {})
    place = PACKAGE.parent.joinpath(*folder.split("."))
    return {name for name in homes if (place / f"{name}.py").is_file() or (place / name).is_dir()}


def test_every_name_that_a_folder_offers_is_there():
    assert len(FOLDERS) > 30
    assert not [wrong for folder in FOLDERS for wrong in wrong_names(folder)]


def test_no_module_hides_a_name():
    assert not {folder: names for folder in FOLDERS if (names := hidden_names(folder))}


def test_a_name_that_is_not_there_and_one_that_is_hidden_are_noticed(monkeypatch):
    package = import_module("nemo_lab.reasoning")
    homes = {**package._HOMES, "grpo": "grpo", "policy": "policy", "reward": "grpo_loop"}
    monkeypatch.setattr(package, "_HOMES", homes)
    monkeypatch.setattr(package, "__all__", list(homes))
    monkeypatch.setattr(package, "__getattr__", attach(package.__name__, homes)[0])
    import_module("nemo_lab.reasoning.policy")
    assert {wrong.split()[0].strip(":") for wrong in wrong_names(package.__name__)} == {
        "nemo_lab.reasoning.grpo",
        "nemo_lab.reasoning.policy",
        "nemo_lab.reasoning.reward",
    }
    assert hidden_names(package.__name__) == {"policy"}


@pytest.mark.parametrize(
    ("folder", "module", "name"),
    [("nemo_lab.reasoning", "grpo_loop", "grpo"), ("nemo_lab.precision", "quantize", "quantize")],
)
def test_a_function_stays_one_in_both_orders(folder, module, name):
    """`precision` loads its names at once, so its module of the same name came first and does not come again."""
    ask = f"from {folder} import {name}; assert callable({name}), {name}"
    load = f"import {folder}.{module}"
    for code in (f"{ask}; {load}; {ask}", f"{load}; {ask}"):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_importing_corpora_is_light():
    heavy = "{'datasets', 'torch', 'lxml', 'pandas'}"
    code = f"import sys, nemo_lab.corpora as c; c.DEFAULT_CORPORA; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_a_name_is_imported_when_it_is_used_and_no_earlier(tmp_path, monkeypatch):
    folder = tmp_path / "made_lazily"
    (folder / "inner").mkdir(parents=True)
    head = "from nemo_lab.lazy import attach\n"
    table = '_HOMES = {"near": "first", "far": "inner.second"}\n__getattr__, __dir__ = attach(__name__, _HOMES)\n'
    (folder / "__init__.py").write_text(head + table)
    (folder / "first.py").write_text("near = 1\n")
    (folder / "inner" / "second.py").write_text("far = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = import_module("made_lazily")
    assert dir(made) == ["far", "near"]
    assert not {"made_lazily.first", "made_lazily.inner.second"} & set(sys.modules)
    assert made.far == 2
    assert "made_lazily.first" not in sys.modules
    assert made.near == 1
    with pytest.raises(AttributeError, match="module 'made_lazily' has no attribute 'other'"):
        _ = made.other


# --- what is written down


def cells_of(path: Path, kind: str) -> list[str]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def docstrings(code: str) -> str:
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, DOCUMENTED)]
    return "\n".join(ast.get_docstring(node) or "" for node in nodes)


def texts() -> Iterator[tuple[Path, str]]:
    """README, the cards, the notebooks' prose and the package's docstrings; LOG.md tells of its own days."""
    for path in [ROOT / "README.md", *(ROOT / "data_cards").glob("*.md")]:
        yield path, path.read_text(encoding="utf-8")
    for path in PACKAGE.rglob("*.py"):
        yield path, docstrings(path.read_text(encoding="utf-8"))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        yield path, "\n".join(cells_of(path, "markdown"))


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute (of an attribute) of one."""
    parts = dotted.split(".")
    thing: object = import_module(parts[0])
    for at, part in enumerate(parts[1:], 2):
        if not hasattr(thing, part):
            try:
                import_module(".".join(parts[:at]))
            except ImportError:
                return False
        thing = getattr(thing, part)
    return True


def imports(code: str) -> Iterator[str]:
    """The dotted names that a piece of Python takes from the package."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nemo_lab"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("nemo_lab"))


def test_what_readme_imports_is_there():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = [name for block in blocks for name in imports(block)]
    assert len(names) > 20
    assert not [name for name in names if not resolves(name)]


def test_modules_and_files_that_are_named_are_there():
    found = list(texts())
    modules = {(path.name, name) for path, text in found for name in DOTTED.findall(text)}
    files = {(path.name, name) for path, text in found for name in FILES.findall(text)}
    assert len(modules) > 50
    assert len(files) > 20
    assert not [(where, name) for where, name in sorted(modules) if name not in NO_MODULES and not resolves(name)]
    assert not [
        (where, name) for where, name in sorted(files) if not NO_FILES.search(name) and not (ROOT / name).exists()
    ]


def test_names_from_another_day_are_noticed():
    assert not resolves("nemo_lab.curation.web_heuristics")
    assert not resolves("nemo_lab.reasoning.grpo_loop.GRPO")
    assert resolves("nemo_lab.reasoning.Policy.of")
    assert list(imports("from nemo_lab.a import b\nimport nemo_lab.c\nimport numpy")) == ["nemo_lab.a.b", "nemo_lab.c"]
    assert FILES.findall("see `nemo_lab/corpora/splits.py`, tests/notebooks/.") == [
        "nemo_lab/corpora/splits.py",
        "tests/notebooks",
    ]
