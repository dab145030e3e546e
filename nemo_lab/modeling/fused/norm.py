"""RMSNorm at the head of a residual block, with the gradient of the residual stream added on the way back.

    u = x / sqrt(mean(x^2) + eps) w,   in the dtype of the products that read it

The plain form is `nn.RMSNorm`, whose result autocast then copies to bfloat16, and whose gradient autograd adds to the
stream's in a sweep of its own. Here x goes through the function beside u, so that its gradient comes back through it
and both are added where they are made.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import put, read
from nemo_lab.modeling.linear import wide

BLOCK = 64  # tokens whose part of the weight's gradient is summed in one place


def residual_norm(x_BLd: Tensor, weight_d: Tensor, eps: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(x, u): x unchanged, to be used instead of the argument; u its norm in `dtype`; both (…, d)."""
    return _ResidualNorm.apply(x_BLd, weight_d, eps, dtype)  # type: ignore[no-any-return]


class _ResidualNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_d: Tensor, eps: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x_Td = x.reshape(-1, x.shape[-1]).contiguous()
        weight = wide(weight_d).to(torch.promote_types(x.dtype, torch.float32))
        rstd_T, u_Td = weight.new_empty(len(x_Td)), torch.empty_like(x_Td, dtype=dtype)
        rms_norm(x_Td, weight, eps, rstd_T, u_Td)
        ctx.save_for_backward(x_Td, weight_d, rstd_T)
        return x.view_as(x), u_Td.view_as(x)

    @staticmethod
    def backward(ctx: Any, dstream: Tensor, du: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_Td, weight_d, rstd_T = ctx.saved_tensors
        T, d = x_Td.shape
        dx_Td, dweight_Kd = torch.empty_like(x_Td), rstd_T.new_empty(-(-T // BLOCK), d)
        given = (du.reshape(T, d).contiguous(), dstream.reshape(T, d).contiguous())
        rms_norm_backward(*given, x_Td, weight_d.to(rstd_T.dtype), rstd_T, dx_Td, dweight_Kd)
        return dx_Td.view_as(dstream), dweight_Kd.sum(0).to(weight_d.dtype), None, None


@kernel
def rms_norm(worker: int, workers: int, x_Td: Any, weight_d: Any, eps: float, rstd_T: Any, u_Td: Any) -> None:
    """u, and the reciprocal root of the mean square."""
    for t in range(worker, len(x_Td), workers):
        x = x_Td[t]
        rstd_T[t] = 1 / math.sqrt(_squares(x, weight_d) / x.size + eps)
        _scale(x, rstd_T[t], weight_d, u_Td[t])


@part
def _squares(x: Any, like: Any) -> Any:
    total = like.dtype.type(0)
    for i in range(x.size):
        total += read(x[i]) * read(x[i])
    return total


@part
def _scale(x: Any, rstd: Any, weight: Any, out: Any) -> None:
    for i in range(x.size):
        put(out, i, read(x[i]) * rstd * weight[i])


@kernel
def rms_norm_backward(
    worker: int,
    workers: int,
    du_Td: Any,
    dstream_Td: Any,
    x_Td: Any,
    weight_d: Any,
    rstd_T: Any,
    dx_Td: Any,
    dweight_Kd: Any,
) -> None:
    """dx = dstream + rstd (w du - n mean(w du n)) with n = x rstd; dweight = du n, summed over each block of tokens."""
    for block in range(worker, len(dweight_Kd), workers):
        dweight_Kd[block] = 0
        for t in range(block * BLOCK, min((block + 1) * BLOCK, len(x_Td))):
            share = rstd_T.dtype.type(_inner(du_Td[t], x_Td[t], rstd_T[t], weight_d, dweight_Kd[block]) / x_Td.shape[1])
            _norm_backward(du_Td[t], dstream_Td[t], x_Td[t], weight_d, rstd_T[t], share, dx_Td[t])


@part
def _inner(du: Any, x: Any, rstd: Any, weight: Any, dweight: Any) -> Any:
    """Adds du n to dweight; returns the sum of w du n."""
    total = weight.dtype.type(0)
    for i in range(x.size):
        product = read(du[i]) * read(x[i]) * rstd
        dweight[i] += product
        total += weight[i] * product
    return total


@part
def _norm_backward(du: Any, dstream: Any, x: Any, weight: Any, rstd: Any, mean: Any, dx: Any) -> None:
    for i in range(x.size):
        inner = weight[i] * read(du[i]) - read(x[i]) * rstd * mean
        put(dx, i, read(dstream[i]) + rstd * inner)
