"""The numbers behind notebook 04, blends and their order, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nemo_lab.errors import LabError


@dataclass(frozen=True)
class TwoPhase:
    """04: blends and their order on sources of measured quality."""

    seeds: int  # repeats of every comparison
    steps: int  # training steps of a run; with the next two the horizon in tokens
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    peak_lr: float  # LOG.md has the search
    d_model: int  # width of the model, a multiple of 32
    vocab_size: int  # tokens of the tokenizer
    corpus_bytes: int  # of text of each source, from which its unique tokens are taken
    held_out_bytes: int  # of text of each domain
    probe_steps: int  # training steps of a probe of one source's quality
    unique: float  # unique tokens of all sources together, in horizons
    unique_scarce: float  # the same in the experiment on horizons
    ratio: float  # the best source's weight over the worst's; the worst's size over the best's
    odds: float  # how much likelier the best source's tokens come late than the worst's
    switch: float  # share of the run before the second phase
    switches: tuple[float, ...]  # other such shares, for the sweep
    epochs: tuple[float, ...]  # of the scarce source, for the sweep
    powers: tuple[float, ...]  # of the sizes, for the blends that two horizons rank
    shrink: int  # how many times shorter the short horizon is

    def __post_init__(self) -> None:
        for name in ("ratio", "odds"):
            if getattr(self, name) <= 0:
                raise LabError(f"Parameter {name} is {getattr(self, name)}, expected a positive number, such as 8.0.")


_TWO_PHASE = TwoPhase(
    seeds=4,
    steps=120,
    batch_size=32,
    length=128,
    peak_lr=1.6e-2,
    d_model=32,
    vocab_size=1024,
    corpus_bytes=900_000,
    held_out_bytes=20_000,
    probe_steps=40,
    unique=1.8,
    unique_scarce=0.9,
    ratio=8.0,
    odds=16.0,
    switch=0.6,
    switches=(0.4, 0.5, 0.7, 0.8, 0.9),
    epochs=(1.0, 2.0, 4.0, 8.0, 16.0),
    powers=(1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0),
    shrink=4,
)


_TWO_PHASE_SMOKE: Mapping[str, Any] = {
    "seeds": 1,
    "steps": 8,
    "batch_size": 4,
    "length": 64,
    "vocab_size": 512,
    "corpus_bytes": 30_000,
    "held_out_bytes": 2_000,
    "probe_steps": 2,
    "switches": (0.8,),
    "epochs": (1.0, 4.0),
}


# Two million tokens are what the scarcest of the packaged corpora allows.
_TWO_PHASE_LARGE: Mapping[str, Any] = {
    "steps": 160,
    "length": 512,
    "vocab_size": 4096,
    "corpus_bytes": 3_400_000,
    "held_out_bytes": 100_000,
    "unique": 0.9,
    "unique_scarce": 0.45,
}


SETTINGS: Mapping[str, TwoPhase] = {
    "smoke": replace(_TWO_PHASE, **_TWO_PHASE_SMOKE),
    "laptop": _TWO_PHASE,
    "gpu": replace(_TWO_PHASE, seeds=5, d_model=256, peak_lr=4e-3, **_TWO_PHASE_LARGE),
    "cluster": replace(_TWO_PHASE, seeds=8, d_model=768, peak_lr=2e-3, **_TWO_PHASE_LARGE),
}
