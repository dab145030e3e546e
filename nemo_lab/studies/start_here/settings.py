"""The numbers behind notebook 00, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StartHere:
    """00: a tiny model, trained and sampled live."""

    steps: int  # optimiser steps
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    bytes_per_corpus: int  # bytes of each corpus to train on
    held_out_bytes: int  # bytes of each corpus to test on
    new_tokens: int  # tokens of a sample
    prompt: str = "The"  # what a sample goes on from
    temperature: float = 0.7  # 0: always the likeliest token


SETTINGS: Mapping[str, StartHere] = {
    "smoke": StartHere(8, 4, 64, bytes_per_corpus=5_000, held_out_bytes=1_000, new_tokens=16),
    "laptop": StartHere(300, 16, 128, bytes_per_corpus=200_000, held_out_bytes=10_000, new_tokens=80),
    "gpu": StartHere(2000, 64, 512, bytes_per_corpus=1_000_000, held_out_bytes=50_000, new_tokens=99),
    "cluster": StartHere(2000, 64, 512, bytes_per_corpus=1_000_000, held_out_bytes=50_000, new_tokens=99),
}
