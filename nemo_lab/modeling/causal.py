r"""Causal grouped-query attention for CPU training, by blocks of queries.

    y_i = sum_{j <= i} softmax_j(q_i . k_j / sqrt(D)) v_j          within the document of i

A block of queries meets only the keys up to its own end, so the upper triangle is never computed beyond
the diagonal blocks; the query heads that share a key head are stacked into one matrix product; and the
probabilities are kept for the backward pass. On two CPU cores in bfloat16, at the sizes of these
notebooks, forward and backward together take less than half the time of
`scaled_dot_product_attention`, which must agree (tests/modeling/test_attention.py).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 128  # queries a block
LONGEST_KEPT = 2048  # tokens; beyond, probabilities kept for the backward pass would fill the memory


def causal_attention(q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, document_BL: Tensor | None = None) -> Tensor:
    """Attention of every query to the earlier keys of its document; returns BHLD."""
    with torch.autocast(q_BHLD.device.type, enabled=False):  # or softmax would widen to float32
        return _CausalAttention.apply(q_BHLD, k_BKLD, v_BKLD, document_BL)  # type: ignore[no-any-return]


def _stack(t_BHLD: Tensor, heads: int) -> Tensor:
    """(B, H, l, D) -> (B·K, J·l, D): the J = H/K query heads of a key head one under another."""
    B, H, length, D = t_BHLD.shape
    return t_BHLD.reshape(B * heads, H // heads * length, D)


def _hidden_pairs(start: int, stop: int, document_BL: Tensor | None, device: torch.device) -> Tensor:
    """True where a query of the block must not see a key, (B or 1, 1, 1, l, stop)."""
    query = torch.arange(start, stop, device=device)
    hidden = query[:, None] < torch.arange(stop, device=device)
    if document_BL is None:
        return hidden[None, None, None]
    other = document_BL[:, start:stop, None] != document_BL[:, None, :stop]
    return (hidden | other)[:, None, None]


class _CausalAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, document_BL: Tensor | None) -> Tensor:
        B, H, L, D = q.shape
        K = k.shape[1]
        k_, v_ = k.reshape(B * K, L, D), v.reshape(B * K, L, D)
        y, weights = torch.empty_like(q, memory_format=torch.contiguous_format), []
        for start in range(0, L, BLOCK):
            stop = min(start + BLOCK, L)
            scores = torch.bmm(_stack(q[:, :, start:stop] * D**-0.5, K), k_[:, :stop].transpose(1, 2))
            split = scores.view(B, K, -1, stop - start, stop)
            if document_BL is None:  # only the diagonal block has something to hide
                split[..., start:].masked_fill_(_hidden_pairs(start, stop, None, q.device)[..., start:], -torch.inf)
            else:
                split.masked_fill_(_hidden_pairs(start, stop, document_BL, q.device), -torch.inf)
            weights.append(torch.softmax(scores, -1))
            y[:, :, start:stop] = torch.bmm(weights[-1], v_[:, :stop]).view(B, H, stop - start, D)
        ctx.save_for_backward(q, k_, v_, y, *weights)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        q, k_, v_, y, *weights = ctx.saved_tensors
        B, H, L, D = q.shape
        K = k_.shape[0] // B
        dq = torch.empty_like(q, memory_format=torch.contiguous_format)
        exact = torch.promote_types(q.dtype, torch.float32)
        dk, dv = torch.zeros_like(k_, dtype=exact), torch.zeros_like(v_, dtype=exact)
        delta = (dy * y).sum(-1, keepdim=True)
        for start, p in zip(range(0, L, BLOCK), weights, strict=True):
            stop = min(start + BLOCK, L)
            dy_, q_ = _stack(dy[:, :, start:stop], K), _stack(q[:, :, start:stop] * D**-0.5, K)
            dv[:, :stop] += torch.bmm(p.transpose(1, 2), dy_)
            dscores = torch.bmm(dy_, v_[:, :stop].transpose(1, 2))
            dscores.sub_(_stack(delta[:, :, start:stop], K)).mul_(p)
            dq[:, :, start:stop] = (torch.bmm(dscores, k_[:, :stop]) * D**-0.5).view(B, H, stop - start, D)
            dk[:, :stop] += torch.bmm(dscores.transpose(1, 2), q_)
        return dq, dk.to(q.dtype).view(B, K, L, D), dv.to(q.dtype).view(B, K, L, D), None


def self_attention(q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, document_BL: Tensor | None) -> Tensor:
    """Causal attention within documents: our blocks where a CPU trains, else torch's fused kernel."""
    L = q_BHLD.shape[2]
    if q_BHLD.device.type == "cpu" and torch.is_grad_enabled() and L <= LONGEST_KEPT:
        return causal_attention(q_BHLD, k_BKLD, v_BKLD, document_BL)
    mask = None
    if document_BL is not None:
        mask = (document_BL[:, None, :, None] == document_BL[:, None, None, :]).tril()
    return F.scaled_dot_product_attention(
        q_BHLD, k_BKLD, v_BKLD, attn_mask=mask, is_causal=mask is None, enable_gqa=True
    )
