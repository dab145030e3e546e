"""Grouped-query self-attention, without positions in the hybrids and with RoPE in the Transformer control.

Nemotron-H (section 2.1) gives its few attention layers no position embedding: the Mamba-2 layers below
already order the tokens. A Transformer without any positions would be crippled, so the control, as the
paper's Nemotron-T, has rotary positions (`rope_theta` > 0), counted from the start of each document.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.modeling import kernels
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.linear import Linear


def rotary(t_BHLD: Tensor, position_BL: Tensor, theta: float) -> Tensor:
    """Rotates pairs (i, i + D/2) by position · theta^(-2i/D) (RoFormer, arXiv 2104.09864, in Llama's layout)."""
    half = t_BHLD.shape[-1] // 2
    rate = theta ** (-torch.arange(half, device=t_BHLD.device, dtype=torch.float32) / half)
    angle = (position_BL[..., None] * rate)[:, None]
    cos, sin = angle.cos().to(t_BHLD.dtype), angle.sin().to(t_BHLD.dtype)
    a, b = t_BHLD[..., :half], t_BHLD[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def positions(document_BL: Tensor | None, B: int, L: int, device: torch.device) -> Tensor:
    """Position of every token within its document, (B, L)."""
    index = torch.arange(L, device=device).expand(B, L)
    if document_BL is None:
        return index
    starts = torch.ones_like(document_BL, dtype=torch.bool)
    starts[:, 1:] = document_BL[:, 1:] != document_BL[:, :-1]
    return index - torch.where(starts, index, 0).cummax(1).values


class Attention(nn.Module):
    """One attention mixer: (B, L, d_model) in and out."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        self.backend = "auto"  # see `kernels`
        queries, keys = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
        self.q_proj = Linear(config.d_model, queries, bias=False)
        self.k_proj = Linear(config.d_model, keys, bias=False)
        self.v_proj = Linear(config.d_model, keys, bias=False)
        self.o_proj = Linear(queries, config.d_model, bias=False)

    def project(self, u_BLd: Tensor, position_BL: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Queries BHLD, keys and values BKLD, rotated where the model has positions."""
        q, k, v = (
            proj(u_BLd).unflatten(-1, (-1, self.config.head_dim)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.config.rope_theta and position_BL is not None:
            q, k = (rotary(t, position_BL, self.config.rope_theta) for t in (q, k))
        return q, k, v

    def forward(self, u_BLd: Tensor, document_BL: Tensor | None = None, cache: Any = None) -> Tensor:
        """Attends to earlier tokens of the same document. `cache` (see `generation`) receives keys and values."""
        B, L, _ = u_BLd.shape
        position_BL = positions(document_BL, B, L, u_BLd.device) if self.config.rope_theta else None
        q, k, v = self.project(u_BLd, position_BL)
        if cache is not None:
            cache.store(k, v)
        y_BHLD = kernels.attention(q, k, v, document_BL, self.backend)
        return self.o_proj(y_BHLD.transpose(1, 2).flatten(2))
