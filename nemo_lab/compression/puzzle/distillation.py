"""Global distillation of Puzzle's child, from what its parent said once.

    L = KL( p_parent ‖ p_child ) + mean over layers of (1 - cos(h_child, h_parent))

(Puzzle, arXiv 2411.19146, section 5 and Table 17.) There is no loss on the text: with it the paper's child got worse.
The parent's answers to the distillation text are recorded once, in bf16, for all children and all runs: its streams
behind some layers, and its last hidden states, from which the head makes the logits again.

Relative to the paper: the embedding, which is the head too, stays as it is, and the cosine is taken behind every few
layers instead of each, to keep the record small.

Shapes: S batches, K recorded streams, B rows, L length, D width, V vocabulary.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nemo_lab.compression.distillation import cosine_loss, kl_loss
from nemo_lab.compression.puzzle.child import cast
from nemo_lab.compression.puzzle.parts import reason_of
from nemo_lab.compression.puzzle.scores import Reference, true_scores, walk_layers
from nemo_lab.errors import LabError, one_of
from nemo_lab.files import write_tensors
from nemo_lab.progress import progress as progress_bar
from nemo_lab.training import checkpoints
from nemo_lab.training.identity import fingerprint, identity_of, weights_fingerprint
from nemo_lab.training.loop import take_step
from nemo_lab.training.memory import keep_freed_memory
from nemo_lab.training.optimizer import adamw
from nemo_lab.training.schedules import learning_rate
from nemo_lab.training.settings import TrainSettings

OBJECTIVES = ("kl+cosine", "kl", "text")


@dataclass(frozen=True)
class ParentRecord:
    """The distillation text in batches and the parent's answers to it, and the same for a text held out."""

    tokens_SBL: Tensor
    hidden_SBLD: Tensor  # behind the last norm
    streams_SKBLD: Tensor  # behind the layers `behind`
    behind: tuple[int, ...]
    held_out: Reference


@torch.no_grad()
def record_parent(parent: Any, tokens_SBL: Tensor, held_out_NL: Tensor, every: int, file: Path) -> None:
    """Write what the parent says to these batches, behind every `every`-th layer, unless `file` is there."""
    if file.exists():
        return
    behind = list(range(every - 1, len(parent.model.layers), every))
    hidden, streams = [], []
    for tokens_BL in tokens_SBL:
        last_BLD, seen = walk_layers(parent, tokens_BL, behind)
        hidden.append(last_BLD)
        streams.append(torch.stack(seen))
    content = {"tokens": tokens_SBL.contiguous(), "hidden": torch.stack(hidden), "streams": torch.stack(streams)}
    content |= {"behind": torch.tensor(behind), "held_out": held_out_NL.contiguous()}
    content["held_out_hidden"] = Reference.of(parent, held_out_NL).hidden_TD
    write_tensors(file, content)


def read_record(file: Path, head: Any) -> ParentRecord:
    """Read what `record_parent` wrote; `head` is the parent's, for its answers to the text held out.

    Raises:
        LabError: there is no record, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not file.is_file():
        raise LabError(f"There is no record {file.name!r} in {str(file.parent)!r}; run record_parent first.")
    try:
        stored = load_file(file)
        if stored["hidden"].shape != (*stored["tokens"].shape, head.in_features):
            raise LabError(f"hidden states of shape {tuple(stored['hidden'].shape)}")
        held_out = Reference.from_hidden(head, stored["held_out"], stored["held_out_hidden"])
        return ParentRecord(
            stored["tokens"], stored["hidden"], stored["streams"], tuple(stored["behind"].tolist()), held_out
        )
    except (SafetensorError, OSError, LookupError, ValueError) as error:
        raise LabError(
            f"{str(file)!r} is damaged or no record of this parent ({reason_of(error)}); remove it and record it again."
        ) from error


def distillation_loss(
    child: Any, record: ParentRecord, step: int, objective: str = "kl+cosine", order_T: Tensor | None = None
) -> Tensor:
    """Return the mean loss over the predicted tokens of batch `step`, counted round and round.

    Args:
        objective: "kl+cosine", the paper's; "kl"; or "text", the cross-entropy of the text alone.
        order_T: a permutation of the batch's positions; each then gets the parent's answer to another one, a control.
    """
    number = step % len(record.tokens_SBL)
    tokens_BL = record.tokens_SBL[number]
    hidden_BLD, streams = walk_layers(child, tokens_BL, record.behind)
    logits_TV = child.lm_head(hidden_BLD[:, :-1].flatten(0, 1))
    if objective == "text":
        return F.cross_entropy(logits_TV.float(), tokens_BL[:, 1:].flatten())

    def moved(states_BLD: Tensor) -> Tensor:
        return states_BLD if order_T is None else states_BLD.flatten(0, 1)[order_T].view_as(states_BLD)

    with torch.no_grad():
        parent_TV = child.lm_head(moved(record.hidden_SBLD[number]).to(child.dtype)[:, :-1].flatten(0, 1))
    loss = kl_loss(logits_TV, parent_TV)
    if objective == "kl":
        return loss
    pairs = zip(streams, record.streams_SKBLD[number], strict=True)
    return loss + torch.stack([cosine_loss(own, moved(parents)) for own, parents in pairs]).mean()


def distil_child(
    child: Any,
    record: ParentRecord,
    *,
    steps: int,
    lr: float,
    objective: str = "kl+cosine",
    shuffled: bool = False,
    points: Sequence[int] = (),
    folder: Path | None = None,
    checkpoint_every: int = 0,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Distil `child`, its layers given in float32, in place.

    AdamW without weight decay, a tenth of warm-up, cosine decay, gradients clipped to a norm of 1. Forward and
    backward run on a copy in bf16, which is faster here than autocast; weights and moments stay in float32.

    Args:
        shuffled: the control of `distillation_loss`.
        points: after so many steps the child is compared with its parent on the text held out.
        folder: where checkpoints go, every `checkpoint_every` steps and after the last, and where to go on from with
            the same arguments and the child as it was assembled; None keeps nothing.

    Returns:
        One row a point: `tokens` read so far, and `kl`, `cosine`, `loss` of `true_scores`.

    Raises:
        LabError: an unknown objective, a loss or gradient that is not a number, a child that did not change, or the
            folder of another run.
    """
    if objective not in OBJECTIVES:
        raise LabError(one_of("objective", objective, OBJECTIVES))
    keep_freed_memory()
    settings = TrainSettings(max(steps, 1), len(record.tokens_SBL[0]), lr, warmup_steps=steps // 10, weight_decay=0.0)
    settings = replace(settings, checkpoint_every=checkpoint_every)
    child.requires_grad_(True)
    child.model.embed_tokens.requires_grad_(False)
    child.lm_head.requires_grad_(False)
    fast = cast(copy.deepcopy(child), torch.bfloat16)
    optimizer = adamw(child, settings)
    before = _fingerprint(child)
    order_T = _order(record) if shuffled else None
    rows = [_row(fast, record, 0)] if 0 in points else []
    run = _identity(child, record, settings, (objective, shuffled, sorted(points))) if folder else {}
    history = checkpoints.resume(folder, child, optimizer, run) if folder else []
    _follow(fast, child)
    left = range(len(history), steps)
    for step in progress_bar(left, desc="distilling", unit="step") if progress else left:
        _update(fast, child, optimizer, distillation_loss(fast, record, step, objective, order_T), settings, step)
        history.append(_row(fast, record, step + 1) if step + 1 in points else {})
        if not math.isfinite(history[-1].get("loss", 0.0)):
            raise LabError(f"The child broke by step {step}: its held-out loss is no number; lower lr, {lr} now.")
        if folder and checkpoints.is_due(step + 1, checkpoint_every, steps):
            checkpoints.save(folder, child, optimizer, history, run)
    if steps and _fingerprint(child) == before:
        raise LabError(f"{steps} steps with lr {lr} changed nothing; raise lr.")
    return rows + [row for row in history if row]


def _identity(
    child: Any, record: ParentRecord, settings: TrainSettings, how: tuple[str, bool, list[int]]
) -> dict[str, Any]:
    """What must be the same when a distillation goes on."""
    said = (record.tokens_SBL, record.hidden_SBLD, record.streams_SKBLD, record.behind, record.held_out.tokens_NL)
    return {
        "settings": asdict(settings),
        "how": dict(zip(("objective", "shuffled", "points"), how, strict=True)),
        "model": identity_of(child),
        "begins": weights_fingerprint(child),
        "record": fingerprint(*said),
    }


def _update(
    fast: Any, child: Any, optimizer: torch.optim.Optimizer, loss: Tensor, settings: TrainSettings, step: int
) -> None:
    """Take update `step`, from 0, of the weights in float32 by the loss of their bf16 copy."""
    if not torch.isfinite(loss):
        raise LabError(f"The loss is {float(loss)} at step {step}; lower lr, which is {settings.peak_lr}.")
    loss.backward()
    _hand_over(fast, child)
    take_step(child, optimizer, learning_rate(step + 1, settings), settings.clip, update=step + 1)
    _follow(fast, child)


def _hand_over(fast: Any, child: Any) -> None:
    """Give the gradients of the bf16 copy to the weights in float32."""
    for copied, weight in zip(fast.parameters(), child.parameters(), strict=True):
        if copied.grad is not None:
            weight.grad, copied.grad = copied.grad.float(), None


@torch.no_grad()
def _follow(fast: Any, child: Any) -> None:
    """Round the weights in float32 to the bf16 copy."""
    for copied, weight in zip(fast.parameters(), child.parameters(), strict=True):
        if weight.requires_grad:
            copied.copy_(weight)


def _row(child: Any, record: ParentRecord, step: int) -> dict[str, float]:
    return {"tokens": float(step * record.tokens_SBL[0].numel()), **true_scores(child, record.held_out)}


def _order(record: ParentRecord) -> Tensor:
    """Return a permutation that moves every position of a batch, the same in every run."""
    count = record.tokens_SBL[0].numel()
    shift = 1 + int(torch.randint(count - 1, (1,), generator=torch.Generator().manual_seed(0)))
    shuffle_T = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    order_T = torch.empty_like(shuffle_T)
    order_T[shuffle_T] = shuffle_T.roll(shift)
    return order_T


def _fingerprint(child: Any) -> list[float]:
    return [float(weight.detach().sum()) for weight in child.parameters() if weight.requires_grad]
