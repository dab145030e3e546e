"""A library that was published: Llama-3.3-70B on an H100, and the optima that its authors found in it.

NVlabs/puzzle (the demonstration of arXiv 2411.19146) has scores and costs of 16 options for each of 80 layers. Its
licence allows research and evaluation and no passing on, so nothing of it is here: whoever has cloned the repository
gives the folder, and `solve` must find the optima again. Its KL is on a scale of its own, so use it for ranking and not
as nats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from nemo_lab.compression.puzzle.search import Slots, parent_of, total
from nemo_lab.errors import LabError

FILE = "examples/data/Llama-3.3-70B-Instruct/block_library.json"


@dataclass(frozen=True)
class Optimum:
    """Limits, as numbers or as shares of the parent's cost, and the sum of KL of the best architecture."""

    what: str
    kl: float
    memory: float = 0.0  # MiB; 0: no limit
    runtime: float = 0.0  # ms at batch 256
    share: float = 0.0  # of the parent's memory and runtime

    def limits(self, slots: Slots[str]) -> dict[str, float]:
        """Return the limits as `solve` takes them."""
        names = ("memory", "runtime")
        if self.share:
            return {name: self.share * total(slots, parent_of(slots), name) for name in names}
        return {name: getattr(self, name) for name in names if getattr(self, name)}


OPTIMA = (
    Optimum("one H100", 6.861, memory=80_000, runtime=51_200),
    Optimum("half the memory", 18.935, memory=40_000),
    Optimum("85 % of both", 3.282, share=0.85),
)


def read_published(folder: Path) -> Slots[str]:
    """Return the slots of a clone of NVlabs/puzzle, a layer each, with `kl`, `loss`, `memory` (MiB), `runtime` (ms).

    Raises:
        LabError: the folder holds no such library.
    """
    file = Path(folder) / FILE
    if not file.exists():
        raise LabError(f"{str(folder)!r} holds no {FILE}; give the folder of a clone of NVlabs/puzzle.")
    try:
        layers = json.loads(file.read_text(encoding="utf-8"))
        slots = [{name: _numbers(option) for name, option in options.items()} for options in layers.values()]
        if not slots or not all(slots):
            raise ValueError("a layer without options")
        return slots
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LabError(f"{file.name} is not laid out as NVlabs/puzzle's library of September 2025.") from error


def _numbers(option: dict[str, dict[str, float]]) -> dict[str, float]:
    stats, metrics = option["stats"], option["metrics"]
    return {
        "kl": float(metrics["kl_div"]),
        "loss": float(metrics["lm_loss"]),
        "memory": float(stats["memory_mib"]),
        "runtime": float(stats["runtime_ms"]),
    }
