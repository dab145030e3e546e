r"""One token through each kind of layer, fast; `generation.Decoder` strings the layers together.

At batch 1 a model of the lab's size spends its time on two things: reading every weight once, and the few
microseconds that each torch call costs however small its tensors are. So the decoder keeps its own copy of
the weights, in the dtype of the matrix products and in the blocked layout oneDNN wants (packing once saves
the reordering at every call: measured 1.3 ms to 0.75 ms a token at batch 1, more at larger batches), and each
layer is as few calls as the algebra allows:

* The weight of each RMSNorm is folded into the columns of the next matrix, together with sqrt(d):
  W (w ∘ x / sqrt(|x|^2/d + eps)) = [W diag(w) sqrt(d)] (x / sqrt(|x|^2 + d eps)).
* The residual stream carries one more, constant, element sqrt(d eps); the norm of the longer vector is then
  the divisor itself, and a norm costs two calls in place of six.
* q, k and v are one matrix; the queries of one key-value head are rows of one small product, never copies.
* The state is read once a token and rewritten every few tokens; see `cache`.

Left out on purpose: compiled or generated kernels (they need a compiler and start-up time), and precision
recipes, whose weights are read but whose rounding is not imitated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling.attention import Attention
from nemo_lab.modeling.cache import PENDING, AttentionCache, MambaCache
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.mamba2 import Mamba2
from nemo_lab.modeling.mlp import MLP

PACK_BATCH = 16  # rows the packed layout is chosen for; measured best or level from batch 1 to 16
COLUMNS = 64  # of the caches, that the plain products take at a time
SDPA_LIMIT = 4096  # cached keys (batch · kv heads · tokens) from which two plain products beat SDPA in bf16


def packed_linear(weight_OI: Tensor, dtype: torch.dtype, after: str = "none") -> Callable[[Tensor], Tensor]:
    """x -> x W^T with its own copy of the weight, cast and packed once; `after` may be "relu", fused.

    Where oneDNN cannot pack (another device or dtype) it is plain `F.linear`.
    """
    weight = weight_OI.to(dtype, copy=True).contiguous()
    if not _can_pack(weight):
        return (lambda x: F.linear(x, weight).relu_()) if after == "relu" else (lambda x: F.linear(x, weight))
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, PACK_BATCH)
    product = torch.ops.mkldnn._linear_pointwise.default
    return lambda x: product(x, packed, None, after, [], "")  # type: ignore[no-any-return]


def _can_pack(weight: Tensor) -> bool:
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if weight.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32


class Residual:
    """The residual stream with its constant last element, and room for its normalised copy."""

    def __init__(self, batch: int, d: int, eps: float, dtype: torch.dtype, device: torch.device) -> None:
        exact = torch.promote_types(dtype, torch.float32)
        self.extended = torch.full((batch, d + 1), (d * eps) ** 0.5, dtype=exact, device=device)
        self.x = self.extended[:, :d]
        self.u = torch.empty(batch, d, dtype=dtype, device=device)

    def normalised(self) -> Tensor:
        """x / sqrt(|x|^2 + d eps), in the dtype of the matrix products."""
        return torch.div(self.x, torch.linalg.vector_norm(self.extended, dim=1, keepdim=True), out=self.u)


class Place(NamedTuple):
    """Where the batch stands: the column to write, the mask of padding and the rotation of this token."""

    column: int
    mask_B11T: Tensor | None = None
    cos_B1D: Tensor | None = None
    sin_B1D: Tensor | None = None


Step = Callable[[Residual, Any, Place], None]  # adds one layer's output to the residual stream


def step_of(block: Any, batch: int, dtype: torch.dtype) -> Step:
    """The step of a `model.Block`, with its own copy of the block's weights."""
    norm_d = block.norm.weight * len(block.norm.weight) ** 0.5
    if block.kind == "M":
        return _MambaStep(block.mixer, norm_d, batch, dtype)
    return (_MLPStep if block.kind == "-" else _AttentionStep)(block.mixer, norm_d, dtype)


class _MLPStep:
    """The feed-forward layer, W2 relu(W1 u)^2."""

    def __init__(self, mixer: MLP, norm_d: Tensor, dtype: torch.dtype) -> None:
        self.up = packed_linear(mixer.up_proj.weight * norm_d, dtype, "relu")
        self.down = packed_linear(mixer.down_proj.weight, dtype)

    def __call__(self, residual: Residual, cache: None, place: Place) -> None:
        h = self.up(residual.normalised())
        residual.x.add_(self.down(h.mul_(h)))


class _AttentionStep:
    """One attention layer; the new key and value go to column `place.column` of the cache."""

    def __init__(self, mixer: Attention, norm_d: Tensor, dtype: torch.dtype) -> None:
        c = mixer.config
        weights = [mixer.q_proj.weight, mixer.k_proj.weight, mixer.v_proj.weight]
        self.qkv = packed_linear(torch.cat(weights) * norm_d, dtype)
        self.out = packed_linear(mixer.o_proj.weight, dtype)
        self.sizes, self.D = [c.n_heads, c.n_kv_heads, c.n_kv_heads], c.head_dim

    def __call__(self, residual: Residual, cache: AttentionCache, place: Place) -> None:
        qkv = self.qkv(residual.normalised())
        B, t, (H, K, _) = len(qkv), place.column, self.sizes
        q, k, v = qkv.view(B, -1, self.D).split(self.sizes, 1)
        if place.cos_B1D is not None and place.sin_B1D is not None:
            q, k = (_rotate(r, place.cos_B1D, place.sin_B1D) for r in (q, k))
        cache.k_BKTD[:, :, t], cache.v_BKTD[:, :, t] = k, v
        y = _attend(q.reshape(B, K, H // K, self.D), cache, t + 1, place.mask_B11T)
        residual.x.add_(self.out(y.reshape(B, -1)))


def _attend(q_BKJD: Tensor, cache: AttentionCache, length: int, mask_B11T: Tensor | None) -> Tensor:
    """Softmax attention of J query heads to the first `length` keys of their key-value head.

    oneDNN makes code for every new shape, which takes longer than the product. So the plain products take whole
    blocks of columns and hide the rest of the last one.
    """
    B, K, most, _ = cache.k_BKTD.shape
    plain = cache.k_BKTD.dtype == torch.bfloat16 and B * K * length >= SDPA_LIMIT
    stop = min(-(-length // COLUMNS) * COLUMNS, most) if plain else length
    keys, values = cache.k_BKTD[:, :, :stop], cache.v_BKTD[:, :, :stop]
    mask = None if mask_B11T is None else mask_B11T[..., :stop]
    if not plain:
        return F.scaled_dot_product_attention(q_BKJD, keys, values, attn_mask=mask)
    scores = torch.matmul(q_BKJD * q_BKJD.shape[-1] ** -0.5, keys.transpose(2, 3))
    if mask is not None:
        scores += mask
    scores[..., length:] = -torch.inf
    return torch.matmul(scores.softmax(-1), values)


def rotation(position_B: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of `attention.rotary` at one position a row, (B, 1, D) each."""
    half = head_dim // 2
    rate = theta ** (-torch.arange(half, device=position_B.device, dtype=torch.float32) / half)
    angle = (position_B[:, None] * rate)[:, None]
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


def _rotate(t_BHD: Tensor, cos_B1D: Tensor, sin_B1D: Tensor) -> Tensor:
    """Rotary positions; `sin_B1D` carries the sign of the half it multiplies."""
    half = t_BHD.shape[-1] // 2
    return torch.addcmul(t_BHD * cos_B1D, t_BHD.roll(half, -1), sin_B1D).to(t_BHD.dtype)


class _MambaStep:
    """One Mamba-2 layer and one token; the symbols are those of `mamba2` and `cache`."""

    def __init__(self, mixer: Mamba2, norm_d: Tensor, batch: int, dtype: torch.dtype) -> None:
        c = mixer.config
        exact = torch.promote_types(dtype, torch.float32)
        root = (c.d_inner / c.ssm_groups) ** 0.5
        self.in_proj = packed_linear(mixer.in_proj.weight * norm_d, dtype)
        self.out_proj = packed_linear(mixer.out_proj.weight * (mixer.norm_weight * root), dtype)
        taps_K1C = mixer.conv_weight.to(exact).t().contiguous()[:, None]
        self.taps = [taps_K1C.roll(slot + 1, 0) for slot in range(c.conv_width)]  # for each newest slot
        self.bias_C, self.dt_bias, self.D_H = (
            t.to(exact, copy=True) for t in (mixer.conv_bias, mixer.dt_bias, mixer.D)
        )
        self.A_H = -mixer.A_log.to(exact).exp()
        self.dt_min = c.dt_min
        self._make_row(c, batch, exact)
        self._make_reader(c, batch, exact)
        self._make_gate(c, batch, exact, dtype)

    def _make_row(self, c: HybridConfig, B: int, exact: torch.dtype) -> None:
        """Room for [z, x, B, C, dt] and for the convolved [x, B, C], with views of every part made once."""
        G, N, device = c.ssm_groups, c.ssm_state, self.bias_C.device
        self.row = torch.empty(B, c.in_proj_width, dtype=exact, device=device)
        z, self.xBC, self.dt = self.row.split([c.d_inner, c.conv_channels, c.ssm_heads], 1)
        self.z_BGp = z.view(B, G, -1)
        self.tapped = torch.empty(c.conv_width, B, c.conv_channels, dtype=exact, device=device)
        self.mixed = torch.empty(B, c.conv_channels, dtype=exact, device=device)
        x, self.key, query = self.mixed.split([c.d_inner, G * N, G * N], 1)
        self.x_BHP, self.query_BGN = x.view(B, c.ssm_heads, -1), query.view(B, G, N)
        self.query_BG1N = self.query_BGN[:, :, None]

    def _make_reader(self, c: HybridConfig, B: int, exact: torch.dtype) -> None:
        """The row of each head that multiplies its memory: N entries for the state, then the pending ones."""
        G, H, N, Q = c.ssm_groups, c.ssm_heads, c.ssm_state, PENDING
        read = torch.zeros(B, G, H // G, N + Q, dtype=exact, device=self.bias_C.device)
        rows = read.view(B * H, 1, N + Q)
        self.read_state = read[..., :N]
        self.read_until = [rows[..., : N + q + 1] for q in range(Q)]
        self.read_pending = [read[..., N : N + q + 1].permute(3, 0, 1, 2) for q in range(Q)]
        self.read_newest = [read[..., N + q].view(B, H) for q in range(Q)]

    def _make_gate(self, c: HybridConfig, B: int, exact: torch.dtype, dtype: torch.dtype) -> None:
        """Room for y SiLU(z) with the constant element of its norm, as in `Residual`."""
        G, p, device = c.ssm_groups, c.d_inner // c.ssm_groups, self.bias_C.device
        self.gated = torch.full((B, G, p + 1), (p * c.norm_eps) ** 0.5, dtype=exact, device=device)
        self.gated_y = self.gated[..., :p]
        self.normed = torch.empty(B, G, p, dtype=dtype, device=device)
        self.normed_BD = self.normed.flatten(1)

    def __call__(self, residual: Residual, cache: MambaCache, place: Place) -> None:
        self.row.copy_(self.in_proj(residual.normalised()))
        cache.ring_slots[cache.slot].copy_(self.xBC)
        torch.sum(torch.mul(cache.ring_KBC, self.taps[cache.slot], out=self.tapped), 0, out=self.mixed)
        F.silu(self.mixed.add_(self.bias_C), inplace=True)
        self._weigh(cache)
        y_BGp = self._read(cache).view_as(self.z_BGp)
        cache.advance()
        torch.mul(y_BGp, F.silu(self.z_BGp, inplace=True), out=self.gated_y)
        torch.div(self.gated_y, torch.linalg.vector_norm(self.gated, dim=2, keepdim=True), out=self.normed)
        residual.x.add_(self.out_proj(self.normed_BD))

    def _weigh(self, cache: MambaCache) -> None:
        """Decays the weights of what is remembered and gives the new token its weight dt."""
        step = F.softplus(self.dt.add_(self.dt_bias))
        if self.dt_min:
            step.clamp_(min=self.dt_min)
        cache.weight_slots[cache.pending].copy_(step)
        cache.older_weights[cache.pending].mul_(step.mul_(self.A_H).exp_())

    def _read(self, cache: MambaCache) -> Tensor:
        """Puts the token among the pending ones and reads y out of the memory, (B·H, 1, P)."""
        q = cache.pending
        cache.x_slots[q].copy_(self.x_BHP)
        cache.key_slots[q].copy_(self.key)
        scores_QBG1 = (cache.keys_until[q] * self.query_BGN).sum(-1, keepdim=True)
        torch.mul(self.query_BG1N, cache.state_weight, out=self.read_state)
        torch.mul(cache.weights_until[q], scores_QBG1, out=self.read_pending[q])
        self.read_newest[q].add_(self.D_H)
        return torch.bmm(self.read_until[q], cache.memory_until[q])
