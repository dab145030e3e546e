"""The jobs of notebook 08, each of which a process can run on its own: a part of a library, a child, a comparison.

A job opens the parent from its folder, in bf16, and returns numbers. Text comes from the notebook as rows of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from nemo_lab.compression import puzzle_search
from nemo_lab.compression.puzzle_child import as_puzzle, assemble, first_layers
from nemo_lab.compression.puzzle_distillation import distil_child, read_record, record_parent
from nemo_lab.compression.puzzle_fusion import fuse, side_by_side
from nemo_lab.compression.puzzle_library import Recipe, build_library
from nemo_lab.compression.puzzle_parts import part_named
from nemo_lab.compression.puzzle_scores import Reference, score_library, true_scores
from nemo_lab.lab.home import LabError

RECORD = "record.safetensors"
METHODS = ("search", "greedy", "uniform", "random", "most parameters")


class Sizes(Protocol):
    """What the jobs read of a notebook's settings."""

    layers: int  # of the parent, the first so many
    heads: tuple[str, ...]
    widths: tuple[str, ...]
    local_steps: int
    local_lr: float
    steps: int
    lr: float
    every: int


def recipe_of(s: Sizes) -> Recipe:
    """Return the library's recipe that settings describe."""
    heads, widths = (tuple(part_named(name) for name in names) for names in (s.heads, s.widths))
    return Recipe(heads, widths, steps=s.local_steps, lr=s.local_lr)


def load_parent(folder: Path, layers: int) -> Any:
    """Open a Llama from its folder as the parent of a search, in bf16, with its first `layers` layers."""
    from transformers import LlamaForCausalLM
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        llama = LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, use_safetensors=True)
    finally:
        if shown:
            logging.enable_progress_bar()
    return first_layers(as_puzzle(llama), layers)


def rows_of(sources: Mapping[str, Sequence[str]], tokenizer: Any, rows: int, length: int, seed: int) -> Tensor:
    """Return rows of tokens, (rows, length), as many of each source, in random order, from documents drawn at random.

    Raises:
        LabError: a source is too short.
    """
    rng = np.random.default_rng(seed)
    each = -(-rows // len(sources))
    found: list[Tensor] = []
    for name, documents in sources.items():
        tokens: list[int] = []
        for number in rng.permutation(len(documents)):
            if len(tokens) >= each * length:
                break
            tokens += tokenizer(documents[int(number)] + "\n\n", truncation=True, max_length=4 * length)["input_ids"]
        if len(tokens) < each * length:
            raise LabError(f"{name} has {len(tokens)} tokens, {each * length} are needed; give more documents.")
        found.append(torch.tensor(tokens[: each * length]).view(each, length))
    mixed_NL = torch.cat(found)
    return mixed_NL[torch.from_numpy(rng.permutation(len(mixed_NL)))[:rows]]


@dataclass(frozen=True)
class Texts:
    """The rows of one repeat: what its library is fitted on, scored on, distilled on, and judged on."""

    library_NL: Tensor
    scores_NL: Tensor
    distil_SBL: Tensor
    held_out_NL: Tensor


def library_part(folder: Path, s: Sizes, texts: Texts, part: int, parts: int, out: Path) -> None:
    """Build and score every `parts`-th layer of a library, from layer `part` on; `out` keeps what a killed run made."""
    parent = load_parent(folder, s.layers)
    layers = range(part, s.layers, parts)
    build_library(parent, texts.library_NL, recipe_of(s), out, layers)
    score_library(parent, Reference.of(parent, texts.scores_NL), recipe_of(s), out, layers)


def recorded(folder: Path, s: Sizes, texts: Texts, out: Path) -> None:
    """Record what the parent says to the text to distil on and to the text held out."""
    parent = load_parent(folder, s.layers)
    record_parent(parent, texts.distil_SBL, texts.held_out_NL, s.every, out / RECORD)


# --- architectures


def choices(
    slots: puzzle_search.Slots, limits: Mapping[str, float], seed: int, objective: str = "kl"
) -> dict[str, list[str]]:
    """Return what each method chooses under the same limits."""
    rng = np.random.default_rng(seed)
    return {
        "search": puzzle_search.solve(slots, objective, limits),
        "greedy": puzzle_search.greedy(slots, objective, limits),
        "uniform": puzzle_search.uniform(slots, objective, limits),
        "random": puzzle_search.random_choice(slots, limits, rng),
        "most parameters": puzzle_search.solve(slots, "parameters", limits, maximise=True),
    }


def true_kl(
    folder: Path, s: Sizes, tokens_NL: Tensor, architectures: Iterable[Sequence[str]], places: Sequence[Path]
) -> list[dict[str, float]]:
    """Return `true_scores` of assembled architectures on some text."""
    parent = load_parent(folder, s.layers)
    reference = Reference.of(parent, tokens_NL)
    return [true_scores(assemble(parent, choice, places), reference) for choice in architectures]


@dataclass(frozen=True)
class Outcome:
    """A child's distillation: a row a point (see `distil_child`), and the parent's loss on the text held out."""

    rows: list[dict[str, float]]
    parent_loss: float

    @property
    def before(self) -> dict[str, float]:
        """The row before distillation."""
        return self.rows[0]

    @property
    def after(self) -> dict[str, float]:
        """The row after distillation."""
        return self.rows[-1]

    @property
    def recovered(self) -> float:
        """The share of the excess loss over the parent that distillation removed."""
        return 1 - self.after["loss"] / self.before["loss"]

    def worse(self, row: Mapping[str, float]) -> float:
        """Return by what share of the parent's loss a row's is higher."""
        return row["loss"] / self.parent_loss


def one_child(
    folder: Path,
    s: Sizes,
    choice: Sequence[str],
    places: Sequence[Path],
    record: Path,
    *,
    objective: str = "kl+cosine",
    shuffled: bool = False,
    points: int = 1,
    out: Path | None = None,
) -> Outcome:
    """Assemble a child, distil it and compare it with its parent at `points` points after the start.

    Args:
        record: the folder of `recorded`. out: where the distilled child is saved, if anywhere.
    """
    parent = load_parent(folder, s.layers)
    child = assemble(parent, choice, places).float()
    known = read_record(record / RECORD, parent.lm_head)
    at = sorted({round(s.steps * number / points) for number in range(points + 1)})
    rows = distil_child(
        child, known, steps=s.steps, lr=s.lr, objective=objective, shuffled=shuffled, points=at, progress=False
    )
    if out is not None:
        child.to(torch.bfloat16).save_pretrained(out)
    return Outcome(rows, known.held_out.loss)


# --- fusion


@torch.no_grad()
def fusion_trial(parent: Any, reference: Reference, first: int, count: int) -> dict[str, float]:
    """Take the attention of `count - 1` layers behind `first` away, then fuse their feed-forward parts, or drop them.

    Returns:
        KL to the parent of the three: `sequential`, `fused`, `dropped` (all feed-forward parts but the run's last).
    """
    last = first + count - 1
    blocks = [list(block) for block in parent.config.blocks]
    for number in range(first + 1, last + 1):
        blocks[number][0] = 0
    choice = [str(part) for block in blocks for part in block]
    bare = assemble(parent, choice, [Path()] * len(blocks))
    for number in range(first, last):
        blocks[number][1] = 0
    dropped = assemble(parent, [str(part) for block in blocks for part in block], [Path()] * len(blocks))
    models = {"sequential": bare, "fused": fuse(bare, first, last), "dropped": dropped}
    return {name: true_scores(model, reference)["kl"] for name, model in models.items()}


@torch.no_grad()
def fusion_error(model: Any, first: int, last: int, stream_NLD: Tensor) -> float:
    """Return the largest difference of the one part of `fuse` from the sum of its parts, relative to that sum."""
    apart_NLD = side_by_side(model, first, last, stream_NLD)
    one_NLD = fuse(model, first, last).model.layers[first].feed(stream_NLD)
    return float((apart_NLD - one_NLD).abs().max() / apart_NLD.abs().max())
