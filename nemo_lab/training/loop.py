"""The training loop: one function from a model, rows of tokens and settings to a trained model and history.

An update is: take batch number `step` (a function of the seed and the step), compute the mean loss over its
predictions in micro-batches, clip the gradient's norm, set this update's learning rate, take AdamW's step.
With `folder`, checkpoints are written there and a call with the same arguments goes on from the last one; the
history is then bit for bit that of a run which was never stopped, on the same machine with the same number of
threads, for `seconds` alone tells of the interruption. What makes a run the same is in `identity`.

Anything with `loss(tokens_BL, targets_BL, document_BL, reduction="none")` can be trained, a distillation
wrapper around two models as well as `HybridLM`. Under bf16 the parameters, the optimizer's moments and the
gradients stay in fp32 and autocast runs the matmuls in bf16, as in the papers.

The mean is taken over the predictions of the whole batch, not over micro-batches or processes that may hold
different numbers of them: gradients do not depend on `accumulate` or on the number of processes.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import nn

from nemo_lab.errors import check_callable, check_instance, check_path, shown
from nemo_lab.modeling.bf16_products import replace_slow_products
from nemo_lab.progress import progress as progress_bar
from nemo_lab.training import checkpoints, distributed
from nemo_lab.training.checkpoints import is_due
from nemo_lab.training.identity import fingerprint_of, identity_of
from nemo_lab.training.memory import keep_freed_memory
from nemo_lab.training.optimizer import adamw, clip_gradients, set_learning_rate
from nemo_lab.training.packing import IGNORE, Batch, Packed, batch
from nemo_lab.training.schedules import learning_rate
from nemo_lab.training.settings import TrainingError, TrainSettings

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, float]
Source = Packed | Callable[[int], Batch]
Validate = Callable[[nn.Module], Mapping[str, float]]


class NonFiniteLoss(TrainingError):
    """Loss or gradient is no longer a number; the model holds the weights from before that update."""


def train(
    model: nn.Module,
    data: Source,
    settings: TrainSettings,
    *,
    folder: str | Path | None = None,
    validate: Validate | None = None,
    progress: bool = True,
    on_step: Callable[[Row], None] | None = None,
) -> pd.DataFrame:
    """Train `model` in place and return its history.

    Args:
        model: anything with `loss(tokens_BL, targets_BL, document_BL, reduction="none") -> [B, L]` in nats.
        data: packed rows, or a function from the step (from 0) to the whole batch of that step, for blends
            that change during training; it must depend on nothing but the step for a resume to be exact, and
            have a fingerprint where there is a folder (`identity.with_fingerprint`).
        settings: see `TrainSettings`.
        folder: where checkpoints go and where to go on from; None keeps nothing.
        validate: called with the model every `validate_every` updates and at the end; what it returns is
            added to that row of the history.
        progress: whether to show a bar with loss and tokens/s where somebody watches.
        on_step: called after each update with its row of the history.

    Returns:
        One row an update: step (from 1), loss (nats a prediction, before the update), lr, grad_norm (before
        clipping), tokens (predictions so far), seconds (of training so far), and what `validate` gave.

    Raises:
        NonFiniteLoss: the loss or the gradient became NaN or infinite.
        TrainingError: no model with a `loss`, no data or settings; the folder holds another run or a damaged
            checkpoint, or the data has no fingerprint.
    """
    _check(model, data, settings, on_step)
    keep_freed_memory()
    replace_slow_products()
    where = None if folder is None else check_path("folder", folder, kind=TrainingError)
    optimizer = adamw(model, settings)
    run = _identity(model, data, settings) if where else {}
    history = checkpoints.resume(where, model, optimizer, run) if where else []
    model.train()
    with _bar(settings, len(history), progress) as show:
        for step in range(len(history), settings.steps):
            row = _update(model, optimizer, data, settings, step, history)
            if validate and is_due(step + 1, settings.validate_every, settings.steps):
                row |= _validated(model, validate)
            history.append(row)
            show(history)
            if where and is_due(step + 1, settings.checkpoint_every, settings.steps):
                checkpoints.save(where, model, optimizer, history, run)
            if on_step:
                on_step(row)
    return _frame(history)


def _update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Source,
    settings: TrainSettings,
    step: int,
    history: list[Row],
) -> Row:
    """Take update number `step` (from 0) and return its row."""
    began = time.perf_counter()
    lr = learning_rate(step + 1, settings)
    device = next(model.parameters()).device
    whole = _batch(data, settings, step)
    with _own_random_numbers(settings.seed, step, device):
        loss, targets = _accumulate(model, whole, settings, device)
    _check_finite(loss, f"The loss is {loss}", lr, step + 1)
    norm = take_step(model, optimizer, lr, settings.clip, update=step + 1)
    before = history[-1] if history else {"tokens": 0, "seconds": 0.0}
    return {
        "step": step + 1,
        "loss": loss,
        "lr": lr,
        "grad_norm": norm,
        "tokens": before["tokens"] + targets,
        "seconds": before["seconds"] + time.perf_counter() - began,
    }


def take_step(
    model: nn.Module | Iterable[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    lr: float,
    clip: float,
    *,
    update: int = 0,
) -> float:
    """One update from the gradients that `model`, or its parameters, hold: the loops of the package end in this.

    Args:
        lr: of this update. clip: the largest norm of all gradients together; `math.inf` leaves them as they are.
        update: its number, from 1, for the error; 0 leaves it out.

    Returns:
        The gradient's norm before clipping. The gradients are gone.

    Raises:
        NonFiniteLoss: that norm is no number or infinite; no weight has changed.
    """
    norm = clip_gradients(model.parameters() if isinstance(model, nn.Module) else model, clip)
    _check_finite(norm, "The gradient is not finite", lr, update)
    set_learning_rate(optimizer, lr)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm


def _accumulate(model: nn.Module, whole: Batch, settings: TrainSettings, device: torch.device) -> tuple[float, int]:
    """Add the gradient of the batch's mean loss; returns that loss and the number of predictions.

    FSDP averages gradients over processes, hence the factor of their number.
    """
    targets = int((whole.targets_BL != IGNORE).sum())
    part = distributed.own_rows(len(whole.tokens_BL))
    mine = [tensor[part].tensor_split(settings.accumulate) for tensor in whole]
    loss_sum = torch.zeros((), dtype=torch.float64, device=device)
    for micro in zip(*mine, strict=True):
        nats = prediction_nats(model, Batch(*micro), settings.precision).sum()
        (nats * (distributed.world() / max(targets, 1))).backward()
        loss_sum += nats.detach()
    return float(distributed.total(loss_sum)) / max(targets, 1), targets


def prediction_nats(model: nn.Module, data: Batch, precision: str) -> torch.Tensor:
    """Nats of every prediction, [B, L], on the model's device, matmuls in `precision`; 0 for `IGNORE`."""
    device = next(model.parameters()).device
    tokens_BL, targets_BL, document_BL = (tensor.to(device, non_blocking=True) for tensor in data)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        return cast(Any, model).loss(tokens_BL, targets_BL, document_BL, reduction="none")


def _check(model: Any, data: Any, settings: Any, on_step: Any) -> None:
    check_instance("model", model, nn.Module, "give a torch module with a method `loss`", kind=TrainingError)
    check_instance("settings", settings, TrainSettings, "make it with TrainSettings(steps=...)", kind=TrainingError)
    if not isinstance(data, Packed) and not callable(data):
        raise TrainingError(f"data is {shown(data)}, expected packed rows or a function of the step.")
    if on_step is not None:
        advice = "give a function of a row of the history, or leave it out"
        check_callable("on_step", on_step, advice, kind=TrainingError)
    _check_vocabulary(model, data)


def _check_vocabulary(model: nn.Module, data: Source) -> None:
    """A token without an embedding is an obscure error on a CPU and a dead process on a GPU."""
    size = getattr(getattr(model, "config", None), "vocab_size", None)
    if size is None or not isinstance(data, Packed):
        return
    highest = max(int(data.tokens_NL.max()), int(data.targets_NL.max()))
    if highest >= size:
        raise TrainingError(
            f"The data has token {highest} but the model a vocabulary of {size}; "
            "make the model with the tokenizer's vocabulary size."
        )


def _batch(data: Source, settings: TrainSettings, step: int) -> Batch:
    whole = batch(data, settings.batch_size, settings.seed, step) if isinstance(data, Packed) else data(step)
    if len(whole.tokens_BL) != settings.batch_size:
        raise TrainingError(
            f"The data gave {len(whole.tokens_BL)} rows at step {step}, not batch_size={settings.batch_size}."
        )
    return whole


@contextlib.contextmanager
def _own_random_numbers(seed: int, step: int, device: torch.device) -> Iterator[None]:
    """Random numbers of this step (dropout, stochastic rounding) from (seed, step, process) only.

    Whatever generator state the caller has is put back, so that a resume needs to know the step alone.
    """
    state = np.random.SeedSequence([seed, step, distributed.rank()]).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(state))
        yield


def _check_finite(value: float, said: str, lr: float, update: int) -> None:
    if math.isfinite(value):
        return
    where = f" at update {update}" if update else ""
    raise NonFiniteLoss(
        f"{said}{where} (learning rate {lr:.2g}); try a lower peak_lr, more warmup_steps or precision='fp32'."
    )


def _validated(model: nn.Module, validate: Validate) -> Row:
    values = {name: float(value) for name, value in validate(model).items()}
    model.train()
    return values


@contextlib.contextmanager
def _bar(settings: TrainSettings, done: int, wanted: bool) -> Iterator[Callable[[list[Row]], None]]:
    """A function that shows the newest row: loss, and tokens/s over the last ten updates."""
    if not wanted or distributed.rank() > 0:
        yield lambda history: None
        return
    with progress_bar(total=settings.steps, desc="training", unit="step") as bar:

        def show(history: list[Row]) -> None:
            first, last = history[-11:][0], history[-1]
            seconds = max(last["seconds"] - first["seconds"], 1e-9)
            speed = (last["tokens"] - first["tokens"]) / seconds
            bar.set_postfix({"loss": f"{last['loss']:.3f}", "tokens/s": f"{speed:,.0f}"}, refresh=False)
            bar.update()

        bar.update(done)
        yield show


def _identity(model: nn.Module, data: Source, settings: TrainSettings) -> dict[str, Any]:
    """What must be the same when a run goes on."""
    return {
        "settings": asdict(settings),
        "model": identity_of(model),
        "data": fingerprint_of(data, "batches"),
    }


def _frame(history: list[Row]) -> pd.DataFrame:
    import pandas as pd

    columns = ["step", "loss", "lr", "grad_norm", "tokens", "seconds"]
    extra = list(dict.fromkeys(key for row in history for key in row if key not in columns))
    return pd.DataFrame(history, columns=columns + extra).astype({"step": int, "tokens": int})
