"""One number: all patterns of bfloat16, rounding, the exponential, and what is not a number."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from nemo_lab.modeling.fused.compiled import kernel
from nemo_lab.modeling.fused.elements import exp, put, read, relu, sigmoid

ODD = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-40])


@kernel
def copied(worker, workers, x, out):
    for i in range(worker, x.size, workers):
        put(out, i, read(x[i]))


@kernel
def exponentials(worker, workers, x, out):
    for i in range(worker, x.size, workers):
        put(out, i, exp(x[i]))


@kernel
def sigmoids(worker, workers, x, out):
    for i in range(worker, x.size, workers):
        put(out, i, sigmoid(x[i]))


@kernel
def rectified(worker, workers, x, out):
    for i in range(worker, x.size, workers):
        put(out, i, relu(x[i]))


def applied(function: Callable[[Tensor, Tensor], None], x: Tensor, dtype: torch.dtype) -> Tensor:
    out = torch.empty(x.shape, dtype=dtype)
    function(x, out)
    return out


def test_every_bfloat16_is_read() -> None:
    every = torch.arange(2**16).to(torch.uint16).view(torch.bfloat16)
    torch.testing.assert_close(applied(copied, every, torch.float32), every.float(), rtol=0, atol=0, equal_nan=True)


def test_rounding_is_torchs() -> None:
    """To nearest, and to even in the middle between two."""
    bits = torch.randint(-(2**31), 2**31, (100_000,)).int()
    halves = (torch.arange(2**16) * 2**16 + 2**15 - 2**31).int()
    x = torch.cat([ODD, torch.cat([bits, halves, halves + 1, halves - 1]).view(torch.float32)])
    x = x[~x.isnan() | (torch.arange(len(x)) < len(ODD))]
    torch.testing.assert_close(applied(copied, x, torch.bfloat16), x.bfloat16(), rtol=0, atol=0, equal_nan=True)


def test_exponential() -> None:
    x = torch.cat([torch.linspace(-87, 88, 200_001), torch.linspace(-1, 1, 100_001)])
    exact = x.double().exp()
    assert ((applied(exponentials, x, torch.float32) - exact) / exact).abs().max() < 3 * 2**-23
    torch.testing.assert_close(applied(exponentials, x.double(), torch.float64), exact, rtol=1e-15, atol=0)


def test_ends_of_the_exponential() -> None:
    """Below what float32 holds it is next to 0, above it large, and NaN stays."""
    nan, high, low, *_ = applied(exponentials, ODD, torch.float32).tolist()
    assert nan != nan
    assert high > 1e38
    assert 0 <= low < 1e-37


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sigmoid_and_relu(dtype: torch.dtype) -> None:
    x = torch.cat([torch.linspace(-30, 30, 10_001), ODD]).to(dtype)
    torch.testing.assert_close(applied(sigmoids, x, dtype), x.sigmoid(), rtol=1e-6, atol=1e-37, equal_nan=True)
    torch.testing.assert_close(applied(rectified, x, dtype), x.relu(), rtol=0, atol=0, equal_nan=True)
