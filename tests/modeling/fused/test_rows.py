"""The shared loops over a row, against torch, in every format."""

import pytest
import torch

from nemo_lab.modeling.fused import rows
from nemo_lab.modeling.fused.compiled import kernel

DTYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])


@kernel
def every_loop(worker, workers, x, y, factor, stored, product, added, sums, slope, silu):
    if worker == 0:
        rows.store(x, stored)
        rows.store_product(x, factor, product)
        rows.add_product(factor, y, factor, added)
        sums[0] = rows.dot(factor, y)
        rows.silu_and_slope(factor, slope, silu)


@DTYPES
@pytest.mark.parametrize("size", [1, 7, 64, 100])
def test_loops_over_a_row(size: int, dtype: torch.dtype) -> None:
    exact = torch.promote_types(dtype, torch.float32)
    x, y = torch.randn(2, size).to(dtype)
    factor = torch.randn(size).to(exact).requires_grad_()
    stored, product = torch.empty(2, size, dtype=dtype)
    added, slope, silu = torch.ones(3, size, dtype=exact)
    sums = torch.empty(1, dtype=exact)
    every_loop(x, y, factor, stored, product, added, sums, slope, silu)
    plain = torch.nn.functional.silu(factor)
    (gradient,) = torch.autograd.grad(plain.sum(), factor)
    assert torch.equal(stored, x)
    assert torch.equal(product, (x.to(exact) * factor).to(dtype))
    close = {"rtol": 1e-5, "atol": 1e-5} if exact == torch.float32 else {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(added, 1 + factor.detach() ** 2 * y.to(exact), **close)
    torch.testing.assert_close(sums[0], (factor.detach() * y.to(exact)).sum(), **close)
    torch.testing.assert_close(silu, plain.detach(), **close)
    torch.testing.assert_close(slope, gradient, **close)
