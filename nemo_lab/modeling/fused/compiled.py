"""Turns a function over arrays into a kernel over tensors: compiled once, kept on disk, on as many threads as torch.

    @part                       a loop over one row, inlined into the kernels that call it
    def _scale(x, factor, out): ...

    @kernel                     a loop over rows; called as `scale(x, factor, out)` with tensors
    def scale(worker, workers, x_RT, factor_R, out_RT):
        for r in range(worker, len(x_RT), workers): ...

What makes them fast, measured: `error_model="numpy"`, without which every division is a branch; sums may be
reordered (`reassoc`), or they stay sequential; inner loops run over whole contiguous rows, because an index range
with computed bounds is not vectorised; and few arrays a loop, because the compiler proves of each pair that they do
not overlap, or gives up. NaN and infinity keep their meaning (`nnan` and `ninf` are left out).

Worker w of n takes every n-th row, so that each row is computed by one thread; and sums over rows are kept apart.
Results therefore do not depend on the number of threads. The threads are Python's, because the loops hold no lock:
those of numba's own parallel loops (OpenMP) keep spinning between two kernels and take the cores from torch's.

The machine code lies in `home()/kernels`, in a folder named by the text of these modules: numba itself would not
notice a change in a function that another file calls.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import torch
from torch import Tensor

from nemo_lab.files import home

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}, "nogil": True}
part = numba.njit(**_OPTIONS)


def kernel(function: Callable[..., None]) -> Callable[..., None]:
    """Compile `function` at its first call; the result takes contiguous tensors and numbers, and no `worker, workers`.

    Raises:
        ValueError: a tensor that is not contiguous, which the kernel would take for another shape of loop.
    """
    compiled = numba.njit(**_OPTIONS)(function)
    _keep(compiled)

    @functools.wraps(function)
    def launch(*arguments: Any) -> None:
        arrays = [_array(a) if isinstance(a, Tensor) else a for a in arguments]
        workers = torch.get_num_threads()
        others = [_pool(workers).submit(compiled, worker, workers, *arrays) for worker in range(1, workers)]
        compiled(0, workers, *arrays)
        for other in others:
            other.result()

    return launch


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers - 1, "kernel")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has the pool without its threads


def _array(t: Tensor) -> Any:
    """The tensor's memory as an array; bfloat16 as patterns of 16 bits."""
    if not t.is_contiguous():
        raise ValueError(f"A kernel got a tensor of strides {t.stride()} and shape {tuple(t.shape)}, not contiguous.")
    t = t.detach()
    return (t.view(torch.uint16) if t.dtype == torch.bfloat16 else t).numpy()


def _keep(compiled: Any) -> None:
    """Let numba keep the machine code of one kernel in our folder, and other people's where it was."""
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(_folder())
    try:
        compiled.enable_caching()
    finally:
        config.CACHE_DIR = before


@functools.cache
def _folder() -> Path:
    """Where the machine code of these sources lies; says so when they are still to be compiled."""
    texts = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    folder = home() / "kernels" / hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"compiling kernels for this machine, once, into {folder} …", file=sys.stderr)
    return folder
