"""Ours against Hugging Face's `nemotron_h`: the same weights, the same batches, one process a side.

    python -m nemo_lab.studies.performance.language_model ours train decode1 --batch-size 4 --length 512
    python -m nemo_lab.studies.performance.language_model hf train decode1 --batch-size 4 --length 512

`measure` starts such a process, see `nemo_lab.studies.performance.sides`. One of its own matters here: our training
loop tells the C library to keep freed memory, which would speed up the other side too. What is timed, and what is equal
on both sides, is in `language_model_tasks`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import torch

from nemo_lab.studies.performance.language_model_tasks import (
    CONFIG,
    DTYPES,
    Result,
    TrainingSizes,
    decode,
    device,
    matmuls,
    prefill,
    profile,
    same,
    training,
)
from nemo_lab.studies.performance.sides import Benchmark, main, run_side

__all__ = ["CONFIG", "SIDES", "TASKS", "TrainingSizes", "measure"]

SIDES = ("ours", "hf")
TASKS = ("train", "prefill", "decode1", "decode16", "profile", "same", "matmuls")
BENCHMARK = Benchmark(
    "nemo_lab.studies.performance.language_model", {"side": SIDES, "task": TASKS}, TrainingSizes, many=True
)

_BY_SIDE: Mapping[str, Callable[[str, TrainingSizes], Result]] = {"train": training, "profile": profile}
_ALONE: Mapping[str, Callable[[TrainingSizes], Result]] = {"same": same, "matmuls": matmuls}


def measure(side: str, tasks: Sequence[str], sizes: TrainingSizes) -> Result:
    """Time one side in a process of its own.

    Returns: `side`, `device`, `threads`, and an entry for each task (see `language_model_tasks`).

    Raises:
        LabError: an unknown side or task, or the process failed; the sentence gives its last line.
    """
    return run_side(BENCHMARK, [side, *tasks], sizes)


def run(words: Sequence[str], sizes: TrainingSizes) -> Result:
    """Run the tasks of one side, the first word, and say where."""
    side, *tasks = words
    result: Result = {"device": device().type, "threads": torch.get_num_threads()}
    return result | {task: _run(side, task, sizes) for task in tasks}


def _run(side: str, task: str, sizes: TrainingSizes) -> Result:
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
    sys.exit(main(BENCHMARK, run))
