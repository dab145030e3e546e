"""Train from the command line, on one process or on many:

    python -m nemo_lab.training --data packed.safetensors --config run.json --folder runs/a
    torchrun --nproc-per-node 8 -m nemo_lab.training --data … --config … --folder …

`packed.safetensors` is what `Packed.save` wrote. `run.json` has two objects: "model" with fields of
`HybridConfig`, "train" with fields of `TrainSettings`. The same command again goes on from the last
checkpoint.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from torch import nn

from nemo_lab.errors import LabError, one_of
from nemo_lab.training import distributed
from nemo_lab.training.loop import train
from nemo_lab.training.packing import load_packed
from nemo_lab.training.settings import TrainingError, settings_from


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and train; returns the exit status, 2 after a user's error."""
    parser = argparse.ArgumentParser(prog="nemo_lab.training", description="Train a HybridLM on packed rows.")
    parser.add_argument("--data", type=Path, required=True, help="safetensors file written by Packed.save")
    parser.add_argument("--config", type=Path, required=True, help='JSON with objects "model" and "train"')
    parser.add_argument("--folder", type=Path, required=True, help="folder of the run's checkpoints")
    options = parser.parse_args(arguments)
    try:
        _train(options.data, _read_config(options.config), options.folder)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        distributed.finish()
    return 0


def _train(data: Path, config: dict[str, Any], folder: Path) -> None:
    settings = settings_from(config["train"])
    packed = load_packed(data)
    device = distributed.start()
    model = _model(config["model"], settings.seed).to(device)
    history = train(distributed.wrap(model), packed, settings, folder=folder)
    if distributed.rank() == 0:
        print(history.tail(1).to_string(index=False))


def _model(values: dict[str, Any], seed: int) -> nn.Module:
    from nemo_lab.modeling.config import HybridConfig
    from nemo_lab.modeling.model import HybridLM

    known = [field.name for field in fields(HybridConfig)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise TrainingError(one_of("model setting", unknown[0], known))
    try:
        return HybridLM(HybridConfig(**values), seed=seed)
    except ValueError as error:
        raise TrainingError(str(error)) from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} cannot be read as JSON ({error}).") from error
    if not isinstance(config, dict) or set(config) != {"model", "train"}:
        raise TrainingError(f'{path} must hold exactly two objects, "model" and "train".')
    return config


if __name__ == "__main__":
    sys.exit(main())
