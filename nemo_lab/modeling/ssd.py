r"""State-space duality (SSD): the sequence mixer of Mamba-2, in three forms that agree.

For one head with input x_t (P numbers), step size dt_t > 0, decay rate A < 0 and the group's
B_t, C_t (N numbers each), the layer is a linear recurrence over a P x N state
(Mamba-2, arXiv 2405.21060, section 3; the notation of papers 2504.03624 and 2504.11409):

    S_t = exp(dt_t A) S_{t-1} + dt_t x_t B_t^T          y_t = S_t C_t + D x_t

* `ssd_recurrent` walks it token by token: what decoding does, constant work and memory a token.
* `ssd_quadratic` unrolls it into y = (C B^T ∘ decay) (dt x), attention without softmax: O(L^2).
* `ssd_chunked` is quadratic inside chunks of Q tokens and recurrent between them: O(L Q), almost all
  of it matrix products. This is the form for training and prefill.

Relative to the paper's listing: the tensors are channel-first inside (Q contiguous), so decays, which
do not depend on the P channels of a head, broadcast along the vector unit; the work on B, C and the
states is done once per group and not once per head; and the backward pass is written by hand. It keeps
one Q x Q decay matrix a head and finds the gradient of the decays from
    dL/ds_t = <dy_t, y_t> - <dt_t x_t, dL/d(dt_t x_t)>,      s = cumulative sum of dt A,
so that no Q x Q gradient has to be reduced twice. `document_BL` numbers the documents of a packed row:
the state starts afresh wherever the number changes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nemo_lab.errors import check_whole


def ssd_recurrent(
    x_BLHP: Tensor,
    dt_BLH: Tensor,
    A_H: Tensor,
    B_BLGN: Tensor,
    C_BLGN: Tensor,
    D_H: Tensor | None = None,
    state_BHPN: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The recurrence itself, one token after another; the definition that the other forms must equal.

    Returns y_BLHP and the state after the last token, BHPN.
    """
    B, L, H, P = x_BLHP.shape
    state = x_BLHP.new_zeros(B, H, P, B_BLGN.shape[-1]) if state_BHPN is None else state_BHPN.clone()
    outputs = []
    for t in range(L):
        y_BHP, state = ssd_step(x_BLHP[:, t], dt_BLH[:, t], A_H, B_BLGN[:, t], C_BLGN[:, t], D_H, state)
        outputs.append(y_BHP)
    return torch.stack(outputs, dim=1), state


def ssd_step(
    x_BHP: Tensor, dt_BH: Tensor, A_H: Tensor, B_BGN: Tensor, C_BGN: Tensor, D_H: Tensor | None, state_BHPN: Tensor
) -> tuple[Tensor, Tensor]:
    """One token of the recurrence: the new y_BHP and the new state_BHPN."""
    J = x_BHP.shape[1] // B_BGN.shape[1]
    B_BHN, C_BHN = B_BGN.repeat_interleave(J, dim=1), C_BGN.repeat_interleave(J, dim=1)
    decay_BH = torch.exp(dt_BH * A_H)
    state = state_BHPN * decay_BH[..., None, None] + (dt_BH[..., None] * x_BHP)[..., None] * B_BHN[:, :, None]
    y_BHP = (state @ C_BHN[..., None]).squeeze(-1)
    return (y_BHP if D_H is None else y_BHP + D_H[:, None] * x_BHP), state


def ssd_quadratic(
    x_BLHP: Tensor,
    dt_BLH: Tensor,
    A_H: Tensor,
    B_BLGN: Tensor,
    C_BLGN: Tensor,
    D_H: Tensor | None = None,
    document_BL: Tensor | None = None,
) -> Tensor:
    """The dual form, y = (C B^T ∘ decay) (dt x), with the whole L x L matrix of every head."""
    J = x_BLHP.shape[2] // B_BLGN.shape[2]
    s_BHL = (dt_BLH * A_H).transpose(1, 2).cumsum(-1)
    reach_BHLL = s_BHL[..., :, None] - s_BHL[..., None, :]
    seen_LL = torch.ones(reach_BHLL.shape[-2:], dtype=torch.bool, device=x_BLHP.device).tril()
    if document_BL is not None:
        seen_LL = seen_LL & (document_BL[:, None, :, None] == document_BL[:, None, None, :])
    decay_BHLL = torch.exp(reach_BHLL.masked_fill(~seen_LL, -torch.inf))
    scores_BHLL = torch.einsum("bign,bjgn->bgij", C_BLGN, B_BLGN).repeat_interleave(J, dim=1)
    y_BLHP = torch.einsum("bhij,bjhp->bihp", scores_BHLL * decay_BHLL, x_BLHP * dt_BLH[..., None])
    return y_BLHP if D_H is None else y_BLHP + D_H[:, None] * x_BLHP


def ssd_chunked(
    x_BLHP: Tensor,
    dt_BLH: Tensor,
    A_H: Tensor,
    B_BLGN: Tensor,
    C_BLGN: Tensor,
    *,
    chunk: int,
    D_H: Tensor | None = None,
    document_BL: Tensor | None = None,
    initial_state_BHPN: Tensor | None = None,
    return_state: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The chunked form: equal to the other two, and the one that is fast.

    Args:
        x_BLHP, B_BLGN, C_BLGN: inputs; their dtype is the dtype of the matrix products.
        dt_BLH: step sizes, already positive. A_H: negative rates. D_H: skip weights or None.
        chunk: tokens a chunk, Q; any length L works, the tail is padded with dt = 0.
        document_BL: document numbers, non-decreasing along a row, or None for one document a row.
        initial_state_BHPN: the state before the first token; it belongs to the first token's document.

    Returns y_BLHP, or (y_BLHP, state_BHPN after the last token) with `return_state`.

    Raises:
        LabError: a chunk of less than one token.
    """

    def first(t: Tensor) -> Tensor:  # B, L, heads, channels -> B, heads, channels, L
        return t.permute(0, 2, 3, 1)

    D_H = torch.zeros_like(A_H) if D_H is None else D_H
    y_BHPL, state_BHPN = ssd_channel_first(
        first(x_BLHP),
        dt_BLH.transpose(1, 2),
        A_H,
        first(B_BLGN),
        first(C_BLGN),
        D_H,
        chunk,
        document_BL,
        initial_state_BHPN,
    )
    y_BLHP = y_BHPL.permute(0, 3, 1, 2)
    return (y_BLHP, state_BHPN) if return_state else y_BLHP


def ssd_channel_first(
    x_BHPL: Tensor,
    dt_BHL: Tensor,
    A_H: Tensor,
    B_BGNL: Tensor,
    C_BGNL: Tensor,
    D_H: Tensor,
    chunk: int,
    document_BL: Tensor | None = None,
    initial_state_BHPN: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`ssd_chunked` on channel-first tensors, as the mixer holds them: (y_BHPL, state_BHPN)."""
    check_whole("chunk", chunk)
    with torch.autocast(x_BHPL.device.type, enabled=False):
        return _ChunkedSSD.apply(  # type: ignore[no-any-return]
            x_BHPL, dt_BHL, A_H, B_BGNL, C_BGNL, D_H, initial_state_BHPN, document_BL, chunk
        )


def to_chunks(t_BXL: Tensor, Q: int, dtype: torch.dtype) -> Tensor:
    """(B, …, L) -> contiguous (B, c, …, Q), the last chunk padded with zeros."""
    B, L = t_BXL.shape[0], t_BXL.shape[-1]
    c = -(-L // Q)
    if c * Q > L:
        t_BXL = torch.nn.functional.pad(t_BXL, (0, c * Q - L))
    split = t_BXL.unflatten(-1, (c, Q)).movedim(-2, 1)
    return torch.empty((B, c, *t_BXL.shape[1:-1], Q), dtype=dtype, device=t_BXL.device).copy_(split)


def from_chunks(t_BcXQ: Tensor, L: int) -> Tensor:
    """The inverse of `to_chunks`, (B, …, L), laid out in memory as (…, B, L) like the mixer's tensors."""
    whole_XBL = t_BcXQ.movedim((0, 1), (-3, -2)).flatten(-2)
    return whole_XBL[..., :L].contiguous().movedim(-2, 0)


def _decay_matrices(s_BcHQ: Tensor, document_BcQ: Tensor | None, dtype: torch.dtype) -> Tensor:
    """exp(s_i - s_j) at [j, i] for j <= i in one document, else 0: (B, c, H, Q, Q), transposed on purpose."""
    reach = s_BcHQ[..., None, :] - s_BcHQ[..., :, None]
    decay = reach.exp_().triu_()  # overflow above the diagonal is overwritten, so it cannot make a NaN
    if document_BcQ is not None:
        decay *= (document_BcQ[..., None, :] == document_BcQ[..., :, None])[:, :, None]
    return decay.to(dtype)


def boundary_decays(s_BcHQ: Tensor, document_BcQ: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Decays from the chunk's start to each token, from each token to its end, and over the whole chunk."""
    from_start = s_BcHQ.exp()
    to_end = (s_BcHQ[..., -1:] - s_BcHQ).exp_()
    across = from_start[..., -1]
    if document_BcQ is not None:
        last_Bc1 = document_BcQ[..., -1:]
        before_Bc1 = torch.cat([document_BcQ[:, :1, :1], last_Bc1[:, :-1]], dim=1)
        from_start = from_start * (document_BcQ == before_Bc1)[:, :, None]
        to_end *= (document_BcQ == last_Bc1)[:, :, None]
        across = across * (last_Bc1 == before_Bc1)
    return from_start, to_end, across


def _pass_states(own_BcHPN: Tensor, across_BcH: Tensor, initial_BHPN: Tensor | None) -> Tensor:
    """The state that enters each chunk and, last, the one that leaves: (B, c + 1, H, P, N), float32."""
    B, c, H, P, N = own_BcHPN.shape
    own_BcHPN = own_BcHPN.to(across_BcH.dtype)
    states = own_BcHPN.new_empty(B, c + 1, H, P, N)
    states[:, 0] = 0 if initial_BHPN is None else initial_BHPN
    for k in range(c):
        torch.addcmul(own_BcHPN[:, k], states[:, k], across_BcH[:, k, :, None, None], out=states[:, k + 1])
    return states


class _ChunkedSSD(torch.autograd.Function):
    """The chunked form with its backward pass. Batches of matrices are ordered (B, c, H) or (B, c, G)."""

    @staticmethod
    def forward(
        ctx: Any,
        x_BHPL: Tensor,
        dt_BHL: Tensor,
        A_H: Tensor,
        B_BGNL: Tensor,
        C_BGNL: Tensor,
        D_H: Tensor,
        initial_BHPN: Tensor | None,
        document_BL: Tensor | None,
        Q: int,
    ) -> tuple[Tensor, Tensor]:
        exact, fast = torch.promote_types(x_BHPL.dtype, torch.float32), x_BHPL.dtype
        x, dt = to_chunks(x_BHPL, Q, fast), to_chunks(dt_BHL, Q, exact)
        B_, C_ = to_chunks(B_BGNL, Q, fast), to_chunks(C_BGNL, Q, fast)
        document = None if document_BL is None else document_chunks(document_BL, Q)
        s = (dt * A_H.to(exact)[:, None]).cumsum(-1)
        y, kept = _forward_chunks(x, dt, s, B_, C_, document, initial_BHPN)
        states = kept[-1]
        ctx.save_for_backward(x, dt, s, A_H, B_, C_, D_H, document, y, *kept)
        ctx.has_initial, ctx.L = initial_BHPN is not None, x_BHPL.shape[-1]
        y = (x * D_H.to(fast)[:, None, None]).add_(y)
        return from_chunks(y, ctx.L), states[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, dy_BHPL: Tensor, dfinal_BHPN: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x, dt, s, A_H, B_, C_, D_H, document, y, *kept = ctx.saved_tensors
        L = ctx.L
        dy = to_chunks(dy_BHPL, x.shape[-1], x.dtype)
        dxd, dB, dC, ds_end, dinitial = _backward_chunks(dy, s, B_, C_, document, kept, dfinal_BHPN)
        exact = dt.dtype
        product = torch.mul(x, dxd)
        r = product.sum(-2, dtype=exact)
        ds = torch.mul(dy, y, out=product).sum(-2, dtype=exact).sub_(dt * r)
        ds[..., -1] += ds_end
        da = ds.flip(-1).cumsum(-1).flip(-1)
        dD = torch.mul(dy, x, out=product).sum((0, 1, 3, 4), dtype=exact)
        ddt = torch.addcmul(r, da, A_H.to(exact)[:, None])
        dx = torch.mul(dy, D_H.to(dy.dtype)[:, None, None], out=product)
        dx.addcmul_(dxd, dt.to(dy.dtype)[..., None, :])
        return (
            from_chunks(dx, L),
            from_chunks(ddt, L),
            (da * dt).sum((0, 1, 3)).to(A_H.dtype),
            from_chunks(dB, L),
            from_chunks(dC, L),
            dD.to(D_H.dtype),
            dinitial if ctx.has_initial else None,
            None,
            None,
        )


def document_chunks(document_BL: Tensor, Q: int) -> Tensor:
    """Document numbers in chunks (B, c, Q); the padding continues the last document of the row."""
    L = document_BL.shape[-1]
    tail = document_BL[:, -1:].expand(-1, -L % Q)
    return torch.cat([document_BL, tail], dim=1).unflatten(1, (-1, Q))


def _flat(t: Tensor) -> Tensor:
    """Merges the batch dimensions of a contiguous (…, rows, columns) for `torch.bmm`."""
    return t.flatten(0, -3)


def by_group(t_BcHXY: Tensor, G: int) -> Tensor:
    """(B, c, H, X, Y) -> (B·c·G, (H/G)·X, Y): the heads of a group stacked, one matrix a group."""
    B, c, H, X, Y = t_BcHXY.shape
    return t_BcHXY.reshape(B * c * G, H // G * X, Y)


def _forward_chunks(
    x: Tensor, dt: Tensor, s: Tensor, B_: Tensor, C_: Tensor, document: Tensor | None, initial: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """y without the skip (B, c, H, P, Q), and what the backward pass needs of the way there.

    That is dt·x, the same decayed to its chunk's end, the decay matrices, the mixing matrices and the states.
    """
    B, c, H, P, Q = x.shape
    G, N = B_.shape[2:4]
    from_start, to_end, across = boundary_decays(s, document)
    xd = torch.mul(x, dt.to(x.dtype)[..., None, :])
    decay = _decay_matrices(s, document, x.dtype)
    scores = torch.bmm(_flat(B_).transpose(1, 2), _flat(C_)).view(B, c, G, 1, Q, Q)  # [j, i] = <B_j, C_i>
    mixing = (decay.view(B, c, G, -1, Q, Q) * scores).view(-1, Q, Q)
    y = torch.bmm(_flat(xd), mixing).view_as(x)
    xe = by_group(xd * to_end.to(x.dtype)[..., None, :], G)
    own = torch.bmm(xe, _flat(B_).transpose(1, 2))
    states = _pass_states(own.view(B, c, H, P, N), across, initial)
    entering = states[:, :-1].to(x.dtype)
    read = torch.bmm(by_group(entering, G), _flat(C_)).view_as(x)
    y.addcmul_(read, from_start.to(x.dtype)[..., None, :])
    return y, [xd, xe, decay, mixing, states]


def _backward_chunks(
    dy: Tensor, s: Tensor, B_: Tensor, C_: Tensor, document: Tensor | None, kept: list[Tensor], dfinal: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Gradients of dt·x, B and C; of s at each chunk's end through the state; and of the initial state."""
    B, c, H, P, Q = dy.shape
    G, N = B_.shape[2:4]
    fast = dy.dtype
    xd, xe, decay, mixing, states = kept
    from_start, to_end, across = boundary_decays(s, document)
    B_, C_ = _flat(B_), _flat(C_)
    # Between chunks: y_i += from_start_i S C_i, and S' = across S + sum_j to_end_j xd_j B_j^T.
    dread = by_group(dy * from_start.to(fast)[..., None, :], G)
    dC = torch.bmm(by_group(states[:, :-1].to(fast), G).transpose(1, 2), dread)
    dstates = _pass_states_backward(torch.bmm(dread, C_.transpose(1, 2)).view(B, c, H, P, N), across, dfinal)
    ds_end = (dstates[:, 1:] * states[:, 1:]).sum((-1, -2))
    dleaving = by_group(dstates[:, 1:].to(fast), G)
    dxd = torch.bmm(dleaving, B_).view_as(dy).mul_(to_end.to(fast)[..., None, :])
    dB = torch.bmm(dleaving.transpose(1, 2), xe)
    # Inside a chunk: y = xd (decay ∘ B^T C).
    dxd += torch.bmm(_flat(dy), mixing.transpose(1, 2)).view_as(dy)
    dmixing = torch.bmm(_flat(xd).transpose(1, 2), _flat(dy)).view_as(decay)
    dscores = dmixing.mul_(decay).view(B * c * G, -1, Q, Q).sum(1)
    dB = torch.baddbmm(dB, C_, dscores.transpose(1, 2)).view(B, c, G, N, Q)
    dC = torch.baddbmm(dC, B_, dscores).view(B, c, G, N, Q)
    return dxd, dB, dC, ds_end, dstates[:, 0]


def _pass_states_backward(dentering_BcHPN: Tensor, across_BcH: Tensor, dfinal_BHPN: Tensor) -> Tensor:
    """Gradients of the states of `_pass_states`, (B, c + 1, H, P, N)."""
    B, c, H, P, N = dentering_BcHPN.shape
    dentering_BcHPN = dentering_BcHPN.to(across_BcH.dtype)
    dstates = dentering_BcHPN.new_empty(B, c + 1, H, P, N)
    dstates[:, c] = dfinal_BHPN
    for k in reversed(range(c)):
        torch.addcmul(dentering_BcHPN[:, k], dstates[:, k + 1], across_BcH[:, k, :, None, None], out=dstates[:, k])
    return dstates
