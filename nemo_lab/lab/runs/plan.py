"""What `nemo-lab run` is about to do, checked in full before anything executes.

A batch of an hour must not fail in its fiftieth minute over a misspelt knob, and papermill only logs a
parameter that a notebook does not have and then runs with the default. So every scale, every name and every
type is checked for every notebook first: against the `parameters` cell as papermill's inspector reads it,
and against the notebook's settings in `nemo_lab.lab.scales`.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from nemo_lab.errors import LabError, one_of

_OWN = ("scale", "seed")
_EXAMPLES = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
_BOOLS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True)
class Job:
    """One notebook at one scale with one seed, and the folder its run is written to."""

    notebook: Path
    scale: str
    seed: int
    knobs: dict[str, Any]
    code_hash: str
    folder: Path
    injected: dict[str, Any]

    @property
    def name(self) -> str:
        """The notebook's name without its ending."""
        return self.notebook.stem

    @property
    def request(self) -> dict[str, Any]:
        """What was asked for and of which code; two equal requests are the same run."""
        return {"scale": self.scale, "seed": self.seed, "knobs": self.knobs, "code_hash": self.code_hash}


def plan(
    notebooks: Sequence[Path], scale: str, seeds: Sequence[int], knobs: Sequence[tuple[str, str]], out: Path
) -> list[Job]:
    """Return the jobs of a batch in order: notebook by notebook, seed by seed.

    Args:
        notebooks: absolute paths.
        scale: name of a scale; empty means `$NEMO_LAB_SCALE`, else `laptop`.
        seeds: one run each.
        knobs: pairs of name and value as typed on the command line.
        out: the folder of all runs.

    Raises:
        LabError: an unknown scale or knob, a value of the wrong type, or two notebooks of one name.
    """
    from nemo_lab.lab.scales import check_seed, choose_scale

    scale = choose_scale(scale)
    seeds = [check_seed(seed) for seed in dict.fromkeys(seeds)]
    titles = [path.stem for path in notebooks]
    doubled = sorted({title for title in titles if titles.count(title) > 1})
    if doubled:
        raise LabError(f"Two notebooks are named {doubled[0]!r}; their runs would overwrite each other.")
    return [job for path in notebooks for job in _jobs(path, scale, seeds, knobs, out.resolve())]


def _jobs(path: Path, scale: str, seeds: list[int], knobs: Sequence[tuple[str, str]], out: Path) -> list[Job]:
    from nemo_lab.lab.runs.staleness import code_hash

    parameters = inspect(path)
    values = _knob_values(path.stem, scale, parameters, knobs)
    if "seed" not in parameters and seeds != [0]:
        raise LabError(f"Notebook {path.stem!r} has no parameter 'seed'; leave out --seed {seeds[0]}.")
    digest = code_hash(path)
    jobs = []
    for seed in seeds:
        own = {"scale": scale, "seed": seed}
        injected = {name: own[name] for name in _OWN if name in parameters} | values
        folder = out / scale / path.stem / f"seed{seed}"
        jobs.append(Job(path, scale, seed, values, digest, folder, injected))
    return jobs


def inspect(path: Path) -> dict[str, tuple[str, str]]:
    """Return the parameters of a notebook: name to type name (`None` if unannotated) and default, as text."""
    import logging

    from papermill import inspect_notebook

    from nemo_lab.lab.runs.notebooks import read_notebook

    read_notebook(path)  # for its clear error
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of what we check ourselves
    found = inspect_notebook(str(path))
    return {name: (str(p["inferred_type_name"]), str(p["default"])) for name, p in found.items()}


def _knob_values(
    title: str, scale: str, parameters: dict[str, tuple[str, str]], knobs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Return the values of all knobs, checked: those of the settings by `resolve`, others by their cell.

    A knob must stand in the parameters cell: `lab.start` sees only what the notebook hands it.
    """
    from nemo_lab.lab import scales

    hints = _hints(title, scale)
    known = [name for name in parameters if name not in _OWN]
    values = {}
    for name, text in knobs:
        if name in _OWN:
            raise LabError(f"Set the {name} with --{name}, not with -p.")
        if name not in known:
            raise LabError(f"Notebook {title!r}: " + one_of("knob", name, known).replace("Unk", "unk", 1))
        values[name] = _literal(text, hints[name]) if name in hints else _typed(title, name, text, parameters)
    if hints:
        scales.resolve(title, scale, {name: value for name, value in values.items() if name in hints})
    return values


def _hints(title: str, scale: str) -> dict[str, Any]:
    """Return the fields of a notebook's settings with their types; a reader's own notebook has none."""
    from nemo_lab.lab import scales

    return get_type_hints(type(scales.resolve(title, scale))) if title in scales.SETTINGS else {}


def _literal(text: str, hint: Any) -> Any:
    """Return a number, bool or list as typed, else the text; `resolve` then checks it against the field."""
    if hint is str:
        return text
    try:
        return json.loads(text.lower() if text.lower() in _BOOLS else text)
    except ValueError:
        return text


def _typed(title: str, name: str, text: str, parameters: dict[str, tuple[str, str]]) -> Any:
    """Return a knob's value in the type that the parameters cell declares."""
    kind, default = parameters[name]
    kind = kind if kind in _EXAMPLES else _kind_of(default)
    try:
        return convert(text, kind)
    except ValueError:
        raise LabError(
            f"Notebook {title!r}: knob {name!r} is {text!r}, expected {_EXAMPLES[kind]} such as {default}."
        ) from None


def _kind_of(default: str) -> str:
    """Return the type name of a literal default such as `0.5` or `True`."""
    try:
        kind = type(json.loads(default.lower())).__name__
    except ValueError:
        return "str"
    return kind if kind in _EXAMPLES else "str"


def convert(text: str, kind: str) -> Any:
    """Return `text` as int, float, bool or str.

    Raises:
        ValueError: the text is not of that type.
    """
    if kind == "bool":
        if text.lower() not in _BOOLS:
            raise ValueError(text)
        return _BOOLS[text.lower()]
    value = {"int": int, "float": float, "str": str}[kind](text)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(text)
    return value
