"""Cross-entropy of a linear head, a slice of tokens at a time.

The logits are the largest tensor of a small model (tokens x vocabulary). Here only a slice of them lives at
a time: the forward pass keeps the log-sum-exp of each token, and the backward pass makes the slice again
and turns it into its gradient in place. The plain form is `F.cross_entropy(hidden @ head.T, targets)`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SLICE = 512  # tokens; at 4,096 words a slice of logits stays inside the cache


def linear_cross_entropy(hidden_Td: Tensor, head_Vd: Tensor, targets_T: Tensor) -> Tensor:
    """Losses in nats, (T,), zero where the target is -100; runs in the autocast dtype like any product."""
    device = hidden_Td.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden_Td.dtype
    with torch.autocast(device, enabled=False):
        return _LinearCrossEntropy.apply(hidden_Td.to(dtype), head_Vd.to(dtype), targets_T)  # type: ignore[no-any-return]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_Td: Tensor, head_Vd: Tensor, targets_T: Tensor) -> Tensor:
        exact = torch.promote_types(hidden_Td.dtype, torch.float32)
        losses = torch.empty(len(targets_T), dtype=exact, device=targets_T.device)
        norms = torch.empty_like(losses)
        valid = targets_T != -100
        targets = targets_T.masked_fill(~valid, 0)
        for start in range(0, len(targets), SLICE):
            span = slice(start, start + SLICE)
            logits = torch.mm(hidden_Td[span], head_Vd.t()).to(exact)
            norms[span] = torch.logsumexp(logits, -1)
            losses[span] = norms[span] - logits.gather(1, targets[span, None]).squeeze(1)
        ctx.save_for_backward(hidden_Td, head_Vd, targets, valid, norms)
        return losses.masked_fill_(~valid, 0)

    @staticmethod
    def backward(ctx: Any, dlosses_T: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        hidden_Td, head_Vd, targets, valid, norms = ctx.saved_tensors
        scale = (dlosses_T * valid)[:, None]
        dhidden, dhead = torch.empty_like(hidden_Td), torch.zeros_like(head_Vd, dtype=norms.dtype)
        for start in range(0, len(targets), SLICE):
            span = slice(start, start + SLICE)
            p = torch.mm(hidden_Td[span], head_Vd.t()).to(norms.dtype).sub_(norms[span, None]).exp_()
            p.scatter_add_(1, targets[span, None], torch.full_like(scale[span], -1.0))
            dlogits = p.mul_(scale[span]).to(hidden_Td.dtype)
            dhidden[span] = torch.mm(dlogits, head_Vd)
            dhead += torch.mm(dlogits.t(), hidden_Td[span])
        return dhidden, dhead.to(head_Vd.dtype), None
