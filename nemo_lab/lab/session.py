"""What a notebook holds: `lab = start("05_hybrid_architecture", scale=scale, seed=seed, steps=steps)`.

`start` refuses wrong values and wrong names before anything runs. Names need care: papermill only logs a
parameter that the notebook does not know, puts it into an injected cell and runs with the default. That
cell is in IPython's history, so `start` reads the names there and refuses those that it was not given.

From then on the notebook measures, `claim` judges, `ledger` shows, and `finish` writes the record, which is
refused while a claim of this notebook is missing: a notebook cannot stay silent about a claim.
"""

import ast
import dataclasses
import datetime
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError, one_of
from nemo_lab.files import home, write_text
from nemo_lab.lab.ledger.claims import Judgement, claims_of, find_claim, judge
from nemo_lab.lab.ledger.table import Table, row_of
from nemo_lab.lab.runs import record
from nemo_lab.lab.scales import check_seed, choose_scale, resolve
from nemo_lab.memory import peak_mb

STYLE = Path(__file__).with_name("lab.mplstyle")


def start(notebook: str, *, scale: str = "", seed: int = 0, **knobs: Any) -> "Lab":
    """Open a notebook's session; its first line after the parameters cell.

    Args:
        notebook: the notebook's name without `.ipynb`.
        scale: smoke, laptop, gpu or cluster; empty means `$NEMO_LAB_SCALE`, else laptop.
        seed: the first seed; also given to the global generators of Python, NumPy and torch.
        knobs: fields of the notebook's settings; None leaves the scale's value.

    Raises:
        LabError: an unknown scale, an unknown or misspelt parameter, a value of the wrong type.
    """
    settings = resolve(notebook, scale, knobs)
    check_seed(seed)
    _check_injected(["scale", "seed", *knobs])
    _seed_everything(seed)
    import matplotlib.style

    matplotlib.style.use(STYLE)
    return Lab(notebook, choose_scale(scale), seed, settings)


class Lab:
    """A notebook's session: its settings, and what it has measured so far.

    Attributes:
        notebook, scale, seed: what `start` was given, the scale resolved.
        settings: the notebook's frozen dataclass at this scale, with the turned knobs applied.
        judgements: the claims judged so far, by id.
    """

    def __init__(self, notebook: str, scale: str, seed: int, settings: Any) -> None:
        self.notebook = notebook
        self.scale = scale
        self.seed = seed
        self.settings = settings
        self.judgements: dict[str, Judgement] = {}
        self._notes: dict[str, str] = {}
        self._values: dict[str, float] = {}
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.perf_counter()

    @property
    def seeds(self) -> list[int]:
        """The seeds to repeat over: `seed`, `seed + 1`, …, as many as the settings' `seeds` (else one)."""
        return list(range(self.seed, self.seed + getattr(self.settings, "seeds", 1)))

    def claim(
        self,
        claim_id: str,
        samples: Iterable[float],
        *,
        control: Iterable[float] | None = None,
        note: str = "",
    ) -> None:
        """Judge a claim of this notebook, keep it for the record and show its row.

        Args:
            claim_id: the row of the ledger, such as `nemotron-h.accuracy`.
            samples: one number an independent repeat, in the row's unit.
            control: the same for the row's negative control; required at every scale, so that a notebook
                that forgot it fails at smoke and not after an hour.
            note: a short remark for the table.

        Raises:
            LabError: an unknown claim, one of another notebook, no control, samples that are not finite.
        """
        claim = find_claim(claim_id)
        if claim.testable and claim.notebook != self.notebook:
            raise LabError(f"Claim {claim_id} belongs to {claim.notebook}, not to {self.notebook}; judge it there.")
        if claim.testable and control is None:
            raise LabError(f"Claim {claim_id} has no control; pass control=[…]: {claim.control}")
        self.judgements[claim_id] = judge(claim, samples, control, self.scale)
        self._notes[claim_id] = note
        _show(self._table([claim_id], ("claim", "figure", "ours", "control", "verdict")))

    def value(self, name: str, number: float) -> None:
        """Keep a raw number for the record, where tests hold it to a tolerance; raise LabError on NaN."""
        number = float(number)
        if number != number or number in (float("inf"), float("-inf")):
            raise LabError(f"Value {name} is {number}; find out why before recording it.")
        self._values[str(name)] = number

    def ledger(self) -> None:
        """Show the table of this notebook's claims, also of those not measured yet."""
        _show(self._table([claim.id for claim in claims_of(self.notebook)]))

    def finish(self) -> None:
        """Write the record, to `$NEMO_LAB_RECORD` or into the lab's folder, and say so in one line.

        Raises:
            LabError: a claim of this notebook was not measured.
        """
        missing = [claim.id for claim in claims_of(self.notebook) if claim.id not in self.judgements]
        if missing:
            raise LabError(f"{self.notebook} did not measure {', '.join(missing)}; call lab.claim for each.")
        chosen = os.environ.get("NEMO_LAB_RECORD", "").strip()
        default = home() / "runs" / self.notebook / f"{self.scale}-seed{self.seed}.json"
        text = json.dumps(self.record(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(Path(chosen) if chosen else default, text + "\n")
        count = f"{len(self.judgements)} claim{'s' * (len(self.judgements) != 1)}"
        print(f"Recorded {count} of {self.notebook} at {self.scale}, seed {self.seed}.")

    def record(self) -> dict[str, Any]:
        """Return the record so far; `nemo_lab.lab.runs.record` lists its fields."""
        return {
            "schema": record.SCHEMA,
            "notebook": self.notebook,
            "scale": self.scale,
            "seed": self.seed,
            "parameters": dataclasses.asdict(self.settings),
            "status": "ok",
            "started": self._started.isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self._clock, 1),
            "peak_mb": round(peak_mb(children=True), 1),
            "code": record.describe_code(self.notebook),
            "packages": record.describe_packages(),
            "machine": record.describe_machine(),
            "claims": list(self._entries().values()),
            "values": dict(self._values),
        }

    def _entries(self) -> dict[str, dict[str, Any]]:
        return {
            name: record.describe_claim(name, judgement, self._notes[name])
            for name, judgement in self.judgements.items()
        }

    def _table(self, ids: Iterable[str], columns: tuple[str, ...] = ()) -> Table:
        entries = self._entries()
        rows = [row_of(find_claim(name), entries.get(name)) for name in ids]
        return Table(rows, columns) if columns else Table(rows)


def show_source(item: Callable[..., Any] | type) -> Any:
    """Return the source of a function or class of the package, highlighted when a notebook shows it."""
    import inspect

    from IPython.display import Code

    try:
        source = inspect.getsource(inspect.unwrap(item))
    except (OSError, TypeError):
        raise LabError(f"There is no source code to show of {item!r}; give a Python function or class.") from None
    return Code(source.rstrip("\n"), language="python")


def injected_names(history: Iterable[str]) -> list[str]:
    """Return the names that papermill's injected cell assigns, from the sources of the cells run so far."""
    names = []
    for cell in history:
        if cell.lstrip().startswith("# Parameters"):
            names += [target.id for node in _statements(cell) for target in _targets(node)]
    return names


def _statements(cell: str) -> list[ast.stmt]:
    try:
        return ast.parse(cell).body
    except SyntaxError:  # a cell of the author's own, with a magic; papermill's is always Python
        return []


def _targets(node: ast.stmt) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target for target in targets if isinstance(target, ast.Name)]


def _check_injected(known: list[str]) -> None:
    """Refuse injected parameters that the notebook did not hand to `start`."""
    for name in injected_names(_namespace().get("In", [])):
        if name not in known:
            raise LabError(one_of("parameter", name, known))


def _namespace() -> Mapping[str, Any]:
    """Return the variables of the running IPython session, empty outside one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell.user_ns if shell else {}


def _seed_everything(seed: int) -> None:
    """Seed the global generators, for libraries that use them; our own code passes generators."""
    random.seed(seed)
    import numpy as np

    np.random.seed(seed)  # noqa: NPY002
    if "torch" in sys.modules:  # not imported for this; torch starts from a fixed seed of its own
        sys.modules["torch"].manual_seed(seed)


def _show(table: Table) -> None:
    """Display in a notebook, print elsewhere."""
    if _namespace():
        from IPython.display import display

        display(table)
    else:
        print(table)
