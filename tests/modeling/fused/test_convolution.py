"""The convolution's kernels against `causal_conv_silu`, which they must equal chunk by chunk."""

import pytest
import torch
from torch import Tensor

from nemo_lab.modeling.fused import convolution
from nemo_lab.modeling.fused.mixer import ages
from nemo_lab.modeling.mamba2 import causal_conv_silu
from nemo_lab.modeling.ssd import to_chunks

CHUNK = 8


def in_chunks(t_CBL: Tensor, heads: int) -> Tensor:
    """(heads·channels, B, L) -> (B, c, heads, channels, Q)."""
    return to_chunks(t_CBL.unflatten(0, (heads, -1)).movedim(2, 0), CHUNK, t_CBL.dtype)


def inputs(length: int, width: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Rows of 2 x 3 channels, weights, and documents."""
    shapes = ((6, 2, length), (6, width), (6,))
    x, w, b = (torch.randn(shape, dtype=torch.float64).to(dtype).requires_grad_() for shape in shapes)
    return x, w, b, torch.randint(0, 2, (2, length)).cumsum(1)


SWEEP = [
    pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)]),
    pytest.mark.parametrize("width", [1, 2, 4]),
    pytest.mark.parametrize("length", [1, 3, 16, 21]),
]


def swept(test):
    for mark in SWEEP:
        test = mark(test)
    return test


@swept
def test_shared_rows(length: int, width: int, dtype: torch.dtype, tolerance: float) -> None:
    x, w, b, document_BL = inputs(length, width, dtype)
    expected = in_chunks(causal_conv_silu(x, w, b, document_BL), 2)
    given = (x, w, b, ages(document_BL))
    out = torch.full_like(expected, torch.nan)
    convolution.convolve_shared(*given, out)
    dout = in_chunks(torch.randn_like(x), 2)
    dx, dw, db = torch.full_like(x, torch.nan), w.new_empty(6, 2, width), w.new_empty(6, 2)
    convolution.convolve_shared_backward(dout, *given, dx, dw, db)
    close = {"rtol": tolerance, "atol": 10 * tolerance}
    torch.testing.assert_close(out, expected.detach(), **close)
    gradients = torch.autograd.grad(expected, (x, w, b), dout)
    torch.testing.assert_close((dx, dw.sum(1), db.sum(1)), gradients, **close)


@swept
def test_rows_of_the_heads(length: int, width: int, dtype: torch.dtype, tolerance: float) -> None:
    """y, dt y and its decayed form, each with a gradient, and the skip D y."""
    x, w, b, document_BL = inputs(length, width, dtype)
    y = in_chunks(causal_conv_silu(x, w, b, document_BL), 2)
    dt, log_decay = (torch.rand(*y.shape[:3], CHUNK).to(dtype).requires_grad_() for _ in range(2))
    D, to_end = torch.randn(2, dtype=dtype), log_decay.exp()
    expected = (y, dt[..., None, :] * y, (dt * to_end)[..., None, :] * y)
    given = (x, w, b, ages(document_BL))
    found = tuple(torch.full_like(t, torch.nan) for t in expected)
    convolution.convolve_heads(*given, dt, dt * to_end, *found)
    dy, dyd, dleft = (in_chunks(torch.randn_like(x), 2) for _ in range(3))
    total = (expected[0] * D[:, None, None] * dy + expected[1] * dyd + expected[1] * to_end[..., None, :] * dleft).sum()
    dx, dw, db = torch.full_like(x, torch.nan), w.new_empty(6, 2, width), w.new_empty(6, 2)
    ddt, dlog = torch.full_like(dt, torch.nan), torch.full_like(dt, torch.nan)
    into = (dx, dw, db, ddt, dlog)
    convolution.convolve_heads_backward(dy, dyd, dleft, D, dt, to_end, dt * to_end, *given, *into)
    close = {"rtol": tolerance, "atol": 10 * tolerance}
    torch.testing.assert_close(found, tuple(t.detach() for t in expected), **close)
    gradients = torch.autograd.grad(total, (x, w, b, dt, log_decay))
    torch.testing.assert_close((dx, dw.sum(1), db.sum(1), ddt, dlog), gradients, **close)


def test_rows_are_deaf_to_other_documents() -> None:
    """Not even a NaN of the neighbour gets through."""
    x, w, b, _ = inputs(21, 4, torch.float32)
    document_BL = (torch.arange(21) >= 5).long().expand(2, 21).contiguous()
    outs = []
    for row in (x, x.detach().masked_fill(document_BL == 0, torch.nan)):
        outs.append(torch.empty(2, 3, 2, 3, CHUNK))
        convolution.convolve_shared(row, w, b, ages(document_BL), outs[-1])
    assert torch.equal(outs[0][:, 0, ..., 5:], outs[1][:, 0, ..., 5:])
    assert torch.equal(outs[0][:, 1:], outs[1][:, 1:])
