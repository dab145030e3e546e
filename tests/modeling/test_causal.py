"""Block-causal attention against torch's own, values and gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling.causal import BLOCK, causal_attention


def reference(q: Tensor, k: Tensor, v: Tensor, document_BL: Tensor | None) -> Tensor:
    """The same by `scaled_dot_product_attention` with an explicit mask."""
    if document_BL is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    mask = (document_BL[:, None, :, None] == document_BL[:, None, None, :]).tril()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)


def inputs(length: int, heads: int, kv_heads: int) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(length)
    shapes = ((2, heads, length, 8), (2, kv_heads, length, 8), (2, kv_heads, length, 8))
    tensors = [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]
    return tensors, (torch.rand(2, length, generator=generator) < 0.05).cumsum(1)


@pytest.mark.parametrize("length", [1, 5, BLOCK, BLOCK + 1, 2 * BLOCK + 37])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("packed", [False, True])
def test_equal_to_torch(length: int, kv_heads: int, packed: bool) -> None:
    tensors, document_BL = inputs(length, 4, kv_heads)
    document = document_BL if packed else None
    ours, theirs = causal_attention(*tensors, document), reference(*tensors, document)
    torch.testing.assert_close(ours, theirs)
    dy = torch.randn_like(ours)
    gradients = (torch.autograd.grad(y, tensors, dy) for y in (ours, theirs))
    for got, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(got, expected)


def test_gradcheck() -> None:
    tensors, document_BL = inputs(9, 2, 1)
    assert torch.autograd.gradcheck(lambda *t: causal_attention(*t, document_BL), tensors)


def test_bfloat16_stays_bfloat16_under_autocast() -> None:
    tensors, _ = inputs(40, 4, 2)
    low = [tensor.detach().bfloat16() for tensor in tensors]
    with torch.autocast("cpu", torch.bfloat16):
        y = causal_attention(*low)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), reference(*tensors, None), rtol=0.05, atol=0.05)
