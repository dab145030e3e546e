"""The squared ReLU against the plain one, of any shape and format."""

import pytest
import torch

from nemo_lab.modeling.fused.activation import squared_relu
from nemo_lab.modeling.mlp import squared_relu as plain


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1,), (3, 7), (2, 5, 64)])
def test_squared_relu_equals_the_plain_one(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randn(shape).to(dtype).requires_grad_()
    dout = torch.randn(shape).to(dtype)
    outputs = [f(x) for f in (plain, squared_relu)]
    gradients = [torch.autograd.grad(y, x, dout)[0] for y in outputs]
    rounding = torch.finfo(dtype).eps  # the plain form rounds dout·relu(x) before it doubles it: exactly
    torch.testing.assert_close(*outputs, rtol=rounding, atol=0)
    torch.testing.assert_close(*gradients, rtol=rounding, atol=0)


def test_what_is_no_number_stays_none() -> None:
    x = torch.tensor([torch.nan, torch.inf, -torch.inf])
    torch.testing.assert_close(squared_relu(x), plain(x), equal_nan=True)


def test_a_transposed_input() -> None:
    x = torch.randn(5, 3)
    assert torch.equal(squared_relu(x.t()), plain(x.t()))
