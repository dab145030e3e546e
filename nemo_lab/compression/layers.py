r"""How much each whole layer matters: run the model without it and compare.

    measure       compares                                                                used by
    hidden mse    the tensors that enter the head, ||h - h_i||^2 a value                  Nemotron-H, MiniPuzzle
    logits kl     KL(p || p_i) of next tokens, nats                                       group-aware SSM pruning
    logits mse    the logits, ||z - z_i||^2 a value                                       Nano v2, iteratively
    loss          rise of the cross-entropy of the text, nats                             Minitron (as perplexity)
    cosine        1 - cos(input, output) of the layer itself, nothing removed             Minitron's block influence

One pass computes all: the residual stream before every layer is kept, and the model without layer i is run
from layer i on. *One-shot* ranks once. *Iterative* removes the least important layer, scores what is left
against the whole model and goes on, one layer a round; two layers that stand in for each other are then not
both removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.compression.distillation import IGNORE, cosine_loss, kl_loss
from nemo_lab.compression.importance import calibration
from nemo_lab.errors import LabError, check_whole, one_of
from nemo_lab.modeling import HybridLM

MEASURES = ("hidden mse", "logits kl", "logits mse", "loss", "cosine")


@torch.no_grad()
def layer_scores(model: HybridLM, batches: Iterable[Any], removed: Sequence[int] = ()) -> dict[str, list[float]]:
    """Scores of every layer by measure, each a list as long as the pattern.

    Args:
        model: left as it was.
        batches: tuples tokens_BL, targets_BL, document_BL, such as `training.Batch`. Every score is a mean over the
            tokens of all batches whose target is not -100.
        removed: layers that are already gone; their scores are infinite. What is compared with stays the whole
            model, except for `cosine`, which looks at one layer alone.

    Raises:
        LabError: no batch, none with a target, or a layer that the model has not.
    """
    stray = [i for i in removed if i not in range(len(model.blocks))] if isinstance(removed, Sequence) else [removed]
    if stray:
        raise LabError(
            f"Layer {stray[0]!r:.60} cannot be gone: the layers are numbered from 0 to {len(model.blocks) - 1}."
        )
    totals = {name: torch.zeros(len(model.blocks), dtype=torch.float64) for name in MEASURES}
    count = 0
    for tokens_BL, targets_BL, document_BL in calibration(batches):
        counted = int((targets_BL != IGNORE).sum())
        if counted:
            _add(totals, model, tokens_BL, targets_BL, document_BL, set(removed))
        count += counted
    if not count:
        raise LabError("There is no calibration text: give at least one batch with targets other than -100.")
    for name in MEASURES:
        totals[name] /= count
        totals[name][list(removed)] = float("inf")
    return {name: total.tolist() for name, total in totals.items()}


def _add(
    totals: dict[str, Tensor],
    model: HybridLM,
    tokens_BL: Tensor,
    targets_BL: Tensor,
    document_BL: Tensor | None,
    removed: set[int],
) -> None:
    places = [i for i in range(len(model.blocks)) if i not in removed]
    streams = [model.embedding(tokens_BL)]
    for i in places:
        streams.append(model.blocks[i](streams[-1], document_BL))
    whole = streams[-1]
    if removed:
        whole = streams[0]
        for block in model.blocks:
            whole = block(whole, document_BL)
    counted = targets_BL != IGNORE
    weight = int(counted.sum())
    full, full_logits, full_loss = _end(model, whole, targets_BL)
    for rank, i in enumerate(places):
        x_BLd = streams[rank]
        totals["cosine"][i] += weight * float(cosine_loss(x_BLd[counted], streams[rank + 1][counted]))
        for later in places[rank + 1 :]:
            x_BLd = model.blocks[later](x_BLd, document_BL)
        hidden, logits, loss = _end(model, x_BLd, targets_BL)
        totals["hidden mse"][i] += weight * float((hidden - full).square().mean())
        totals["logits mse"][i] += weight * float((logits - full_logits).square().mean())
        totals["logits kl"][i] += weight * float(kl_loss(logits, full_logits))
        totals["loss"][i] += weight * (loss - full_loss)


def _end(model: HybridLM, x_BLd: Tensor, targets_BL: Tensor) -> tuple[Tensor, Tensor, float]:
    """Normalised stream (N, d), logits (N, V) and mean cross-entropy of the N tokens that have a target."""
    counted = targets_BL != IGNORE
    hidden_Nd = model.norm(x_BLd[counted])
    logits_NV = model.head(hidden_Nd)
    return hidden_Nd, logits_NV, float(F.cross_entropy(logits_NV, targets_BL[counted]))


def remove_iteratively(
    model: HybridLM,
    batches: Sequence[Any],
    count: int,
    measure: str = "logits mse",
    *,
    may_go: Callable[[int, tuple[int, ...]], bool] | None = None,
) -> tuple[int, ...]:
    """The layers that go when the least important one is removed `count` times, in the order they go.

    Args:
        may_go: whether a layer may go, given its number and those already gone; all by default.

    Raises:
        LabError: an unknown measure, or no layer left that may go.
    """
    if measure not in MEASURES:
        raise LabError(one_of("measure", measure, MEASURES))
    check_whole("count", count, 0)
    gone: tuple[int, ...] = ()
    for _ in range(count):
        scores = layer_scores(model, batches, gone)[measure]
        places = [i for i in range(len(scores)) if i not in gone and (may_go is None or may_go(i, gone))]
        if not places or len(gone) + 1 == len(scores):
            raise LabError(f"Only {len(gone)} layers can be removed, not {count}; ask for fewer.")
        gone = (*gone, min(places, key=lambda i: scores[i]))
    return gone
