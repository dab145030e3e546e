"""The static contract of the notebooks, without running them: `contract.py` on each, and on mutants."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks import contract

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_rule = pytest.mark.parametrize("rule", contract.RULES, ids=lambda rule: rule.__name__)


def read(path: Path) -> Any:
    """A notebook, checked against nbformat's schema."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def ledger_rows() -> dict[str, str]:
    """Id and notebook of each testable claim."""
    from nemo_lab.lab.ledger.claims import ledger

    return {claim.id: claim.notebook for claim in ledger().values() if claim.testable}


def test_every_notebook_that_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"notebooks/(\d\d_\w+)\.ipynb", text))
    assert named == {path.stem for path in NOTEBOOKS}


@each_rule
@each_notebook
def test_notebook_keeps_the_contract(path: Path, rule: Callable[[Any], list[str]]) -> None:
    assert rule(read(path)) == []


@each_notebook
def test_notebook_judges_its_claims(path: Path) -> None:
    assert contract.claims(read(path), path.stem, ledger_rows()) == []


@each_notebook
def test_notebook_is_small(path: Path) -> None:
    assert contract.file_size(path) == []


@each_notebook
def test_stored_outputs_are_todays_and_fit_to_be_compared(path: Path) -> None:
    """What `nemo-lab verify` finds; the remedy for staleness is a laptop run, or a replay after a refactoring."""
    from nemo_lab.lab.runs.verify import problems

    assert problems(path) == []


@each_notebook
def test_outputs_are_those_of_the_laptop_scale(path: Path) -> None:
    assert read(path).metadata.get("nemo_lab", {}).get("scale") == "laptop"


# --- the contract itself: a good notebook passes, and each rule notices its violation

PARAMETERS = 'scale: str = ""  # smoke, laptop\nseed: int = 0  # of the first repeat\nsteps: int = 5  # a model'
TITLE = "# Hybrid\nNemotron-H, arXiv 2504.03624\n\n| scale | minutes |\n|---|---|\n| smoke | 1 |\n| laptop | 8 |"


def good() -> Any:
    """The smallest notebook that keeps the contract."""
    image = new_output("display_data", data={"image/png": "", "text/plain": "<Figure>"})
    cells = [
        new_markdown_cell(TITLE),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell("import nemo_lab.lab\nlab = nemo_lab.lab.start('05_x', scale=scale, seed=seed)"),
        new_markdown_cell("## The figure"),
        new_code_cell("_ = ax.plot(x)", outputs=[image]),
        new_code_cell('lab.claim("a.b", [1, 2, 3], control=[0, 0, 0])\nlab.ledger()'),
        new_code_cell("lab.finish()"),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def change(index: int, source: str) -> Callable[[Any], None]:
    """A mutation that replaces the source of one cell."""

    def mutate(notebook: Any) -> None:
        notebook.cells[index].source = source

    return mutate


def tag(index: int, name: str) -> Callable[[Any], None]:
    """A mutation that tags one cell."""
    return lambda notebook: notebook.cells[index].metadata.setdefault("tags", []).append(name)


LONG_CELL = "\n".join(f"x{i} = {i}" for i in range(26))
LONG_FUNCTION = "def f():\n" + "\n".join(f"    x{i} = {i}" for i in range(11))
MUTANTS: dict[str, tuple[Callable[[Any], list[str]], Callable[[Any], None]]] = {
    "no title": (contract.title, change(0, "Hybrid")),
    "no scales": (contract.title, change(0, "# Hybrid\nNemotron-H")),
    "no paper": (contract.title, change(0, TITLE.replace("Nemotron-H, arXiv 2504.03624", ""))),
    "no help": (contract.parameters, change(1, PARAMETERS.replace("  # of the first repeat", ""))),
    "untyped": (contract.parameters, change(1, PARAMETERS.replace("steps: int", "steps"))),
    "computed": (contract.parameters, change(1, PARAMETERS.replace("= 5", "= 2 + 3"))),
    "union": (contract.parameters, change(1, PARAMETERS.replace("steps: int", "steps: int | None"))),
    "other default": (contract.parameters, change(1, PARAMETERS.replace('""', '"smoke"'))),
    "no seed": (contract.parameters, change(1, 'scale: str = ""  # smoke, laptop')),
    "not tagged": (contract.parameters, lambda notebook: notebook.cells[1].metadata.clear()),
    "not started": (contract.frame, change(2, "import nemo_lab")),
    "no ledger": (contract.frame, change(5, "pass")),
    "not finished": (contract.frame, change(6, "print('done')")),
    "long cell": (contract.size_of_cells, change(2, LONG_CELL)),
    "long function": (contract.size_of_cells, change(2, LONG_FUNCTION)),
    "kernel": (contract.metadata, lambda notebook: notebook.metadata.kernelspec.update(name="julia")),
    "same id": (contract.metadata, lambda notebook: notebook.cells[1].update(id=notebook.cells[2].id)),
    "papermill's trap": (contract.metadata, tag(2, "raises-exception")),
    "path": (contract.metadata, lambda notebook: notebook.metadata.update(papermill="/home/someone/x.ipynb")),
    "silent figure": (contract.figures, lambda notebook: notebook.cells.pop(3)),
}


@each_rule
def test_contract_accepts_a_good_notebook(rule: Callable[[Any], list[str]]) -> None:
    assert rule(good()) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_contract_notices(name: str) -> None:
    rule, mutate = MUTANTS[name]
    notebook = good()
    mutate(notebook)
    assert rule(notebook) != []


@pytest.mark.parametrize(
    ("known", "wrong"),
    [
        ({"a.b": "05_x"}, 0),
        ({"a.b": "05_x", "a.c": "05_x"}, 1),
        ({"a.b": "06_y"}, 1),
        ({}, 1),
    ],
)
def test_claims_and_ledger_are_held_together(known: dict[str, str], wrong: int) -> None:
    assert len(contract.claims(good(), "05_x", known)) == wrong


def test_a_large_notebook_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "large.ipynb"
    path.write_bytes(b" " * (contract.MAX_BYTES + 1))
    assert contract.file_size(path)
