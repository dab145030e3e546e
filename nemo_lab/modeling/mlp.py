"""The feed-forward layer: two matrices around a squared ReLU, W2 relu(W1 x)^2 (Nemotron-H, section 2.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.modeling import kernels
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.linear import Linear


class _SquaredReLU(torch.autograd.Function):
    """relu(x)^2, keeping relu(x) alone: its derivative is 2 relu(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rectified = torch.relu(x)
        ctx.save_for_backward(rectified)
        return rectified * rectified

    @staticmethod
    def backward(ctx: Any, dout: Tensor) -> Tensor:  # type: ignore[override]
        (rectified,) = ctx.saved_tensors
        return torch.mul(dout, rectified).mul_(2)


def squared_relu(x: Tensor) -> Tensor:
    """relu(x)^2, of any shape."""
    return _SquaredReLU.apply(x)  # type: ignore[no-any-return]


class MLP(nn.Module):
    """One feed-forward mixer: (…, d_model) in and out."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.backend = "auto"  # of the activation, see `kernels`
        self.up_proj = Linear(config.d_model, config.d_ff, bias=False)
        self.down_proj = Linear(config.d_ff, config.d_model, bias=False)

    def forward(self, u_BLd: Tensor) -> Tensor:
        """(B, L, d) -> (B, L, d)."""
        return self.down_proj(self._activation(self.up_proj(u_BLd)))

    def _activation(self, x: Tensor) -> Tensor:
        if not kernels.fused(self.backend, x):
            return squared_relu(x)
        from nemo_lab.modeling.fused import activation

        return activation.squared_relu(x)
