"""Ours against Hugging Face's `nemotron_h`: the same weights, the same batches, one process a side.

    python -m nemo_lab.training.peers ours train decode1 --batch-size 4 --length 512
    python -m nemo_lab.training.peers hf train decode1 --batch-size 4 --length 512

Each prints one line of JSON. `measure` starts such a process and returns what it printed; notebook 90 calls
it in turn for the two sides, so that a slow minute of the machine hits both alike. A process of its own
matters: our training loop tells the C library to keep freed memory, which would speed up the other side too.
What is timed, and what is equal on both sides, is in `peer_tasks`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import torch

from nemo_lab.errors import one_of
from nemo_lab.training.peer_tasks import (
    CONFIG,
    DTYPES,
    Result,
    Sizes,
    decode,
    device,
    matmuls,
    prefill,
    profile,
    same,
    training,
)
from nemo_lab.training.settings import TrainingError

__all__ = ["CONFIG", "SIDES", "TASKS", "Sizes", "main", "measure", "run_side"]

SIDES = ("ours", "hf")
TASKS = ("train", "prefill", "decode1", "decode16", "profile", "same", "matmuls")
TIME_LIMIT = 600.0  # seconds a process may take

_BY_SIDE: Mapping[str, Callable[[str, Sizes], Result]] = {"train": training, "profile": profile}
_ALONE: Mapping[str, Callable[[Sizes], Result]] = {"same": same, "matmuls": matmuls}


def measure(side: str, tasks: Sequence[str], sizes: Sizes) -> Result:
    """Time one side in a process of its own.

    Returns: `side`, `device`, `threads`, and an entry for each task (see `peer_tasks`).

    Raises:
        TrainingError: an unknown side or task, or the process failed; the sentence gives its last line.
    """
    for kind, value, known in (("side", side, SIDES), *(("task", task, TASKS) for task in tasks)):
        if value not in known:
            raise TrainingError(one_of(kind, value, known))
    return run_side("nemo_lab.training.peers", [side, *tasks], sizes)


def run_side(module: str, words: Sequence[str], sizes: Any) -> Result:
    """Run `python -m module WORD… --size=N…` and return the JSON of its last line.

    Args:
        module: one whose command line times a side, as those of this lab named `peers` do.
        words: its positional arguments, the side first.
        sizes: a dataclass of whole numbers, one option each.

    Raises:
        TrainingError: it took over `TIME_LIMIT`, or failed; the sentence gives its last line.
    """
    options = [f"--{name.replace('_', '-')}={value}" for name, value in asdict(sizes).items()]
    command = [sys.executable, "-m", module, *words, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        raise TrainingError(f"Timing {words[0]} took over {TIME_LIMIT:.0f} s; choose smaller sizes.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise TrainingError(f"Timing {words[0]} failed with status {done.returncode}: {said[0]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Time one side as the command line says and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="nemo_lab.training.peers", description="Time one side.")
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("tasks", nargs="+", choices=TASKS, metavar="TASK", help=", ".join(TASKS))
    for field in fields(Sizes):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=int, default=field.default, metavar="N")
    options = parser.parse_args(arguments)
    sizes = Sizes(**{field.name: getattr(options, field.name) for field in fields(Sizes)})
    result: Result = {"side": options.side, "device": device().type, "threads": torch.get_num_threads()}
    for task in options.tasks:
        result[task] = _run(options.side, task, sizes)
    print(json.dumps(result))
    return 0


def _run(side: str, task: str, sizes: Sizes) -> Result:
    """Run one task; those with a precision run in both."""
    if task in _BY_SIDE:
        return _BY_SIDE[task](side, sizes)
    if task in _ALONE:
        return _ALONE[task](sizes)
    if task == "prefill":
        return {name: prefill(side, dtype, sizes) for name, dtype in DTYPES.items()}
    batch = int(task.removeprefix("decode"))
    return {name: decode(side, dtype, batch, sizes) for name, dtype in DTYPES.items()}


if __name__ == "__main__":
    sys.exit(main())
