"""What this machine can do, and where a step's time goes. Notebook 90 shows each function at work.

A limit (`matmul_rates`, `bandwidths`) is the best of many repeats: disturbances only ever add time. Left out:
reading hardware counters, and pinning cores or clocks, which needs rights that a reader may lack. Sizes are in
elements, MB (10^6 bytes) or seconds; rates are per second.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nemo_lab.timing import Action, best_seconds

if TYPE_CHECKING:
    import pandas as pd
    import torch

# What a torch operation does, by what its name contains; the first group that fits counts.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "optimizer": ("adamw", "foreach", "Optimizer", "_amp_"),
    "matmul": ("::mm", "::addmm", "::linear", "::matmul", "linear_pointwise", "::dot", "::mv"),
    "batched matmul": ("::bmm", "::baddbmm", "::einsum"),
    "attention": ("scaled_dot_product", "flash_attention", "softmax"),
    "convolution": ("convolution", "conv1d"),
    "copies and fills": (
        *("::copy_", "::clone", "::cat", "::contiguous", "::_to_copy", "::stack", "_pad"),
        *("::fill_", "::zero_", "::zeros", "::full", "::masked_fill", "::tril", "::ones"),
    ),
}
OTHER = "elementwise and sums"
PYTHON = "Python and autograd"


# --- limits of the machine


def matmul_rates(
    sizes: Iterable[int], dtypes: Iterable[str] = ("float32", "bfloat16"), budget: float = 0.1
) -> "pd.DataFrame":
    """Return FLOP/s of square products: columns `size`, `dtype`, `flops` (2·size³ over the best time)."""
    import pandas as pd

    rows = []
    for size in sizes:
        for dtype in dtypes:
            seconds = best_seconds(_product(size, dtype), budget)
            rows.append({"size": size, "dtype": dtype, "flops": 2 * size**3 / seconds})
    return pd.DataFrame(rows)


def _product(size: int, dtype: str) -> Action:
    import torch

    a, b = _random((size, size), dtype), _random((size, size), dtype)
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def bandwidths(megabytes: Iterable[float], budget: float = 0.1) -> "pd.DataFrame":
    """Return bytes/s of three loops over float32 arrays: columns `megabytes` (all arrays), `loop`, `bytes`.

    read: the sum of one array; copy: b = a, one read and one write; triad: c = a + s·b, two reads and one
    write (STREAM's loops, McCalpin 1995, which counts bytes as we do).
    """
    import pandas as pd

    rows = []
    for total in megabytes:
        for loop, arrays in (("read", 1), ("copy", 2), ("triad", 3)):
            seconds = best_seconds(_stream(loop, max(1, int(total * 1e6 / 4 / arrays))), budget)
            rows.append({"megabytes": total, "loop": loop, "bytes": total * 1e6 / seconds})
    return pd.DataFrame(rows)


def _stream(loop: str, count: int) -> Action:
    import torch

    a, b = _random((count,), "float32"), _random((count,), "float32")
    if loop == "read":
        return lambda: a.sum()
    if loop == "copy":
        return lambda: b.copy_(a)
    c = torch.empty_like(a)
    return lambda: torch.add(a, b, alpha=3.0, out=c)


def _random(shape: tuple[int, ...], dtype: str) -> "torch.Tensor":
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.randn(shape, device=device).to(getattr(torch, dtype))


# --- where a step's time goes


def grouped(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return seconds by kind of work, from a profile's self times by operation name.

    Kinds: those of `GROUPS`, in that order, `elementwise and sums` for the other operations of torch, and
    `Python and autograd` for what is no operation: the functions around them.
    """
    totals = dict.fromkeys((*GROUPS, OTHER, PYTHON), 0.0)
    for name, value in seconds.items():
        totals[kind_of(name)] += value
    return totals


def kind_of(operation: str) -> str:
    """Return the kind of work that an operation such as `aten::bmm` does."""
    for kind, parts in GROUPS.items():
        if any(part in operation for part in parts):
            return kind
    return OTHER if "::" in operation else PYTHON
