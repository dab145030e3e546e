"""Loops over one row that several kernels share. Rows are contiguous; each function writes its last argument."""

from __future__ import annotations

from typing import Any

from nemo_lab.modeling.fused.compiled import part
from nemo_lab.modeling.fused.elements import put, read, sigmoid


@part
def store(x: Any, out: Any) -> None:
    """out = x, from and to any format."""
    for t in range(x.size):
        put(out, t, read(x[t]))


@part
def store_product(x: Any, factor: Any, out: Any) -> None:
    """out = x factor."""
    for t in range(x.size):
        put(out, t, read(x[t]) * factor[t])


@part
def add_product(x: Any, y: Any, factor: Any, out: Any) -> None:
    """out += x y factor."""
    for t in range(x.size):
        out[t] += x[t] * read(y[t]) * factor[t]


@part
def dot(x: Any, y: Any) -> Any:
    """Sum of x y."""
    total = x.dtype.type(0)
    for t in range(x.size):
        total += x[t] * read(y[t])
    return total


@part
def silu_and_slope(u: Any, slope: Any, out: Any) -> None:
    """out = SiLU(u) = u g with g = sigmoid(u), and its derivative g (1 + u - SiLU(u))."""
    for t in range(u.size):
        g = sigmoid(u[t])
        silu = u[t] * g
        out[t] = silu
        slope[t] = g + g * (u[t] - silu)
