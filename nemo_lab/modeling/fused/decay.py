"""The decay inside a chunk: mixing = decay ∘ scores, one Q x Q matrix a head, without keeping the decay.

    mixing[j, i] = exp(s_i - s_j) scores[j, i]     for j <= i < end_j, else 0;    s = cumulative sum of dt A

end_j is where the document of token j ends, at the latest the chunk. Only these entries cost an exponential, and the
backward pass computes them again: that is cheaper than a second matrix a head that is written and read.

It also finds the gradient of s here, entry by entry: g = dmixing[j, i] mixing[j, i] is added to ds_i and taken from
ds_j. The rate's gradient sums ds over all later tokens, and so that the same number stands on both sides is what makes
the part of pairs that lie behind vanish exactly. (`ssd` finds ds from two inner products that only agree up to their
rounding, which in bfloat16 made the gradient of dt the worst of the layer.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import exp, put, read
from nemo_lab.modeling.fused.rows import store


@kernel
def mix(worker: int, workers: int, s_BcHQ: Any, scores_BcGQQ: Any, end_BcQ: Any, mixing_BcHQQ: Any) -> None:
    """mixing = decay ∘ scores."""
    B, c, H, Q = s_BcHQ.shape
    J = H // scores_BcGQQ.shape[2]
    for r in range(worker, B * c * H, workers):
        b, k, h = r // (c * H), r // H % c, r % H
        s = s_BcHQ[b, k, h]
        for j in range(Q):
            end, row = end_BcQ[b, k, j], mixing_BcHQQ[b, k, h, j]
            row[:j] = 0
            _decayed(s[j:end], s[j], scores_BcGQQ[b, k, h // J, j][j:end], row[j:end])
            row[end:] = 0


@part
def _decayed(s: Any, s_j: Any, scores: Any, out: Any) -> None:
    for i in range(s.size):
        put(out, i, exp(s[i] - s_j) * read(scores[i]))


@kernel
def mix_backward(
    worker: int,
    workers: int,
    dmixing_BcHQQ: Any,
    s_BcHQ: Any,
    scores_BcGQQ: Any,
    end_BcQ: Any,
    dscores_BcGQQ: Any,
    ds_BcHQ: Any,
) -> None:
    """Gradients of the scores, summed over the heads of a group, and of s."""
    B, c, G, Q, _ = scores_BcGQQ.shape
    J = s_BcHQ.shape[2] // G
    for r in range(worker, B * c * G, workers):
        b, k, g = r // (c * G), r // G % c, r % G
        dscores = np.zeros((Q, Q), s_BcHQ.dtype)
        for h in range(g * J, (g + 1) * J):
            s, ds = s_BcHQ[b, k, h], ds_BcHQ[b, k, h]
            ds[:] = 0
            for j in range(Q):
                end, dmixing = end_BcQ[b, k, j], dmixing_BcHQQ[b, k, h, j]
                scores = scores_BcGQQ[b, k, g, j][j:end]
                taken = _decayed_backward(s[j:end], s[j], scores, dmixing[j:end], dscores[j][j:end], ds[j:end])
                ds[j] -= taken  # a line of its own: the call changes ds[j] too
        for j in range(Q):
            store(dscores[j], dscores_BcGQQ[b, k, g, j])


@part
def _decayed_backward(s: Any, s_j: Any, scores: Any, dmixing: Any, dscores: Any, ds: Any) -> Any:
    """Adds to the gradients of the scores and of the later tokens' s; returns what to take from s_j's."""
    total = s.dtype.type(0)
    for i in range(s.size):
        decayed = exp(s[i] - s_j) * read(dmixing[i])
        dscores[i] += decayed
        g = decayed * read(scores[i])
        ds[i] += g
        total += g
    return total
