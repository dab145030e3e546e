"""Skip, gate and norm behind the scan: out = RMSNorm(y SiLU(z)) w with y = inside + from_start read + D x.

`inside` and `read` are what the scan's products give: from tokens of the same chunk, and from the state that entered
it. The plain form is `mamba2.gated_rms_norm`. A norm runs over the channels of a group, and memory over tokens; so a
block of a group's channels by one chunk's tokens is computed at a time, which fits into the cache. The backward pass
needs the y of the forward pass and computes it again.

Shapes: chunks (B, c, H, P, Q), from_start (B, c, H, Q); z and out channel-first (D, T) with T = B L, D = H P.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import put, read, sigmoid
from nemo_lab.modeling.fused.rows import add_product, dot, store, store_product


@kernel
def gated_norm(
    worker: int,
    workers: int,
    inside_BcHPQ: Any,
    read_BcHPQ: Any,
    from_start_BcHQ: Any,
    x_BcHPQ: Any,
    D_H: Any,
    z_DT: Any,
    weight_D: Any,
    eps: float,
    rstd_BcGQ: Any,
    out_DT: Any,
) -> None:
    """out, and the reciprocal root of the mean square for the backward pass."""
    B, c, H, P, Q = x_BcHPQ.shape
    G, L = rstd_BcGQ.shape[2], z_DT.shape[1] // B
    width = H // G * P
    for r in range(worker, B * c * G, workers):
        b, k, g = r // (c * G), r // G % c, r % G
        start, n = b * L + k * Q, min(Q, L - k * Q)
        u, rstd = np.empty((width, n), weight_D.dtype), rstd_BcGQ[b, k, g][:n]
        rstd[:] = 0
        for i in range(width):
            d = g * width + i
            h, p = d // P, d % P
            inside, state, x = inside_BcHPQ[b, k, h, p], read_BcHPQ[b, k, h, p], x_BcHPQ[b, k, h, p]
            _with_skip(inside, state, from_start_BcHQ[b, k, h], x, D_H[h], u[i])
            _gate(z_DT[d][start : start + n], u[i], rstd)
        _reciprocal_root(width, eps, rstd)
        for i in range(width):
            d = g * width + i
            _scale(u[i], rstd, weight_D[d], out_DT[d][start : start + n])


@part
def _with_skip(inside: Any, state: Any, from_start: Any, x: Any, D: Any, y: Any) -> None:
    for t in range(y.size):
        y[t] = read(inside[t]) + read(state[t]) * from_start[t] + D * read(x[t])


@part
def _gate(z: Any, u: Any, squares: Any) -> None:
    """u *= SiLU(z); squares += u^2."""
    for t in range(u.size):
        gate = read(z[t])
        u[t] *= gate * sigmoid(gate)
        squares[t] += u[t] * u[t]


@part
def _reciprocal_root(width: int, eps: float, squares: Any) -> None:
    for t in range(squares.size):
        squares[t] = 1 / np.sqrt(squares[t] / width + eps)


@part
def _scale(u: Any, rstd: Any, weight: Any, out: Any) -> None:
    for t in range(u.size):
        put(out, t, u[t] * rstd[t] * weight)


@kernel
def gated_norm_backward(
    worker: int,
    workers: int,
    dout_DT: Any,
    inside_BcHPQ: Any,
    read_BcHPQ: Any,
    from_start_BcHQ: Any,
    x_BcHPQ: Any,
    D_H: Any,
    z_DT: Any,
    weight_D: Any,
    rstd_BcGQ: Any,
    dy_BcHPQ: Any,
    dread_BcHPQ: Any,
    dz_DT: Any,
    dentering_BcHQ: Any,
    dD_BcH: Any,
    dweight_BcD: Any,
) -> None:
    """Gradients of y, read, z, D and w, and dentering, the one of log(from_start).

    With n = u rstd, the normalised value, du = rstd (w dout - n mean(w dout n)).
    """
    B, c, H, P, Q = x_BcHPQ.shape
    G, L = rstd_BcGQ.shape[2], z_DT.shape[1] // B
    width = H // G * P
    for r in range(worker, B * c * G, workers):
        b, k, g = r // (c * G), r // G % c, r % G
        start, n = b * L + k * Q, min(Q, L - k * Q)
        y, u = np.empty((width, n), weight_D.dtype), np.empty((width, n), weight_D.dtype)
        mean, rstd = np.zeros(n, weight_D.dtype), rstd_BcGQ[b, k, g][:n]
        dentering_BcHQ[b, k, g * (H // G) : (g + 1) * (H // G)] = 0
        dD_BcH[b, k, g * (H // G) : (g + 1) * (H // G)] = 0
        for i in range(width):
            d = g * width + i
            h, p = d // P, d % P
            inside, state, x = inside_BcHPQ[b, k, h, p], read_BcHPQ[b, k, h, p], x_BcHPQ[b, k, h, p]
            _with_skip(inside, state, from_start_BcHQ[b, k, h], x, D_H[h], y[i])
            _normalise(z_DT[d][start : start + n], y[i], rstd, u[i])
            dout = dout_DT[d][start : start + n]
            dweight_BcD[b, k, d] = dot(u[i], dout)
            _add_mean(u[i], dout, weight_D[d], mean)
        _divide(width, mean)
        for i in range(width):
            d = g * width + i
            h, p = d // P, d % P
            _norm_backward(dout_DT[d][start : start + n], weight_D[d], mean, rstd, u[i])
            _gate_backward(z_DT[d][start : start + n], u[i], y[i], dz_DT[d][start : start + n])
            store(y[i], dy_BcHPQ[b, k, h, p])
            store_product(y[i], from_start_BcHQ[b, k, h], dread_BcHPQ[b, k, h, p])
            add_product(y[i], read_BcHPQ[b, k, h, p], from_start_BcHQ[b, k, h], dentering_BcHQ[b, k, h])
            dD_BcH[b, k, h] += dot(y[i], x_BcHPQ[b, k, h, p])


@part
def _normalise(z: Any, y: Any, rstd: Any, out: Any) -> None:
    for t in range(out.size):
        gate = read(z[t])
        out[t] = gate * sigmoid(gate) * y[t] * rstd[t]


@part
def _add_mean(u: Any, dout: Any, weight: Any, mean: Any) -> None:
    for t in range(mean.size):
        mean[t] += u[t] * read(dout[t]) * weight


@part
def _divide(width: int, mean: Any) -> None:
    for t in range(mean.size):
        mean[t] /= width


@part
def _norm_backward(dout: Any, weight: Any, mean: Any, rstd: Any, u: Any) -> None:
    """The normalised value becomes the gradient of what was normalised."""
    for t in range(u.size):
        u[t] = (weight * read(dout[t]) - u[t] * mean[t]) * rstd[t]


@part
def _gate_backward(z: Any, du: Any, y: Any, dz: Any) -> None:
    """dz = du y SiLU'(z), and y becomes its gradient du SiLU(z)."""
    for t in range(y.size):
        x = read(z[t])
        g = sigmoid(x)
        silu = x * g
        put(dz, t, du[t] * y[t] * (g + g * (x - silu)))
        y[t] = du[t] * silu
