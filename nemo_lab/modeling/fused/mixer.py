"""Everything between the two projections of the Mamba-2 layer as one function with a hand-written gradient.

    forward    convolve_heads, convolve_shared        x, dt x, dt x decayed to its chunk's end; B; C
               scores = B^T C, mix                    the decay matrices
               inside = (dt x) mixing                 from tokens of the same chunk
               own = xe B^T, pass_states, read = S C  from earlier chunks
               gated_norm                             skip, gate, norm
    backward   the same room by room, in the opposite order

Every sweep over memory is a kernel of this folder and every product is torch's, in the dtype of the projection. The
plain form is `mamba2.Mamba2.forward`: `causal_conv_silu`, `ssd.ssd_channel_first` and the gated norm; this
function's results differ from its by rounding only. It starts from an empty state and does not return the last one,
as training needs it.

Shapes: projected_WT the projection's channels by tokens, T = B L; chunks (B, c, heads, channels, Q), the last one
filled up with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.fused.convolution import (
    convolve_heads,
    convolve_heads_backward,
    convolve_shared,
    convolve_shared_backward,
)
from nemo_lab.modeling.fused.decay import mix, mix_backward
from nemo_lab.modeling.fused.gate import gated_norm, gated_norm_backward
from nemo_lab.modeling.fused.states import pass_states, pass_states_backward
from nemo_lab.modeling.linear import wide
from nemo_lab.modeling.ssd import boundary_decays, by_group, document_chunks, to_chunks


def mixer_core(
    projected_WT: Tensor,
    conv_weight_CK: Tensor,
    conv_bias_C: Tensor,
    dt_bias_H: Tensor,
    A_log_H: Tensor,
    D_H: Tensor,
    norm_weight_D: Tensor,
    document_BL: Tensor,
    config: HybridConfig,
) -> Tensor:
    """What enters the output projection, (D, T), from what leaves the input projection, (W, T).

    `document_BL` numbers the documents of each row, non-decreasing.
    """
    weights = (conv_weight_CK, conv_bias_C, dt_bias_H, A_log_H, D_H, norm_weight_D)
    with torch.autocast(projected_WT.device.type, enabled=False):
        return _MixerCore.apply(projected_WT.contiguous(), *weights, document_BL, config)  # type: ignore[no-any-return]


def ages(document_BL: Tensor) -> Tensor:
    """Each token's place in its document, from 0: (B, L), int32."""
    index = torch.arange(document_BL.shape[1]).expand_as(document_BL)
    return (index - torch.where(_starts(document_BL), index, 0).cummax(1).values).int()


def ends(document_BcQ: Tensor) -> Tensor:
    """Where in its chunk each token's document ends, one past its last token: (B, c, Q), int32."""
    Q = document_BcQ.shape[-1]
    after = torch.where(_starts(document_BcQ), torch.arange(Q), Q).roll(-1, -1)
    after[..., -1] = Q
    return after.flip(-1).cummin(-1).values.flip(-1).int()


def _starts(document_XL: Tensor) -> Tensor:
    first = torch.ones_like(document_XL, dtype=torch.bool)
    first[..., 1:] = document_XL[..., 1:] != document_XL[..., :-1]
    return first


@dataclass(frozen=True)
class _Decays:
    """Step sizes dt, s = cumulative sum of dt A, and what follows from them, (B, c, H, Q)."""

    dt: Tensor
    s: Tensor
    from_start: Tensor
    to_end: Tensor
    across: Tensor  # (B, c, H)
    end: Tensor  # (B, c, Q), see `ends`

    def rate_gradient(self, ds: Tensor, dentering: Tensor, dleaving: Tensor, dacross: Tensor) -> Tensor:
        """Gradient of dt A, which reaches the s of every later token of the chunk.

        Decays inside the chunk have theirs in `ds`; from_start_i grows with s_i, to_end_j with the last s less s_j,
        and across with the last s. What is added at the last token was taken, as the same number, at an earlier one.
        """
        ds = ds + dentering - dleaving
        ds[..., -1] += dleaving.sum(-1) + dacross
        return ds.flip(-1).cumsum(-1).flip(-1)


def _decays(raw_HT: Tensor, A_H: Tensor, document_BL: Tensor, config: HybridConfig) -> _Decays:
    """From raw + dt_bias: few numbers, so torch makes them."""
    dt_HT = F.softplus(raw_HT)
    dt_HT = dt_HT.clamp(min=config.dt_min) if config.dt_min else dt_HT
    dt = to_chunks(dt_HT.view(-1, *document_BL.shape).movedim(1, 0), config.chunk, dt_HT.dtype)
    s = (dt * A_H[:, None]).cumsum(-1)
    document_BcQ = document_chunks(document_BL, config.chunk)
    from_start, to_end, across = boundary_decays(s, document_BcQ)
    return _Decays(dt, s, from_start, to_end, across.contiguous(), ends(document_BcQ))


def _raw_gradient(ddt_BcHQ: Tensor, raw_HT: Tensor, document_BL: Tensor, config: HybridConfig) -> Tensor:
    """Back through the clamp and softplus: (H, T)."""
    ddt_HT = ddt_BcHQ.permute(2, 0, 1, 3).flatten(2)[..., : document_BL.shape[1]].flatten(1)
    return ddt_HT * raw_HT.sigmoid() * (F.softplus(raw_HT) >= config.dt_min)


class _MixerCore(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected_WT: Tensor, *rest: Any) -> Tensor:
        *given, document_BL, config = rest
        exact = torch.promote_types(projected_WT.dtype, torch.float32)
        conv_weight, conv_bias, dt_bias, A_log, D_H, norm_weight = (w.to(exact).contiguous() for w in given)
        z, xBC, raw = _parts(projected_WT, document_BL, config)
        decays = _decays(raw + dt_bias[:, None], -A_log.exp(), document_BL, config)
        rows = (xBC, conv_weight, conv_bias, ages(document_BL))
        x, xd, xe, B_, C_ = chunks = _convolve(rows, decays, config)
        inside, *kept_inside = _inside(xd, B_, C_, decays)
        read, entering = _between(xe, B_, C_, decays)
        out, rstd = torch.empty_like(z), decays.s.new_empty(*C_.shape[:3], config.chunk)
        gated_norm(inside, read, decays.from_start, x, D_H, z, norm_weight, config.norm_eps, rstd, out)
        ctx.save_for_backward(projected_WT, *given, document_BL, *chunks, inside, *kept_inside, read, entering, rstd)
        ctx.decays, ctx.config = decays, config
        return out

    @staticmethod
    def backward(ctx: Any, dout_DT: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        projected_WT, *given, document_BL = ctx.saved_tensors[:8]
        x, xd, xe, B_, C_, inside, mixing, scores, read, entering, rstd = ctx.saved_tensors[8:]
        decays, config = ctx.decays, ctx.config
        conv_weight, conv_bias, dt_bias, A_log, D_H, norm_weight = (w.to(rstd.dtype).contiguous() for w in given)
        dprojected = torch.empty_like(projected_WT)
        z, xBC, raw = _parts(projected_WT, document_BL, config)
        dz, dxBC, _ = _parts(dprojected, document_BL, config)
        raw = raw + dt_bias[:, None]
        gate = (inside, read, decays.from_start, x, D_H, z, norm_weight, rstd)
        dy, dread, dentering, dD, dnorm_weight = _gate_backward(dout_DT.contiguous(), gate, dz)
        dleft, dB, dC, dacross = _between_backward(dread, xe, B_, C_, entering, decays)
        dxd, dB, dC, ds = _inside_backward(dy, xd, B_, C_, mixing, scores, dB, dC, decays)
        rows = (xBC, conv_weight, conv_bias, ages(document_BL))
        ddt, dleaving, dconv_weight, dconv_bias = _convolve_backward(rows, dy, dxd, dleft, dB, dC, D_H, decays, dxBC)
        A = -A_log.exp()
        drate = decays.rate_gradient(ds, dentering, dleaving, dacross)
        draw = _raw_gradient(ddt + drate * A[:, None], raw, document_BL, config)
        dprojected[-config.ssm_heads :] = draw
        dA_log = (drate * decays.dt).sum((0, 1, 3)) * A  # A = -exp(A_log) is its own derivative
        gradients = (dconv_weight, dconv_bias, draw.sum(1), dA_log, dD, dnorm_weight)
        return dprojected, *(g.to(w.dtype) for g, w in zip(gradients, given, strict=True)), None, None


def _parts(t_WT: Tensor, document_BL: Tensor, config: HybridConfig) -> tuple[Tensor, Tensor, Tensor]:
    """z (D, T), the convolved rows (C, B, L), and dt (H, T) in at least float32."""
    z, xBC, dt = t_WT.split([config.d_inner, config.conv_channels, config.ssm_heads])
    return z, xBC.view(-1, *document_BL.shape), wide(dt)


def _roles(t: Tensor, heads: Tensor, shared: Tensor) -> tuple[Tensor, ...]:
    """The rows of x, B and C, from the sizes of their chunks."""
    D, GN = heads.shape[2] * heads.shape[3], shared.shape[2] * shared.shape[3]
    return t.split([D, GN, GN])


def _convolve(rows: tuple[Tensor, ...], decays: _Decays, config: HybridConfig) -> tuple[Tensor, ...]:
    """x, dt x and the latter decayed to the chunk's end, (B, c, H, P, Q); B and C, (B, c, G, N, Q)."""
    *split, age = rows
    B, c, H, Q = decays.s.shape
    x, xd, xe = (split[0].new_empty(B, c, H, config.ssm_head_dim, Q) for _ in range(3))
    B_, C_ = (split[0].new_empty(B, c, config.ssm_groups, config.ssm_state, Q) for _ in range(2))
    of_x, of_B, of_C = zip(*(_roles(t, x, B_) for t in split), strict=True)
    convolve_heads(*of_x, age, decays.dt, decays.dt * decays.to_end, x, xd, xe)
    convolve_shared(*of_B, age, B_)
    convolve_shared(*of_C, age, C_)
    return x, xd, xe, B_, C_


def _convolve_backward(
    rows: tuple[Tensor, ...],
    dy: Tensor,
    dxd: Tensor,
    dleft: Tensor,
    dB: Tensor,
    dC: Tensor,
    D_H: Tensor,
    decays: _Decays,
    dxBC: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fills dxBC; gradients of dt as a factor, of log(to_end), and of the convolution's weight and bias."""
    *split, age = rows
    xBC, weight, _ = split
    (C, K), B = weight.shape, xBC.shape[1]
    results = (dxBC, weight.new_empty(C, B, K), weight.new_empty(C, B))
    ddt, dleaving = torch.empty_like(decays.s), torch.empty_like(decays.s)
    of_x, of_B, of_C = zip(*(_roles(t, dy, dB) for t in split), strict=True)
    into_x, into_B, into_C = zip(*(_roles(t, dy, dB) for t in results), strict=True)
    times = (decays.dt, decays.to_end, decays.dt * decays.to_end)
    convolve_heads_backward(dy, dxd, dleft, D_H, *times, *of_x, age, *into_x, ddt, dleaving)
    convolve_shared_backward(dB, *of_B, age, *into_B)
    convolve_shared_backward(dC, *of_C, age, *into_C)
    return ddt, dleaving, results[1].sum(1), results[2].sum(1)


def _inside(xd: Tensor, B_: Tensor, C_: Tensor, decays: _Decays) -> tuple[Tensor, Tensor, Tensor]:
    """What tokens of the same chunk give, the mixing matrices, and the scores [j, i] = <B_j, C_i>."""
    B, c, G, _, Q = B_.shape
    scores = torch.bmm(_flat(B_).transpose(1, 2), _flat(C_)).view(B, c, G, Q, Q)
    mixing = xd.new_empty(B, c, xd.shape[2], Q, Q)
    mix(decays.s, scores, decays.end, mixing)
    return torch.bmm(_flat(xd), _flat(mixing)).view_as(xd), mixing, scores


def _inside_backward(
    dy: Tensor,
    xd: Tensor,
    B_: Tensor,
    C_: Tensor,
    mixing: Tensor,
    scores: Tensor,
    dB: Tensor,
    dC: Tensor,
    decays: _Decays,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of dt x, of B and C (added to those given) and of s."""
    dxd = torch.bmm(_flat(dy), _flat(mixing).transpose(1, 2)).view_as(dy)
    dmixing = torch.bmm(_flat(xd).transpose(1, 2), _flat(dy)).view_as(mixing)
    dscores, ds = torch.empty_like(scores), torch.empty_like(decays.s)
    mix_backward(dmixing, decays.s, scores, decays.end, dscores, ds)
    dB = torch.baddbmm(_flat(dB), _flat(C_), _flat(dscores).transpose(1, 2)).view_as(B_)
    dC = torch.baddbmm(_flat(dC), _flat(B_), _flat(dscores)).view_as(C_)
    return dxd, dB, dC, ds


def _between(xe: Tensor, B_: Tensor, C_: Tensor, decays: _Decays) -> tuple[Tensor, Tensor]:
    """What the entering states give before their decay, and these states, (B, c, H, P·N)."""
    G = B_.shape[2]
    own = torch.bmm(by_group(xe, G), _flat(B_).transpose(1, 2)).view(*xe.shape[:3], -1)
    entering = torch.empty_like(own)
    pass_states(own, decays.across, entering)
    return torch.bmm(_states(entering, B_), _flat(C_)).view_as(xe), entering


def _between_backward(
    dread: Tensor, xe: Tensor, B_: Tensor, C_: Tensor, entering: Tensor, decays: _Decays
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of xe, of B and C, and of log(across)."""
    dread = by_group(dread, B_.shape[2])
    dC = torch.bmm(_states(entering, B_).transpose(1, 2), dread).view_as(C_)
    dentering = torch.bmm(dread, _flat(C_).transpose(1, 2)).view_as(entering)
    dleaving, dacross = torch.empty_like(entering), torch.empty_like(decays.across)
    pass_states_backward(dentering, entering, decays.across, dleaving, dacross)
    dleft = torch.bmm(_states(dleaving, B_), _flat(B_)).view_as(xe)
    dB = torch.bmm(_states(dleaving, B_).transpose(1, 2), by_group(xe, B_.shape[2])).view_as(B_)
    return dleft, dB, dC, dacross


def _gate_backward(
    dout_DT: Tensor, gate: tuple[Tensor, ...], dz_DT: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Fills dz; gradients of y, of read, of log(from_start), of D and of the norm's weight."""
    inside, _, from_start, *_, weight_D, _ = gate
    dy, dread = torch.zeros_like(inside), torch.zeros_like(inside)  # zero behind the last token
    dentering = torch.empty_like(from_start)
    dD, dweight = dentering.new_empty(dentering.shape[:3]), dentering.new_empty(*inside.shape[:2], len(weight_D))
    gated_norm_backward(dout_DT, *gate, dy, dread, dz_DT, dentering, dD, dweight)
    return dy, dread, dentering, dD.sum((0, 1)), dweight.sum((0, 1))


def _flat(t: Tensor) -> Tensor:
    """Merges the batch dimensions for `torch.bmm`."""
    return t.flatten(0, -3)


def _states(t_BcHS: Tensor, B_BcGNQ: Tensor) -> Tensor:
    """(B, c, H, P·N) -> (B·c·G, (H/G)·P, N)."""
    B, c, G, N, _ = B_BcGNQ.shape
    return t_BcHS.view(B * c * G, -1, N)
