"""The causal convolution with SiLU of the Mamba-2 layer, straight into the chunks of the scan.

    u_t = bias + sum_k weight[K-1-k] x_{t-k}       over the k <= age_t, the token's place within its document
    y_t = SiLU(u_t)

The plain form is `mamba2.causal_conv_silu`. A row (one channel of one sequence) is read once. Where it belongs to B or
C, y is written; where it belongs to x, also what the scan makes of it: dt y, and dt y decayed to the chunk's end. The
backward pass computes u again instead of keeping it, and takes the gradients of all three together.

Shapes: x_CBL channel-first, as the projection writes it; chunks (B, c, heads, channels, Q), zero after the last token.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import put, read, sigmoid
from nemo_lab.modeling.fused.rows import add_product, dot, silu_and_slope, store, store_product


@part
def _convolve(x: Any, weight: Any, bias: Any, age: Any, u: Any) -> None:
    K, L = weight.size, x.size
    for t in range(L):
        u[t] = bias + weight[K - 1] * x[t]
    for k in range(1, min(K, L)):
        _add_tap(x[: L - k], weight[K - 1 - k], k, age[k:], u[k:])


@part
def _add_tap(x: Any, weight: Any, k: int, age: Any, out: Any) -> None:
    """out += weight x where the tap stays in the document; else the sum stays as it was, even beside a NaN."""
    for t in range(x.size):
        out[t] = out[t] + weight * x[t] if age[t] >= k else out[t]


@part
def _convolve_backward(x: Any, du: Any, weight: Any, age: Any, dx: Any, dweight: Any) -> None:
    K, L = weight.size, x.size
    dweight[:] = 0
    dweight[K - 1] = dot(x, du)
    for t in range(L):
        dx[t] = weight[K - 1] * du[t]
    for k in range(1, min(K, L)):
        inside = age[k:]
        _add_tap(du[k:], weight[K - 1 - k], k, inside, dx[: L - k])  # the tap's way back
        dweight[K - 1 - k] = _dot_inside(x[: L - k], du[k:], k, inside)


@part
def _dot_inside(x: Any, du: Any, k: int, age: Any) -> Any:
    total = x.dtype.type(0)
    for t in range(x.size):
        total = total + x[t] * du[t] if age[t] >= k else total
    return total


@part
def _silu(u: Any) -> None:
    for t in range(u.size):
        u[t] = u[t] * sigmoid(u[t])


@kernel
def convolve_shared(
    worker: int, workers: int, x_CBL: Any, weight_CK: Any, bias_C: Any, age_BL: Any, out_BcGNQ: Any
) -> None:
    """The rows of B or C: out = SiLU(conv(x)) in chunks."""
    _, B, L = x_CBL.shape
    _, c, G, N, Q = out_BcGNQ.shape
    for r in range(worker, G * N * B, workers):
        i, b = r // B, r % B
        x, u = np.empty(L, weight_CK.dtype), np.zeros(c * Q, weight_CK.dtype)
        store(x_CBL[i, b], x)
        _convolve(x, weight_CK[i], bias_C[i], age_BL[b], u[:L])
        _silu(u)
        for k in range(c):
            store(u[k * Q : (k + 1) * Q], out_BcGNQ[b, k, i // N, i % N])


@kernel
def convolve_heads(
    worker: int,
    workers: int,
    x_CBL: Any,
    weight_CK: Any,
    bias_C: Any,
    age_BL: Any,
    dt_BcHQ: Any,
    dt_to_end_BcHQ: Any,
    y_BcHPQ: Any,
    yd_BcHPQ: Any,
    ye_BcHPQ: Any,
) -> None:
    """The rows of x: y = SiLU(conv(x)), yd = dt y, and ye = yd decayed to the end of its chunk."""
    _, B, L = x_CBL.shape
    _, c, H, P, Q = y_BcHPQ.shape
    for r in range(worker, H * P * B, workers):
        i, b = r // B, r % B
        h, p = i // P, i % P
        x, u = np.empty(L, weight_CK.dtype), np.zeros(c * Q, weight_CK.dtype)
        store(x_CBL[i, b], x)
        _convolve(x, weight_CK[i], bias_C[i], age_BL[b], u[:L])
        _silu(u)
        for k in range(c):
            y = u[k * Q : (k + 1) * Q]
            store(y, y_BcHPQ[b, k, h, p])
            store_product(y, dt_BcHQ[b, k, h], yd_BcHPQ[b, k, h, p])
            store_product(y, dt_to_end_BcHQ[b, k, h], ye_BcHPQ[b, k, h, p])


@kernel
def convolve_shared_backward(
    worker: int,
    workers: int,
    dy_BcGNQ: Any,
    x_CBL: Any,
    weight_CK: Any,
    bias_C: Any,
    age_BL: Any,
    dx_CBL: Any,
    dweight_CBK: Any,
    dbias_CB: Any,
) -> None:
    """Gradients of `convolve_shared`; those of the weights still apart for each sequence."""
    _, B, L = x_CBL.shape
    _, c, G, N, Q = dy_BcGNQ.shape
    for r in range(worker, G * N * B, workers):
        i, b = r // B, r % B
        x, u, slope = np.empty(L, weight_CK.dtype), np.empty(L, weight_CK.dtype), np.empty(L, weight_CK.dtype)
        du, dx = np.empty(c * Q, weight_CK.dtype), np.empty(L, weight_CK.dtype)
        store(x_CBL[i, b], x)
        _convolve(x, weight_CK[i], bias_C[i], age_BL[b], u)
        silu_and_slope(u, slope, dx)
        for k in range(c):
            store(dy_BcGNQ[b, k, i // N, i % N], du[k * Q : (k + 1) * Q])
        dbias_CB[i, b] = _times(slope, du[:L])
        _convolve_backward(x, du[:L], weight_CK[i], age_BL[b], dx, dweight_CBK[i, b])
        store(dx, dx_CBL[i, b])


@kernel
def convolve_heads_backward(
    worker: int,
    workers: int,
    dy_BcHPQ: Any,
    dyd_inside_BcHPQ: Any,
    dleft_BcHPQ: Any,
    D_H: Any,
    dt_BcHQ: Any,
    to_end_BcHQ: Any,
    dt_to_end_BcHQ: Any,
    x_CBL: Any,
    weight_CK: Any,
    bias_C: Any,
    age_BL: Any,
    dx_CBL: Any,
    dweight_CBK: Any,
    dbias_CB: Any,
    ddt_BcHQ: Any,
    dleaving_BcHQ: Any,
) -> None:
    """Gradients of `convolve_heads` and of the skip D y beside the scan.

    Given are those of the layer's output, dy; of dt y inside its chunk; and of ye / to_end, dleft, from the state that
    leaves the chunk. ddt is the gradient of dt as a factor; dleaving = <ye, dye> is the one of log(to_end).
    """
    _, B, L = x_CBL.shape
    _, c, H, P, Q = dy_BcHPQ.shape
    for r in range(worker, H * B, workers):
        h, b = r // B, r % B
        x, u, slope = np.empty(L, weight_CK.dtype), np.empty(L, weight_CK.dtype), np.empty(L, weight_CK.dtype)
        y, du, dyd = np.zeros(c * Q, weight_CK.dtype), np.empty(c * Q, weight_CK.dtype), np.empty(Q, weight_CK.dtype)
        dx = np.empty(L, weight_CK.dtype)
        ddt_BcHQ[b, :, h] = 0
        dleaving_BcHQ[b, :, h] = 0
        for p in range(P):
            i = h * P + p
            store(x_CBL[i, b], x)
            _convolve(x, weight_CK[i], bias_C[i], age_BL[b], u)
            silu_and_slope(u, slope, y[:L])
            for k in range(c):
                at = y[k * Q : (k + 1) * Q]
                _sum_decayed(dyd_inside_BcHPQ[b, k, h, p], dleft_BcHPQ[b, k, h, p], to_end_BcHQ[b, k, h], dyd)
                add_product(at, dleft_BcHPQ[b, k, h, p], dt_to_end_BcHQ[b, k, h], dleaving_BcHQ[b, k, h])
                _add(at, dyd, ddt_BcHQ[b, k, h])
                _skip_backward(dy_BcHPQ[b, k, h, p], D_H[h], dyd, dt_BcHQ[b, k, h], du[k * Q : (k + 1) * Q])
            dbias_CB[i, b] = _times(slope, du[:L])
            _convolve_backward(x, du[:L], weight_CK[i], age_BL[b], dx, dweight_CBK[i, b])
            store(dx, dx_CBL[i, b])


@part
def _times(slope: Any, du: Any) -> Any:
    """du *= slope; returns the sum."""
    total = du.dtype.type(0)
    for t in range(du.size):
        du[t] *= slope[t]
        total += du[t]
    return total


@part
def _sum_decayed(inside: Any, left: Any, to_end: Any, out: Any) -> None:
    for t in range(out.size):
        out[t] = read(inside[t]) + read(left[t]) * to_end[t]


@part
def _add(x: Any, y: Any, out: Any) -> None:
    for t in range(out.size):
        out[t] += x[t] * y[t]


@part
def _skip_backward(dy: Any, D: Any, dyd: Any, dt: Any, out: Any) -> None:
    for t in range(out.size):
        put(out, t, D * read(dy[t]) + dt[t] * dyd[t])
