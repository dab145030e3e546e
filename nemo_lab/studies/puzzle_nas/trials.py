"""Trials beside the search of notebook 08: what solving buys in a library, and what FFN fusion costs.

As the jobs of `runs`, a trial opens the parent from its folder or is given it, and returns numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nemo_lab.compression.puzzle.fusion import fuse, side_by_side
from nemo_lab.compression.puzzle.library import build_library
from nemo_lab.compression.puzzle.parent import load_parent
from nemo_lab.compression.puzzle.parts import NONE, Option, walk
from nemo_lab.compression.puzzle.scores import Reference, behind, score_library, slots_of_layer
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas.runs import Texts, recipe_of
from nemo_lab.studies.puzzle_nas.settings import PuzzleNAS

# --- local distillation


def local_trials(folder: Path, s: PuzzleNAS, texts: Texts, out: Path, layers: Sequence[int]) -> None:
    """Build and score two other libraries of a few layers: `start`, untrained, and `trained`, by Adam after solving."""
    parent, recipe = load_parent(folder, s.layers), recipe_of(s)
    reference = Reference.of(parent, texts.scores_NL)
    others = {"start": replace(recipe, ridges=()), "trained": replace(recipe, steps=s.local_steps, lr=s.local_lr)}
    for name, other in others.items():
        build_library(parent, texts.library_NL, other, out / name, layers)
        score_library(parent, reference, other, out / name, layers)


def trial_scores(trials: Path, layer_folders: Sequence[Path], layers: Sequence[int]) -> dict[Option, dict[str, float]]:
    """Return the mean KL of some layers' alternatives by stage: start, solved (the library's own), trained."""
    found: dict[Option, dict[str, float]] = {}
    for stage in ("start", "solved", "trained"):
        for layer in layers:
            folder = layer_folders[layer] if stage == "solved" else trials / stage
            for options in slots_of_layer(folder, layer):
                for option in list(options)[1:]:
                    if option.size != NONE:
                        numbers = found.setdefault(option, {})
                        numbers[stage] = numbers.get(stage, 0.0) + options[option]["kl"] / len(layers)
    return found


# --- fusion


@torch.no_grad()
def fusion_trial(parent: Any, reference: Reference, first: int, count: int) -> dict[str, float]:
    """Take the attention of `count - 1` layers behind `first` away, then put the feed-forward parts side by side.

    Raises:
        LabError: the parent has no such run of at least two layers.

    Returns:
        KL to the parent: `sequential`, one after the other; `fused`, all at once; `dropped`, the last one alone.
    """
    last, layers = first + count - 1, parent.model.layers
    if not 0 <= first < last < len(layers):
        raise LabError(f"{count} layers from {first} on are no run of at least two of {len(layers)}.")
    visit = next(v for v in walk(parent, reference.tokens_NL) if v.layer == first and v.kind == "ffn")
    one_by_one_NLD = visit.stream_NLD
    for layer in layers[first : last + 1]:
        one_by_one_NLD = one_by_one_NLD + layer.feed(one_by_one_NLD)
    ends = {
        "sequential": one_by_one_NLD,
        "fused": visit.stream_NLD + side_by_side(parent, first, last, visit.stream_NLD),
        "dropped": visit.stream_NLD + layers[last].feed(visit.stream_NLD),
    }
    return {name: behind(parent, last, end_NLD, visit.context, reference)["kl"] for name, end_NLD in ends.items()}


@torch.no_grad()
def fusion_error(model: Any, first: int, last: int, stream_NLD: Tensor) -> float:
    """Return the largest difference of the one part of `fuse` from the sum of its parts, relative to that sum."""
    apart_NLD = side_by_side(model, first, last, stream_NLD)
    one_NLD = fuse(model, first, last).model.layers[first].feed(stream_NLD)
    return float((apart_NLD - one_NLD).abs().max() / apart_NLD.abs().max())
