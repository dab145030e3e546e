"""The jobs of notebook 08, each of which a process can run on its own: a part of a library, a child, a comparison.

A job opens the parent from its folder, in bf16, and returns numbers. Text comes from the notebook as rows of tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nemo_lab.compression.puzzle import search
from nemo_lab.compression.puzzle.child import assemble, cast
from nemo_lab.compression.puzzle.distillation import distil_child, read_record, record_parent
from nemo_lab.compression.puzzle.library import LibraryRecipe, build_library
from nemo_lab.compression.puzzle.parent import load_parent
from nemo_lab.compression.puzzle.parts import Option
from nemo_lab.compression.puzzle.programme import OptionT, Slots
from nemo_lab.compression.puzzle.scores import Reference, score_library, true_scores
from nemo_lab.errors import LabError
from nemo_lab.progress import quiet
from nemo_lab.studies.puzzle_nas.settings import PuzzleNAS

RECORD = "record.safetensors"
METHODS = ("search", "greedy", "uniform", "random", "most parameters")


def recipe_of(s: PuzzleNAS) -> LibraryRecipe:
    """Return the library's recipe that settings describe; it says what it refuses."""
    return LibraryRecipe.of(s.heads, s.widths)


def rows_of(sources: Mapping[str, Sequence[str]], tokenizer: Any, rows: int, length: int, seed: int) -> Tensor:
    """Return rows of tokens, (rows, length), as many of each source, in random order, from documents drawn at random.

    Raises:
        LabError: there is no source, one is too short, or no token is asked for.
    """
    if not sources or rows < 1 or length < 1:
        raise LabError(f"{rows} rows of {length} tokens of {len(sources)} sources: give at least one of each.")
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


def library_part(folder: Path, s: PuzzleNAS, texts: Texts, out: Path, part: int, parts: int) -> None:
    """Build and score every `parts`-th layer of a library, from layer `part` on; `out` keeps what a killed run made."""
    parent = load_parent(folder, s.layers)
    layers = range(part, s.layers, parts)
    build_library(parent, texts.library_NL, recipe_of(s), out, layers)
    score_library(parent, Reference.of(parent, texts.scores_NL), recipe_of(s), out, layers)


def recorded(folder: Path, s: PuzzleNAS, texts: Texts, out: Path) -> None:
    """Record what the parent says to the text to distil on and to the text held out."""
    parent = load_parent(folder, s.layers)
    record_parent(parent, texts.distil_SBL, texts.held_out_NL, s.every, out / RECORD)


# --- architectures


def choices(
    slots: Slots[OptionT], limits: Mapping[str, float], seed: int, objective: str = "kl"
) -> dict[str, list[OptionT]]:
    """Return what each method chooses under the same limits."""
    rng = np.random.default_rng(seed)
    return {
        "search": search.solve(slots, objective, limits),
        "greedy": search.greedy(slots, objective, limits),
        "uniform": search.uniform(slots, objective, limits),
        "random": search.random_choice(slots, limits, rng),
        "most parameters": search.solve(slots, "parameters", limits, maximise=True),
    }


def likely_choice(slots: Slots[OptionT], limits: Mapping[str, float], rng: np.random.Generator) -> list[OptionT]:
    """Draw an architecture that a search might consider: the best of a random half of the options, the parent's kept.

    Choices fully at random break the model so often that a test of how scores add up would see only broken ones.

    Raises:
        LabError: ten draws in a row leave no architecture that meets the limits.
    """
    for _ in range(10):
        some = []
        for options in slots:
            own, *others = options
            kept = [own, *(option for option in others if rng.random() < 0.5)]
            some.append({option: options[option] for option in kept})
        try:
            return search.solve(some, "kl", limits)
        except search.Infeasible:
            continue
    raise LabError("Half of the options never meet the limits; raise them.")


def true_kl(
    folder: Path,
    s: PuzzleNAS,
    tokens_NL: Tensor,
    architectures: Iterable[Sequence[Option]],
    layer_folders: Sequence[Path],
) -> list[dict[str, float]]:
    """Return `true_scores` of assembled architectures on some text."""
    parent = load_parent(folder, s.layers)
    reference = Reference.of(parent, tokens_NL)
    return [true_scores(assemble(parent, choice, layer_folders), reference) for choice in architectures]


@dataclass(frozen=True)
class PuzzleOutcome:
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
        """The share of the excess loss over the parent that distillation removed.

        Raises:
            LabError: there was no excess, so this child is its parent.
        """
        if self.before["loss"] == 0:
            raise LabError("The child loses nothing against its parent, so nothing can be given back; lower share.")
        return 1 - self.after["loss"] / self.before["loss"]

    def worse(self, row: Mapping[str, float]) -> float:
        """Return by what share of the parent's loss a row's is higher."""
        return row["loss"] / self.parent_loss


def one_child(
    folder: Path,
    s: PuzzleNAS,
    choice: Sequence[Option],
    layer_folders: Sequence[Path],
    record: Path,
    *,
    objective: str = "kl+cosine",
    shuffled: bool = False,
    points: int = 1,
    out: Path | None = None,
) -> PuzzleOutcome:
    """Assemble a child, distil it and compare it with its parent at `points` points after the start.

    Args:
        record: the folder of `recorded`. out: where the distilled child is saved, if anywhere.
    """
    if points < 1:
        raise LabError(f"points is {points}, expected at least 1: the end of the distillation.")
    parent = load_parent(folder, s.layers)
    child = assemble(parent, choice, layer_folders)
    cast(child.model.layers, torch.float32)  # the embedding is not trained
    cast(child.model.norm, torch.float32)
    known = read_record(record / RECORD, parent.lm_head)
    at = sorted({round(s.steps * number / points) for number in range(points + 1)})
    rows = distil_child(
        child, known, steps=s.steps, lr=s.lr, objective=objective, shuffled=shuffled, points=at, progress=False
    )
    if out is not None:
        with quiet():
            cast(child, torch.bfloat16).save_pretrained(out)
    return PuzzleOutcome(rows, known.held_out.loss)
