"""Skip, gate and norm against `gated_rms_norm` written with autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling.fused.gate import gated_norm, gated_norm_backward
from nemo_lab.modeling.ssd import from_chunks, to_chunks

EPS = 1e-3


def plain(
    inside: Tensor, read: Tensor, log_from_start: Tensor, x: Tensor, D_H: Tensor, z_DT: Tensor, w_D: Tensor, groups: int
) -> Tensor:
    """Channel-first, as the kernel's output."""
    y = inside + read * log_from_start.exp()[..., None, :] + D_H[:, None, None] * x
    y_DT = from_chunks(y, z_DT.shape[1] // len(y)).movedim(0, 2).reshape(z_DT.shape)
    u = (y_DT * F.silu(z_DT)).unflatten(0, (groups, -1))
    return (u * (u.square().mean(1, keepdim=True) + EPS).rsqrt()).flatten(0, 1) * w_D[:, None]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("groups", "heads", "size"), [(1, 1, 1), (2, 4, 3), (3, 3, 8)])
@pytest.mark.parametrize("length", [1, 8, 13])
def test_gated_norm(length: int, groups: int, heads: int, size: int, dtype: torch.dtype, tolerance: float) -> None:
    rows = torch.randn(3, 2, heads, size, length, dtype=torch.float64)
    inside, read, x = (to_chunks(t, 8, dtype).requires_grad_() for t in rows)
    log_from_start = (-torch.rand(*x.shape[:3], 8)).to(dtype).requires_grad_()
    D, z, w = (
        torch.randn(*s).to(dtype).requires_grad_() for s in ((heads,), (heads * size, 2 * length), (heads * size,))
    )
    expected = plain(inside, read, log_from_start, x, D, z, w, groups)
    given = (inside, read, log_from_start.exp(), x, D, z, w)
    rstd, out = D.new_empty(*x.shape[:2], groups, 8), torch.full_like(z, torch.nan)
    gated_norm(*given, EPS, rstd, out)
    dout = torch.randn_like(out)
    dy, dread, dz = torch.zeros_like(x), torch.zeros_like(x), torch.full_like(z, torch.nan)
    dlog, dD, dw = (
        torch.full_like(log_from_start, torch.nan),
        D.new_empty(*x.shape[:3]),
        D.new_empty(*x.shape[:2], len(w)),
    )
    gated_norm_backward(dout, *given, rstd, dy, dread, dz, dlog, dD, dw)
    close = {"rtol": 10 * tolerance, "atol": 10 * tolerance}
    torch.testing.assert_close(out, expected.detach(), **close)
    gradients = torch.autograd.grad(expected, (inside, read, z, log_from_start, D, w), dout)
    torch.testing.assert_close((dy, dread, dz, dlog, dD.sum((0, 1)), dw.sum((0, 1))), gradients, **close)
