"""Sets nbval up, so that a plain `pytest --nbval-lax notebooks/` is the real regression test.

A pytest plugin, loaded by `addopts` in pyproject.toml; it does nothing unless nbval is asked for. It gives
nbval's options defaults that suit the lab, fixes the environment the kernels inherit, leaves out of the
comparison what cannot be equal, and after the last cell of each notebook adds tests: `record`, the raw numbers
that the notebook recorded must meet `expectations.toml` (nbval itself compares text and knows no tolerance), and
one for each folded solution of the exercises, which must run where the reader would run it.
"""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell

from tests.notebooks.expectations import expected, problems, read_json

HERE = Path(__file__).parent
CELL_TIMEOUT = 120.0  # seconds; nbval notices a dead kernel only when this has passed
ENVIRONMENT = {
    "NEMO_LAB_SCALE": "smoke",
    "NEMO_LAB_PROGRESS": "0",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",  # notebooks run side by side under xdist
    "TOKENIZERS_PARALLELISM": "false",  # else a warning at every fork
    "HF_HUB_OFFLINE": "1",
}
# stderr: a warning is refused in stored outputs by test_notebooks.py. text/html: every table has a text twin,
# which is compared. Images and widgets carry bytes and ids that differ from run to run.
NOT_COMPARED = (
    "stderr",
    "text/html",
    "image/svg+xml",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.jupyter.widget-state+json",
)
RECORDS = pytest.StashKey[Path]()
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)


def pytest_configure(config: pytest.Config) -> None:
    """Fill in options that were not given, and the environment where the caller left it open."""
    if not (config.option.nbval or config.option.nbval_lax):
        return
    if config.option.nbval_cell_timeout == 2000:  # nbval's own default
        config.option.nbval_cell_timeout = CELL_TIMEOUT
    config.option.nbval_sanitize_with = config.option.nbval_sanitize_with or str(HERE / "sanitize.cfg")
    config.option.nbval_current_env = not config.option.nbval_kernel_name
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    folder = tempfile.TemporaryDirectory(prefix="nbval-records-")
    config.add_cleanup(folder.cleanup)
    config.stash[RECORDS] = Path(folder.name)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave out of the comparison what cannot be equal."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += NOT_COMPARED


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the tests of the record and of the solutions after the last cell of each notebook."""
    if RECORDS in config.stash:
        items[:] = list(_with_additions(items))


def _with_additions(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    for item, following in pairwise([*items, None]):
        yield item
        if item.path.suffix == ".ipynb" and (following is None or following.path != item.path):
            yield Record.from_parent(item.parent, name="record")
            yield from _solutions(item)


def _solutions(last: pytest.Item) -> Iterator[pytest.Item]:
    """One cell of nbval's own kind for each folded solution, numbered on from the notebook's last one."""
    for number, code in enumerate(solutions(last.parent.nb), 1):
        more = {"name": f"solution {number}", "cell_num": last.cell_num + number, "cell": new_code_cell(code)}
        yield type(last).from_parent(last.parent, options=defaultdict(bool), **more)


def solutions(notebook: Any) -> list[str]:
    """The Python code of all folded solutions of a notebook's exercises, in order."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return SOLUTION.findall(text)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before nbval starts a notebook's kernel, say where its record goes."""
    if RECORDS in item.config.stash and item.path.suffix == ".ipynb":
        os.environ["NEMO_LAB_RECORD"] = str(_record_of(item))


def _record_of(item: pytest.Item) -> Path:
    return item.config.stash[RECORDS] / f"{item.path.stem}.json"


class Record(pytest.Item):
    """Checks the record that the notebook's last cell has just written."""

    def runtest(self) -> None:
        """Fail with one line for each number that is out of bounds."""
        path = _record_of(self)
        assert path.is_file(), f"{self.path.name} wrote no record: did lab.finish() run?"
        record = read_json(path)
        found = problems(record, expected(record["notebook"], record["scale"]))
        assert not found, "\n".join(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """The sentences alone; a traceback through this file would help nobody."""
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where pytest says the test is."""
        return self.path, None, f"{self.path.name}::record"
