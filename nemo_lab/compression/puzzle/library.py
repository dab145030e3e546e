"""Puzzle's library: for every sub-block of a Llama cheaper ones that answer as nearly alike as can be.

Alternatives that are initialised from the parent (`parts`) are distilled locally (Puzzle, arXiv 2411.19146,
section 3): each gets the parent's own input of its place and is to give the parent's output, with the error measured
against the output's energy,

    L = MSE(o_parent, o_child) / MSE(o_parent, 0).

No gradient crosses a block, and attention and feed-forward are distilled apart (the paper's decoupled form), so the
work is one walk through the parent, a layer at a time: all that is held are the streams of the calibration text.

Relative to the paper. It trains every weight on a billion tokens. On thousands of tokens the last matrix of a part is
better *solved* for: L is quadratic in it, so its minimum is a system of linear equations (`refit`). A ridge holds it
near its start, which is first given its best length; how strongly is decided on rows held out. `steps` of Adam on all
weights may follow; notebook 08 shows what each of the two buys.

A layer's alternatives are one file, written whole or not at all (`files`): a killed run goes on with the next.

Shapes: N rows, L length, D width of the stream, T = N·L tokens, F inputs of a last matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.compression.puzzle.files import check_origin, layer_file, write_layer
from nemo_lab.compression.puzzle.parts import (
    KINDS,
    NONE,
    Option,
    Visit,
    channel_contributions,
    forward,
    inputs_of_last,
    last_matrix,
    norm_of,
    untrained,
    walk,
)
from nemo_lab.errors import LabError
from nemo_lab.progress import progress as progress_bar
from nemo_lab.training.identity import fingerprint, weights_fingerprint
from nemo_lab.training.loop import take_step


@dataclass(frozen=True)
class LibraryRecipe:
    """Which alternatives there are, the parent's own first, and how they are distilled.

    Raises:
        LabError: a kind has no option, one of the other kind, or one twice.
    """

    attention: tuple[Option, ...]
    ffn: tuple[Option, ...]
    ridges: tuple[float, ...] = (0.03, 0.3, 3.0)  # that `refit` may choose from; none: do not solve
    steps: int = 0  # of Adam on each alternative after that
    lr: float = 1e-3
    held_out: float = 0.25  # share of the rows on which the errors are measured, not used for anything else

    def __post_init__(self) -> None:
        """Refuse options that are none."""
        for kind in KINDS:
            options = self.options(kind)
            if not options or len(set(options)) < len(options) or any(option.kind != kind for option in options):
                raise LabError(
                    f"The options of {kind} are {', '.join(map(str, options)) or 'none'}; expected one at least, each "
                    "once and of this kind, the parent's own first."
                )

    @classmethod
    def of(cls, heads: Sequence[object], widths: Sequence[object], **more: Any) -> LibraryRecipe:
        """Return the recipe of sizes, as numbers or as text: `LibraryRecipe.of((3, 1, "linear", 0), (1536, 768))`.

        Raises:
            LabError: as `Option`, and as above.
        """
        attention = tuple(Option.parse(f"attention.{size}") for size in heads)
        return cls(attention, tuple(Option.parse(f"ffn.{size}") for size in widths), **more)

    def options(self, kind: str) -> tuple[Option, ...]:
        """Return the alternatives of one kind of sub-block."""
        return self.attention if kind == "attention" else self.ffn


# --- block-wise local distillation


def relative_error(parent: Tensor, child: Tensor) -> Tensor:
    """MSE(o_parent, o_child) / MSE(o_parent, 0): 0 for the parent itself, 1 for silence."""
    return (parent.float() - child.float()).square().sum() / parent.float().square().sum()


@dataclass(frozen=True)
class Moments:
    """All that solving for a last matrix needs to know of the tokens: Σ x xᵀ, Σ x oᵀ and Σ ‖o‖²."""

    gram_FF: Tensor
    cross_FD: Tensor
    energy: float

    @classmethod
    def of(cls, inputs_TF: Tensor, target_TD: Tensor) -> Moments:
        """Sum over the tokens, in float32."""
        return cls(inputs_TF.T @ inputs_TF, inputs_TF.T @ target_TD, float(target_TD.square().sum()))

    def error(self, matrix_DF: Tensor) -> float:
        """Return L of a last matrix on these tokens, from the moments alone."""
        fitted = ((matrix_DF @ self.gram_FF) * matrix_DF).sum() - 2 * (matrix_DF.T * self.cross_FD).sum()
        return float(fitted) / self.energy + 1


def refit(fit: Moments, held_out: Moments, matrix_DF: Tensor, ridges: Sequence[float]) -> Tensor:
    """Solve for the last matrix: W of least ‖X Wᵀ - O‖² + λ ‖W - αW₀‖², λ = ridge · the mean energy of an input.

    αW₀ is the start at its best length, α = ⟨O, X W₀ᵀ⟩ / ‖X W₀ᵀ‖². Of the ridges, and of αW₀ itself, the one with
    the least error on the tokens held out is taken.
    """
    length = (matrix_DF.T * fit.cross_FD).sum() / ((matrix_DF @ fit.gram_FF) * matrix_DF).sum()
    start_DF = matrix_DF * length
    tries = [start_DF]
    right_FD = fit.cross_FD - fit.gram_FF @ start_DF.T
    for ridge in ridges:
        gram_FF = fit.gram_FF.clone()
        gram_FF.diagonal().add_(ridge * fit.gram_FF.diagonal().mean() + 1e-12)
        tries.append(start_DF + torch.cholesky_solve(right_FD, torch.linalg.cholesky(gram_FF)).T)
    return min(tries, key=held_out.error)


def distil(
    part: nn.Module,
    kind: str,
    normed_NLD: Tensor,
    target_NLD: Tensor,
    context: dict[str, Any],
    recipe: LibraryRecipe,
    seed: int,
) -> nn.Module:
    """Return the part after `recipe.steps` of Adam on the relative error, a quarter of the rows a step."""
    trained = part.float()
    optimizer = torch.optim.Adam(trained.parameters(), lr=recipe.lr, betas=(0.9, 0.95))
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, len(normed_NLD) // 4)
    for step in range(recipe.steps):
        chosen = torch.randperm(len(normed_NLD), generator=generator)[:rows]
        with torch.autocast(normed_NLD.device.type, torch.bfloat16):
            out_NLD = forward(trained, kind, normed_NLD[chosen], context)
        loss = relative_error(target_NLD[chosen], out_NLD)
        loss.backward()
        take_step(trained, optimizer, recipe.lr * (1 - step / recipe.steps), math.inf, update=step + 1)
    return trained


def alternatives(
    layer: Any, visit: Visit, config: Any, recipe: LibraryRecipe, seed: int = 0
) -> Iterator[tuple[Option, nn.Module, dict[str, float]]]:
    """Make the alternatives of one sub-block, the parent's own and nothing left out.

    Yields:
        The option, its module, and its relative errors on rows held out: start, solved, trained.
    """
    parent = layer.self_attn if visit.kind == "attention" else layer.mlp
    with torch.no_grad():
        normed_NLD = norm_of(layer, visit.kind)(visit.stream_NLD)
    rows = len(normed_NLD) - max(1, round(recipe.held_out * len(normed_NLD)))
    local = _Local(visit, normed_NLD, rows)
    hidden_TF = local.hidden(parent)
    contributions_F = channel_contributions(hidden_TF, last_matrix(parent).weight)
    for option in recipe.options(visit.kind)[1:]:
        if option.size == NONE:
            continue
        made = untrained(parent, option, config, contributions_F)
        errors = {"start": local.error(made)}
        if recipe.ridges:
            matrix = last_matrix(made).weight.data
            matrix.copy_(refit(*local.moments(made), matrix.float(), recipe.ridges))
            errors["solved"] = local.error(made)
        if recipe.steps:
            target_NLD = visit.out_NLD[:rows]
            made = distil(made, visit.kind, normed_NLD[:rows], target_NLD, visit.context, recipe, seed)
            made = made.to(visit.stream_NLD.dtype)
            errors["trained"] = local.error(made)
        yield option, made, errors


@dataclass
class _Local:
    """What the alternatives of one sub-block are fitted to: the first rows, and measured on: the others."""

    visit: Visit
    normed_NLD: Tensor
    rows: int

    @torch.no_grad()
    def hidden(self, part: nn.Module) -> Tensor:
        """Return what enters the last matrix of a part, (T, F)."""
        return inputs_of_last(part, self.visit.kind, self.normed_NLD, self.visit.context)

    @torch.no_grad()
    def moments(self, part: nn.Module) -> tuple[Moments, Moments]:
        """Return the moments to fit and those held out."""
        inputs_TF, target_TD = self.hidden(part), self.visit.out_NLD.flatten(0, 1).float()
        cut = self.rows * self.normed_NLD.shape[1]
        return Moments.of(inputs_TF[:cut], target_TD[:cut]), Moments.of(inputs_TF[cut:], target_TD[cut:])

    @torch.no_grad()
    def error(self, part: nn.Module) -> float:
        """Return the relative error on the rows held out."""
        out_NLD = forward(part, self.visit.kind, self.normed_NLD[self.rows :], self.visit.context)
        return float(relative_error(self.visit.out_NLD[self.rows :], out_NLD))


# --- the library


def build_library(
    model: Any,
    tokens_NL: Tensor,
    recipe: LibraryRecipe,
    folder: Path,
    layers: Sequence[int] | None = None,
    *,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Write the alternatives of these layers (all without `layers`) into `folder`; files that are there stay.

    Args:
        model: a `PuzzleForCausalLM` whose layers are all full. tokens_NL: calibration text.

    Raises:
        LabError: a file that is there was built with another recipe, text, parent or seed, or is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    origin = _origin(model, tokens_NL, recipe, seed)
    check_origin(folder, origin)
    wanted = set(range(len(model.model.layers)) if layers is None else layers)
    made: dict[Option, tuple[dict[str, Tensor], dict[str, float]]] = {}
    visits: Iterable[Visit] = walk(model, tokens_NL)
    bar = progress_bar(visits, total=2 * len(model.model.layers), desc="library", unit="block") if progress else visits
    for visit in bar:
        file = layer_file(folder, visit.layer)
        if visit.layer not in wanted or file.exists():
            continue
        layer = model.model.layers[visit.layer]
        for option, module, errors in alternatives(layer, visit, model.config, recipe, seed):
            made[option] = module.state_dict(), errors
        if visit.kind == KINDS[-1]:
            write_layer(file, made, origin)
            made = {}


def _origin(model: Any, tokens_NL: Tensor, recipe: LibraryRecipe, seed: int) -> dict[str, str]:
    """Return what decides a library, each as a fingerprint."""
    return {
        "recipe": fingerprint(recipe),
        "text": fingerprint(tokens_NL),
        "parent": weights_fingerprint(model),
        "seed": str(seed),
    }
