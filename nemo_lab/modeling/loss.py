"""Cross-entropy of a linear head, a slice of tokens at a time.

The logits are the largest tensor of a small model (tokens x vocabulary). Here only a slice of them lives at
a time: the forward pass keeps the log-sum-exp of each token, and the backward pass makes the slice again
and turns it into its gradient in place. The plain form is `F.cross_entropy(hidden @ head.T, targets)`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nemo_lab.modeling import kernels

SLICE = 512  # tokens; at 4,096 words a slice of logits stays inside the cache


def linear_cross_entropy(hidden_Td: Tensor, head_Vd: Tensor, targets_T: Tensor, backend: str = "auto") -> Tensor:
    """Losses in nats, (T,), zero where the target is -100; runs in the autocast dtype like any product.

    `backend` "numba" takes the kernels of `fused.cross_entropy` where `kernels.fused` says so.
    """
    dtype, fused = kernels.product_dtype(hidden_Td), kernels.fused(backend, hidden_Td)
    with torch.autocast(hidden_Td.device.type, enabled=False):
        return _LinearCrossEntropy.apply(hidden_Td.to(dtype), head_Vd.to(dtype), targets_T, fused)  # type: ignore[no-any-return]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_Td: Tensor, head_Vd: Tensor, targets_T: Tensor, fused: bool) -> Tensor:
        exact = torch.promote_types(hidden_Td.dtype, torch.float32)
        losses = torch.empty(len(targets_T), dtype=exact, device=targets_T.device)
        norms = torch.empty_like(losses)
        valid = targets_T != -100
        targets = targets_T.masked_fill(~valid, 0)
        for start in range(0, len(targets), SLICE):
            span = slice(start, start + SLICE)
            logits = torch.mm(hidden_Td[span], head_Vd.t())
            _log_sum_exp(logits, norms[span], fused)
            losses[span] = norms[span] - logits.gather(1, targets[span, None]).squeeze(1).to(exact)
        ctx.save_for_backward(hidden_Td, head_Vd, targets, valid, norms)
        ctx.fused = fused
        return losses.masked_fill_(~valid, 0)

    @staticmethod
    def backward(ctx: Any, dlosses_T: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        hidden_Td, head_Vd, targets, valid, norms = ctx.saved_tensors
        scale = dlosses_T * valid
        dhidden, dhead = torch.empty_like(hidden_Td), torch.zeros_like(head_Vd, dtype=norms.dtype)
        for start in range(0, len(targets), SLICE):
            span = slice(start, start + SLICE)
            logits = torch.mm(hidden_Td[span], head_Vd.t())
            dlogits = _logits_gradient(logits, norms[span], targets[span], scale[span], ctx.fused)
            dhidden[span] = torch.mm(dlogits, head_Vd)
            dhead += torch.mm(dlogits.t(), hidden_Td[span])
        return dhidden, dhead.to(head_Vd.dtype), None, None


def _log_sum_exp(logits_TV: Tensor, norms_T: Tensor, fused: bool) -> None:
    """Fills norms with log sum_v exp(logits_v)."""
    if not fused:
        torch.logsumexp(logits_TV.to(norms_T.dtype), -1, out=norms_T)
        return
    from nemo_lab.modeling.fused.cross_entropy import log_sum_exp

    log_sum_exp(logits_TV, norms_T)


def _logits_gradient(logits_TV: Tensor, norms_T: Tensor, targets_T: Tensor, scale_T: Tensor, fused: bool) -> Tensor:
    """scale (softmax(logits) - one at the target), in the dtype of the logits, which it may overwrite."""
    if not fused:
        p = logits_TV.to(norms_T.dtype).sub_(norms_T[:, None]).exp_()
        p.scatter_add_(1, targets_T[:, None], p.new_full((len(p), 1), -1.0))
        return p.mul_(scale_T[:, None]).to(logits_TV.dtype)
    from nemo_lab.modeling.fused.cross_entropy import logits_gradient

    logits_gradient(norms_T, targets_T, scale_T, logits_TV)
    return logits_TV
