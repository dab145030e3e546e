"""The numbers behind every notebook: one frozen dataclass a notebook, one instance a scale.

Plain Python, reviewed like code. Each field is also a knob: `-p steps 50` on papermill's command line, or a
name in the notebook's parameters cell. A field `seeds` says over how many seeds claims are judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StartHere:
    """00: a tiny model, trained and sampled live."""

    steps: int  # optimiser steps
    batch_size: int  # sequences a step
    length: int  # tokens a sequence


@dataclass(frozen=True)
class HybridArchitecture:
    """05: hybrid, Transformer and pure Mamba with equal parameters, data and tokens."""

    steps: int  # optimiser steps a model
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    seeds: int  # repeats of every comparison


@dataclass(frozen=True)
class Performance:
    """90: this machine's limits, and ours against Hugging Face on the same weights."""

    repeats: int  # alternating timings of each side
    batch_size: int  # sequences a training step
    length: int  # tokens a training sequence
    new_tokens: int  # tokens decoded a timing


SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "00_start_here": {
        "smoke": StartHere(steps=10, batch_size=4, length=64),
        "laptop": StartHere(steps=150, batch_size=8, length=128),
        "gpu": StartHere(steps=500, batch_size=32, length=512),
        "cluster": StartHere(steps=500, batch_size=32, length=512),
    },
    "05_hybrid_architecture": {
        "smoke": HybridArchitecture(steps=4, batch_size=2, length=64, seeds=1),
        "laptop": HybridArchitecture(steps=250, batch_size=8, length=256, seeds=3),
        "gpu": HybridArchitecture(steps=5000, batch_size=64, length=2048, seeds=3),
        "cluster": HybridArchitecture(steps=100_000, batch_size=768, length=8192, seeds=3),
    },
    "90_performance": {
        "smoke": Performance(repeats=1, batch_size=1, length=64, new_tokens=4),
        "laptop": Performance(repeats=5, batch_size=4, length=512, new_tokens=64),
        "gpu": Performance(repeats=10, batch_size=16, length=4096, new_tokens=256),
        "cluster": Performance(repeats=10, batch_size=16, length=4096, new_tokens=256),
    },
}
