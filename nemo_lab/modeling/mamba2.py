r"""The Mamba-2 layer of the Nemotron hybrids (Nemotron-H section 2.1; Mamba-2, arXiv 2405.21060, section 7).

    [z, x, B, C, dt] = W_in u                     one projection, in this order
    [x, B, C] = SiLU(conv([x, B, C]))             depthwise causal convolution over `conv_width` tokens
    dt = softplus(dt + dt_bias), A = -exp(A_log)  per head
    y = SSD(x, dt, A, B, C) + D x                 see `ssd`; B and C are shared by the heads of a group
    y = RMSNorm(y SiLU(z)) w                      gate first, then one norm for each group
    out = W_out y

Everything between the two projections runs channel-first, (channels, batch, length): the projection
writes that layout for free (W_in u^T instead of u W_in^T), the convolution becomes `conv_width` shifted
multiply-adds over contiguous memory, and B, C and the decays need no transposition. Convolution and gated
norm have hand-written backward passes: few sweeps over memory, all sums and exponentials in float32.
(`fused.mixer` is the same with still fewer sweeps, where it is chosen.)
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nemo_lab.modeling import kernels
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.linear import Linear, wide


def gated_rms_norm(y_BLD: Tensor, z_BLD: Tensor, weight_D: Tensor, groups: int, eps: float) -> Tensor:
    """RMSNorm of y·SiLU(z) within each of `groups` equal slices of the channels, times the weight.

    The plain form, token-major; the layer trains with `_GatedNorm`, which must equal it.
    """
    u = y_BLD.float() * F.silu(z_BLD.float())
    u = F.rms_norm(u.unflatten(-1, (groups, -1)), (u.shape[-1] // groups,), None, eps).flatten(-2)
    return (u * weight_D).to(y_BLD.dtype)


class _GatedNorm(torch.autograd.Function):
    """`gated_rms_norm` on channel-first tensors (D, T)."""

    @staticmethod
    def forward(ctx: Any, y_DT: Tensor, z_DT: Tensor, weight_D: Tensor, groups: int, eps: float) -> Tensor:
        u = F.silu(wide(z_DT)).mul_(wide(y_DT))
        u_GDT = u.view(groups, -1, u.shape[-1])
        rstd_GT = (u_GDT * u_GDT).mean(1).add_(eps).rsqrt_()
        ctx.save_for_backward(y_DT, z_DT, weight_D, rstd_GT)
        return u_GDT.mul_(rstd_GT[:, None]).view_as(u).mul_(weight_D[:, None]).to(y_DT.dtype)

    @staticmethod
    def backward(ctx: Any, dout_DT: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        y_DT, z_DT, weight_D, rstd_GT = ctx.saved_tensors
        G, T = rstd_GT.shape
        y, z, dout = wide(y_DT), wide(z_DT), wide(dout_DT)
        gate = torch.sigmoid(z)
        silu = z * gate
        n = torch.mul(silu, y).view(G, -1, T).mul_(rstd_GT[:, None])  # the normalised value
        scratch = torch.mul(n.view_as(dout), dout)
        dweight = scratch.sum(1)
        mean_GT = scratch.mul_(weight_D[:, None]).view_as(n).mean(1)
        du = torch.mul(dout, weight_D[:, None], out=scratch).view_as(n)
        du.addcmul_(n, mean_GT[:, None], value=-1).mul_(rstd_GT[:, None])
        du = du.view_as(dout)
        dsilu = torch.sub(z, silu).add_(1).mul_(gate)  # SiLU'(z) = gate (1 + z - SiLU(z))
        dz = dsilu.mul_(y).mul_(du)
        return silu.mul_(du).to(y_DT.dtype), dz.to(z_DT.dtype), dweight.to(weight_D.dtype), None, None


def causal_conv_silu(x_CBL: Tensor, weight_CK: Tensor, bias_C: Tensor, document_BL: Tensor | None = None) -> Tensor:
    """SiLU of the depthwise causal convolution, channel-first; taps never reach into another document.

    y_t = SiLU(bias + sum_k weight[K-1-k] x_{t-k}) over the k < K with t-k in the same row and document.
    """
    with torch.autocast(x_CBL.device.type, enabled=False):
        return _ConvSiLU.apply(x_CBL, weight_CK, bias_C, document_BL)  # type: ignore[no-any-return]


def _leaks(document_BL: Tensor | None, width: int) -> list[Tensor]:
    """For each shift k = 1 … width-1, the (row, column) pairs whose tap k lies in an earlier document."""
    if document_BL is None:
        return [torch.empty(0, 2, dtype=torch.long)] * (width - 1)
    shifts = range(1, min(width, document_BL.shape[1]))
    return [(document_BL[:, k:] != document_BL[:, :-k]).nonzero() for k in shifts]


class _ConvSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_CBL: Tensor, weight_CK: Tensor, bias_C: Tensor, document_BL: Tensor | None) -> Tensor:
        leaks = _leaks(document_BL, weight_CK.shape[1])
        u = _convolve(wide(x_CBL), wide(weight_CK), bias_C, leaks)
        ctx.save_for_backward(x_CBL, u, weight_CK, bias_C, *leaks)
        return F.silu(u).to(x_CBL.dtype)

    @staticmethod
    def backward(ctx: Any, dout_CBL: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_CBL, u, weight_CK, bias_C, *leaks = ctx.saved_tensors
        x, w = wide(x_CBL), wide(weight_CK)
        du = torch.ops.aten.silu_backward(wide(dout_CBL), u)
        scratch = du * x
        dx, dw = du * w[:, -1:, None], [scratch.sum((1, 2))]
        for k, pairs in zip(range(1, w.shape[1]), leaks, strict=False):
            row, column = pairs.unbind(1)
            kept = dx[:, row, column]
            dx[..., :-k].addcmul_(du[..., k:], w[:, -1 - k, None, None])
            dx[:, row, column] = kept
            product = torch.mul(du[..., k:], x[..., :-k], out=scratch[..., k:])
            product[:, row, column] = 0
            dw.append(product.sum((1, 2)))
        dw += [torch.zeros_like(dw[0])] * (w.shape[1] - len(dw))
        dweight = torch.stack(dw[::-1], dim=1).to(weight_CK.dtype)
        return dx.to(x_CBL.dtype), dweight, du.sum((1, 2)).to(bias_C.dtype), None


def _convolve(x_CBL: Tensor, w_CK: Tensor, bias_C: Tensor, leaks: list[Tensor]) -> Tensor:
    """The convolution as shifted multiply-adds; where a tap of `leaks` crosses documents, the sum stays as it was.

    (Taking such taps out again would leave their rounding error behind: a leak, if a tiny one.)
    """
    u = torch.mul(x_CBL, w_CK[:, -1:, None]).add_(bias_C[:, None, None])
    for k, pairs in zip(range(1, w_CK.shape[1]), leaks, strict=False):
        if k >= x_CBL.shape[-1]:
            break
        row, column = pairs.unbind(1)
        kept = u[:, row, column + k]
        u[..., k:].addcmul_(x_CBL[..., :-k], w_CK[:, -1 - k, None, None])
        u[:, row, column + k] = kept
    return u


class Mamba2(nn.Module):
    """One Mamba-2 mixer: (B, L, d_model) in and out."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        self.backend = "auto"  # of the scan, or of all between the projections: see `kernels`
        self.in_proj = Linear(config.d_model, config.in_proj_width, bias=False)
        self.conv_weight = nn.Parameter(torch.empty(config.conv_channels, config.conv_width))
        self.conv_bias = nn.Parameter(torch.empty(config.conv_channels))
        self.dt_bias = nn.Parameter(torch.empty(config.ssm_heads))
        self.A_log = nn.Parameter(torch.empty(config.ssm_heads))
        self.D = nn.Parameter(torch.empty(config.ssm_heads))
        self.norm_weight = nn.Parameter(torch.empty(config.d_inner))
        self.out_proj = Linear(config.d_inner, config.d_model, bias=False)

    @torch.no_grad()
    def init_state_space(self, generator: torch.Generator) -> None:
        """Published start values: dt log-uniform in [time_step_min, time_step_max], A = -U(1, 16), D = 1."""
        c = self.config
        low, high = math.log(c.time_step_min), math.log(c.time_step_max)
        dt = torch.empty_like(self.dt_bias).uniform_(low, high, generator=generator).exp().clamp_(min=c.time_step_floor)
        self.dt_bias.copy_(dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
        self.A_log.copy_(torch.empty_like(self.A_log).uniform_(1, 16, generator=generator).log())
        bound = c.conv_width**-0.5
        for parameter in (self.conv_weight, self.conv_bias):
            parameter.uniform_(-bound, bound, generator=generator)
        self.D.fill_(1.0)
        self.norm_weight.fill_(1.0)

    def forward(self, u_BLd: Tensor, document_BL: Tensor | None = None, cache: Any = None) -> Tensor:
        """Mixes along the sequence. `cache` (see `generation`) receives the state after the last token."""
        c = self.config
        B, L, d = u_BLd.shape
        projected = self.in_proj.channel_first(u_BLd.reshape(B * L, d))
        if cache is None and kernels.fused(self.backend, projected):
            return self.out_proj(self._fused(projected, document_BL, B).t()).view(B, L, d)
        z, xBC, dt = projected.split([c.d_inner, c.conv_channels, c.ssm_heads])
        xBC = xBC.view(-1, B, L)
        mixed = causal_conv_silu(xBC, self.conv_weight, self.conv_bias, document_BL)
        x, Bm, Cm = mixed.split([c.d_inner, c.ssm_groups * c.ssm_state, c.ssm_groups * c.ssm_state])
        y, state = kernels.ssd(
            _heads(x, c.ssm_heads),
            self._step_sizes(dt).view(-1, B, L).movedim(1, 0),
            -torch.exp(wide(self.A_log)),
            _heads(Bm, c.ssm_groups),
            _heads(Cm, c.ssm_groups),
            self.D,
            c.chunk,
            document_BL,
            self.backend,
        )
        if cache is not None:
            cache.store(xBC, state)
        y_DT = y.permute(1, 2, 0, 3).reshape(c.d_inner, B * L)
        y_DT = _GatedNorm.apply(y_DT, z, self.norm_weight, c.ssm_groups, c.norm_eps)
        return self.out_proj(y_DT.t()).view(B, L, d)

    def _fused(self, projected_WT: Tensor, document_BL: Tensor | None, B: int) -> Tensor:
        from nemo_lab.modeling.fused.mixer import mixer_core

        if document_BL is None:
            document_BL = torch.zeros(B, projected_WT.shape[1] // B, dtype=torch.long)
        weights = (self.conv_weight, self.conv_bias, self.dt_bias, self.A_log, self.D, self.norm_weight)
        return mixer_core(projected_WT, *weights, document_BL, self.config)

    def _step_sizes(self, dt_HT: Tensor) -> Tensor:
        dt = F.softplus(wide(dt_HT) + self.dt_bias[:, None])
        return dt.clamp(min=self.config.dt_min) if self.config.dt_min else dt


def _heads(t_CBL: Tensor, heads: int) -> Tensor:
    """(heads·channels, B, L) -> (B, heads, channels, L), without a copy."""
    return t_CBL.unflatten(0, (heads, -1)).permute(2, 0, 1, 3)
