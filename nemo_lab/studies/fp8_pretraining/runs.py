"""Training runs that differ in their recipe alone, and what is measured on them.

Same start weights, same data, same order: two such runs see the same batch at every step, so that their losses can
be subtracted step by step. What is left is the recipe and chaos: a difference in the last bit of one product grows
over training, for FP8 as for anything else. A `twin` in BF16, whose batches are summed in two halves, which is the
same gradient but for its rounding, shows how far chaos alone goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError
from nemo_lab.precision.recipes import Fp8Recipe
from nemo_lab.precision.swap import plain_state, to_fp8, watching
from nemo_lab.studies.fp8_pretraining.made_tensors import CASTS, flushed

Floats = npt.NDArray[np.float64]
LAST = 0.1  # share of the updates whose mean loss counts as final


def train_under(
    recipe: Fp8Recipe | None,
    seed: int,
    *,
    make: Callable[..., nn.Module],
    fit: Callable[[nn.Module, int], Any],
    score: Callable[[nn.Module], float] | None = None,
) -> dict[str, Any]:
    """Train one model under a recipe, or in BF16 for None.

    Args:
        recipe: see `recipes`. seed: of the start weights and of the order of the data.
        make: called as `make(seed=seed)`, gives the model. fit: trains it in place, given the seed, and returns a
            history with the columns loss and seconds, and whatever else it measured.
        score: held-out measure of a model, taken as trained and, of an FP8 model, with its weights in BF16.

    Returns:
        `history` (columns as arrays), `fp8` (names of the layers in FP8), and where there is a `score`,
        `score` and `score_bf16`.
    """
    model = make(seed=seed)
    names = to_fp8(model, recipe).fp8 if recipe else ()
    history = fit(model, seed)
    result: dict[str, Any] = {"history": {name: history[name].to_numpy() for name in history}, "fp8": names}
    if score:
        result["score"] = score(model)
        result["score_bf16"] = score(_in_bf16(model, make)) if recipe else result["score"]
    return result


def _in_bf16(model: nn.Module, make: Callable[..., nn.Module]) -> nn.Module:
    """The same weights in a fresh model without FP8 layers."""
    plain = make(seed=0)
    plain.load_state_dict(plain_state(model))
    return plain


def final_gap(ours: Floats, bf16: Floats) -> float:
    """Relative gap of the final training losses, (ours - BF16) / BF16 in %, each a mean over the last tenth."""
    return float(gaps(ours, bf16, round(1 / LAST))[-1])


def gaps(ours: Floats, bf16: Floats, windows: int) -> Floats:
    """The relative gap in % over equal stretches of training, of the mean losses in each.

    Raises:
        LabError: runs of different length.
    """
    if len(ours) != len(bf16):
        raise LabError(f"The runs have {len(ours)} and {len(bf16)} updates; compare runs of equal length.")
    a, b = (np.array([part.mean() for part in np.array_split(run, min(windows, len(run)))]) for run in (ours, bf16))
    found: Floats = 100 * (a - b) / b
    return found


def gradient_shares(model: nn.Module, backward: Callable[[], None]) -> dict[str, float]:
    """What FP8 would flush of the gradients dY that arrive at the FP8 layers, in % of their nonzero entries.

    Args:
        model: with FP8 layers. backward: computes a loss on it and calls `backward`.

    Returns:
        For each cast of `CASTS` its name and the share over all layers; `spread`, the standard deviation of
        log2|dY| within a layer, averaged. The model's gradients are cleared.
    """
    seen: list[Tensor] = []
    with watching(model, lambda name, dy: seen.append(dy.detach().reshape(-1, dy.shape[-1]))):
        backward()
    model.zero_grad(set_to_none=True)
    weights = [int((dy != 0).sum()) for dy in seen]
    if not sum(weights):
        raise LabError("No gradient arrived at an FP8 layer; does `backward` use the model that it was given?")
    shares = {
        name: float(np.average([flushed(dy, cast)[0] for dy in seen], weights=weights)) for name, cast in CASTS.items()
    }
    spreads = [float(dy[dy != 0].abs().float().log2().std()) for dy in seen if int((dy != 0).sum()) > 1]
    return shares | {"spread": float(np.mean(spreads))}


def stacked(found: Mapping[tuple[str, int], dict[str, Any]], name: str, column: str) -> Floats:
    """A column of the histories of one arm, one row a seed; `found` is keyed by (arm, seed)."""
    rows = [run["history"][column] for (arm, _), run in found.items() if arm == name]
    return np.stack(rows).astype(np.float64)


def measured(history_column: Floats) -> Floats:
    """The entries of a column that were measured (a history has NaN where nothing was)."""
    kept: Floats = history_column[~np.isnan(history_column)]
    return kept


def relative_speed(ours: Floats, bf16: Floats) -> float:
    """Median time of an update over BF16's; both are `seconds` of training so far, by update."""
    first, second = (float(torch.tensor(np.diff(run)).median()) for run in (ours, bf16))
    return first / second
