"""Raw numbers of notebook records against `expectations.toml`, with a tolerance per scale.

Notebooks print verdicts and coarse numbers, which nbval can compare as text on every machine. The raw
numbers go into the record, and here they are held to bounds. A table per notebook and scale names them:

    [05_hybrid_architecture.laptop]
    "values.bits_per_byte.hybrid" = { min = 1.0, max = 2.0 }
    "claims.nemotron-h.accuracy" = { equals = 0.95, tolerance = 0.01 }   # the claim's mean
    "seconds" = { max = 480 }
"""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("expectations.toml")
Bounds = dict[str, float]
FORMS = ({"min"}, {"max"}, {"min", "max"}, {"equals"}, {"equals", "tolerance"})


def read_json(path: Path) -> dict[str, Any]:
    """A record as it was written."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def load(path: Path = FILE) -> dict[str, dict[str, dict[str, Bounds]]]:
    """Every expectation: notebook, scale, name, bounds."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def expected(notebook: str, scale: str) -> dict[str, Bounds]:
    """The expectations of one notebook at one scale; none is no expectation."""
    return load().get(notebook, {}).get(scale, {})


def numbers(record: dict[str, Any]) -> dict[str, float]:
    """Everything in a record that an expectation may name."""
    values = {f"values.{name}": value for name, value in record["values"].items()}
    claims = {f"claims.{claim['id']}": claim["mean"] for claim in record["claims"]}
    return {**values, **claims, "seconds": record["seconds"], "peak_mb": record["peak_mb"]}


def problems(record: dict[str, Any], expectations: dict[str, Bounds]) -> list[str]:
    """One line for each expectation that the record does not meet."""
    have = numbers(record)
    where = f"{record['notebook']} at {record['scale']}"
    lines = [f"{where}: {name} is expected but not recorded" for name in expectations if name not in have]
    for name in expectations.keys() & have.keys():
        low, high = limits(expectations[name])
        if not low <= have[name] <= high:  # also catches NaN
            lines.append(f"{where}: {name} is {have[name]:g}, expected {low:g} to {high:g}")
    return sorted(lines)


def limits(bounds: Bounds) -> tuple[float, float]:
    """Bounds as an interval."""
    if set(bounds) not in FORMS:
        raise ValueError(f"{bounds} is no expectation; write min and max, or equals and tolerance")
    if "equals" in bounds:
        spread = bounds.get("tolerance", 0.0)
        return bounds["equals"] - spread, bounds["equals"] + spread
    return bounds.get("min", -math.inf), bounds.get("max", math.inf)
