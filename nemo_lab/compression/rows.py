"""Which rows of a layer's tensors belong to which heads, channels and states, and key-value heads that are merged.

Shapes: Q query heads, K key-value heads, D their channels, H Mamba-2 heads, P their channels, G groups, N states,
d width; m heads that become one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nemo_lab.modeling import HybridConfig


def head_rows(config: HybridConfig, heads: Tensor, channels: Tensor) -> Tensor:
    """Rows of the kept (head, channel) pairs among the H·P inner channels, head by head."""
    return (heads[:, None] * config.ssm_head_dim + channels).flatten()


def state_rows(config: HybridConfig, states_GN: Tensor | None) -> Tensor:
    """Rows of the kept states in the block [B, C], 2·G·N high; None: all of them."""
    G, N = config.ssm_groups, config.ssm_state
    if states_GN is None:
        return torch.arange(2 * G * N)
    rows = (torch.arange(G)[:, None] * N + states_GN).flatten()
    return torch.cat([rows, G * N + rows])


def in_proj_rows(config: HybridConfig, heads: Tensor, channels: Tensor, states_GN: Tensor | None = None) -> Tensor:
    """Rows of `in_proj` that stay: [z, x, B, C, dt]."""
    rows, D = head_rows(config, heads, channels), config.d_inner
    shared = 2 * D + state_rows(config, states_GN)
    return torch.cat([rows, D + rows, shared, D + config.conv_channels + heads])


def conv_rows(config: HybridConfig, heads: Tensor, channels: Tensor, states_GN: Tensor | None = None) -> Tensor:
    """Channels of the convolution that stay: [x, B, C]."""
    return torch.cat([head_rows(config, heads, channels), config.d_inner + state_rows(config, states_GN)])


def query_rows(config: HybridConfig, queries: Tensor) -> Tensor:
    """Rows of `q_proj`, or columns of `o_proj`, of the kept query heads."""
    return (queries[:, None] * config.head_dim + torch.arange(config.head_dim)).flatten()


def merged(weight: Tensor, keys_Km: Tensor, head_dim: int) -> Tensor:
    """A key or value projection, (K·D, d), whose head j is the mean of the heads `keys_Km[j]`: (K'·D, d)."""
    heads = weight.unflatten(0, (-1, head_dim))
    return heads[keys_Km].mean(1).flatten(0, 1)


def in_place(weight: Tensor, keys_Km: Tensor, head_dim: int) -> Tensor:
    """The same in the parent's shape: each head is the mean that it went into; a head that went into none is zero."""
    full = torch.zeros_like(weight).unflatten(0, (-1, head_dim))
    means = merged(weight, keys_Km, head_dim).unflatten(0, (-1, head_dim))
    full[keys_Km.flatten()] = means.repeat_interleave(keys_Km.shape[1], 0)
    return full.flatten(0, 1)
