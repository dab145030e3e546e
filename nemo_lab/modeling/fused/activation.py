"""relu(x)^2 of the feed-forward layer in one sweep, and 2 relu(x) dout in another. The plain form is in `mlp`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import put, read, relu


def squared_relu(x: Tensor) -> Tensor:
    """relu(x)^2, of any shape."""
    return _SquaredReLU.apply(x)  # type: ignore[no-any-return]


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        square(_rows(x), _rows(out))
        return out

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        dx = torch.empty_like(x)
        square_backward(_rows(dout.contiguous()), _rows(x), _rows(dx))
        return dx


def _rows(t: Tensor) -> Tensor:
    return t.view(-1, t.shape[-1])


@kernel
def square(worker: int, workers: int, x_RI: Any, out_RI: Any) -> None:
    """relu(x)^2 of each row."""
    for r in range(worker, len(x_RI), workers):
        _square(x_RI[r], out_RI[r])


@part
def _square(x: Any, out: Any) -> None:
    for i in range(x.size):
        rectified = relu(read(x[i]))
        put(out, i, rectified * rectified)


@kernel
def square_backward(worker: int, workers: int, dout_RI: Any, x_RI: Any, dx_RI: Any) -> None:
    """2 relu(x) dout of each row."""
    for r in range(worker, len(x_RI), workers):
        _square_backward(dout_RI[r], x_RI[r], dx_RI[r])


@part
def _square_backward(dout: Any, x: Any, dx: Any) -> None:
    for i in range(x.size):
        rectified = relu(read(x[i]))
        put(dx, i, (rectified + rectified) * read(dout[i]))
