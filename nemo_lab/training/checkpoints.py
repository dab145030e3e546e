"""Checkpoints: what a run needs to go on as if it had never stopped, in files that anything can read.

    folder/step-00000200/model.safetensors       the model's state_dict
    folder/step-00000200/optimizer.safetensors   exp_avg.<name>, exp_avg_sq.<name>, step.<name> (AdamW)
    folder/step-00000200/history.jsonl           one JSON object an update, floats exact
    folder/step-00000200/state.json              format, step and what identifies the run

The order of the data and the random numbers of a step are functions of (seed, step), and the learning rate
is a function of the step, so that there is no other state. A checkpoint is written into a temporary folder
and renamed when complete: whatever a kill leaves behind is not called `step-…` and is removed by the next
run. The last two are kept.

A resumed run must be the same run: settings, model and data are compared with those that the checkpoint
names (`identity`), and a difference is an error that says which. Only how often to save and to validate may change.
Format 1 did not know a model's recipe or teacher, nor what a function gives; its weights and its history can be read
still, but no run goes on from it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nemo_lab.files import read_tensors, sync_folder, write_tensors, write_text
from nemo_lab.training.distributed import gathered, rank, scattered, wait
from nemo_lab.training.settings import TrainingError

FORMAT = "nemo-lab training checkpoint 2"
_FAMILY = FORMAT.rpartition(" ")[0]
KEPT = 2
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_FREE = ("settings.checkpoint_every", "settings.validate_every")

Row = dict[str, float]


def save(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: list[Row],
    run: Mapping[str, Any],
) -> Path:
    """Write the checkpoint of step `len(history)` and forget all but the last two; returns its folder.

    `run` is any JSON mapping that tells this run from others. Every process of a distributed run calls this;
    the first one writes.
    """
    weights = gathered(model.state_dict())
    moments = gathered(_optimizer_tensors(model, optimizer))
    target = folder / f"step-{len(history):08d}"
    if rank() == 0 and not target.exists():
        partial = folder / f".partial-{target.name}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_tensors(partial / "model.safetensors", weights)
        write_tensors(partial / "optimizer.safetensors", moments)
        write_text(partial / "history.jsonl", "".join(json.dumps(_finite(row)) + "\n" for row in history))
        state = {"format": FORMAT, "step": len(history), "run": run}
        write_text(partial / "state.json", json.dumps(state, indent=1, sort_keys=True))
        sync_folder(partial)
        os.replace(partial, target)
        sync_folder(folder)
        _forget(_complete(folder)[:-KEPT])
    wait()
    return target


def resume(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, run: Mapping[str, Any]) -> list[Row]:
    """Load the last complete checkpoint of `folder` into model and optimizer; returns its history.

    An empty history means that there is none yet. Raises `TrainingError` when it belongs to another run.
    """
    _prepare(folder)
    checkpoint = latest(folder)
    if checkpoint is None:
        return []
    state = _read_state(checkpoint)
    _check_same_run(folder, state["run"], json.loads(json.dumps(run)))
    _load_weights(model, checkpoint / "model.safetensors")
    _load_moments(model, optimizer, checkpoint / "optimizer.safetensors")
    history = _read_rows(checkpoint / "history.jsonl")
    if len(history) != state["step"]:
        raise TrainingError(
            f"{checkpoint} names step {state['step']} but its history has {len(history)} rows; delete it."
        )
    return history


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run's folder, or None."""
    complete = _complete(Path(folder))
    return complete[-1] if complete else None


def is_due(update: int, every: int, last: int) -> bool:
    """Whether something is done after this update, from 1: the last, and each `every`-th where that is not 0."""
    return update == last or (every > 0 and update % every == 0)


def load_model(model: nn.Module, folder: Path) -> nn.Module:
    """Load the weights of a checkpoint, or of the last checkpoint of a run's folder, in place; returns it."""
    _load_weights(model, _checkpoint_in(Path(folder)) / "model.safetensors")
    return model


def read_history(folder: Path) -> list[Row]:
    """The history stored in a checkpoint, or in the last checkpoint of a run's folder."""
    return _read_rows(_checkpoint_in(Path(folder)) / "history.jsonl")


def _checkpoint_in(folder: Path) -> Path:
    if (folder / "model.safetensors").is_file():
        return folder
    checkpoint = latest(folder)
    if checkpoint is None:
        raise TrainingError(
            f"{folder} holds no checkpoint (no folder named step-…, no model.safetensors); "
            "give the folder that train() was called with."
        )
    return checkpoint


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.name[5:].isdigit() and path.is_dir())


def _prepare(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise TrainingError(f"{folder} is a file, but checkpoints need a folder; choose another name.")
    folder.mkdir(parents=True, exist_ok=True)
    if rank() == 0:
        for left_over in folder.glob(".partial-step-*"):
            shutil.rmtree(left_over, ignore_errors=True)
    wait()


def _forget(checkpoints: Iterable[Path]) -> None:
    """Delete checkpoints under another name, so that a kill meanwhile leaves no incomplete one."""
    for checkpoint in checkpoints:
        doomed = checkpoint.with_name(f".partial-{checkpoint.name}")
        os.replace(checkpoint, doomed)
        shutil.rmtree(doomed)


def _finite(row: Row) -> dict[str, float | None]:
    """JSON has no NaN: null stands for it."""
    return {key: None if math.isnan(value) else value for key, value in row.items()}


def _read_rows(path: Path) -> list[Row]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read ({error}); delete {path.parent}.") from error
    return [{key: math.nan if value is None else value for key, value in row.items()} for row in rows]


def _read_state(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / "state.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found, fits = str(state["format"]), isinstance(state["step"], int) and isinstance(state["run"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        found, fits = "", False
    if found == FORMAT and fits:
        return state
    if found != FORMAT and found.startswith(_FAMILY):
        raise TrainingError(
            f"{checkpoint} is a {found!r}, which does not say enough of its run to go on with it; train in another "
            "folder, or read its weights with load_model."
        )
    raise TrainingError(f"{path} is missing or not a {FORMAT!r}; delete {checkpoint}.")


def _check_same_run(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    before, now = _flat(old), _flat(new)
    for key in sorted(before.keys() | now.keys()):
        if key not in _FREE and before.get(key) != now.get(key):
            raise TrainingError(
                f"The run in {folder} has {key}={before.get(key)!r}, now it is {now.get(key)!r}; "
                "use another folder, or what it was begun with."
            )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return flat


def _optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}.{name}"] = value
    return tensors


def _load_weights(model: nn.Module, path: Path) -> None:
    own = model.state_dict()
    stored = read_tensors(path)
    _check_shapes(path, stored, {name: tensor.shape for name, tensor in own.items()})
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(scattered(stored[name], tensor))


def _load_moments(model: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Fill AdamW's state. Parameters that never had a gradient have none, neither here nor in the file."""
    stored = read_tensors(path)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    seen = {name: p for name, p in parameters.items() if any(f"{m}.{name}" in stored for m in _MOMENTS)}
    shapes = {f"{m}.{name}": p.shape for name, p in seen.items() for m in _MOMENTS[:2]}
    shapes |= {f"step.{name}": torch.Size([]) for name in seen}
    _check_shapes(path, stored, shapes)
    for name, parameter in seen.items():
        state = {m: scattered(stored[f"{m}.{name}"], parameter) for m in _MOMENTS[:2]}
        state["step"] = stored[f"step.{name}"].to(parameter.device)
        optimizer.state[parameter] = state


def _check_shapes(path: Path, stored: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Size]) -> None:
    wrong = [n for n in stored.keys() & expected.keys() if stored[n].shape != expected[n]]
    problems = {
        "lacks": expected.keys() - stored.keys(),
        "has in addition": stored.keys() - expected.keys(),
        "has in another shape": wrong,
    }
    said = [f"{what} {_some(sorted(names))}" for what, names in problems.items() if names]
    if said:
        raise TrainingError(f"{path} does not fit the model: it {', '.join(said)}; use the model it was saved from.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
