"""What `loss.linear_cross_entropy` does with a slice of logits: the log-sum-exp of each token, and the gradient.

    norm = log sum_v e^l_v        loss = norm - l_target        dl = scale (e^(l - norm) - 1 at the target)

In torch each is a copy to float32 and four or five sweeps. Here the logits are read twice for the norm and turned
into their gradient in place, without a copy in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numba

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import exp, put, read


@kernel
def log_sum_exp(worker: int, workers: int, logits_TV: Any, norms_T: Any) -> None:
    """The logarithm of the sum of exponentials of each row."""
    for t in range(worker, len(logits_TV), workers):
        norms_T[t] = _largest(logits_TV[t])  # in the dtype of the sums, whatever the logits' is
        norms_T[t] += math.log(_sum_exp(logits_TV[t], norms_T[t]))


@numba.njit(error_model="numpy", fastmath=True, nogil=True)
def _largest(x: Any) -> Any:
    """The maximum; a NaN may be lost in this one, and comes back in the sum of exponentials."""
    largest = read(x[0])
    for i in range(x.size):
        value = read(x[i])
        largest = value if value > largest else largest
    return largest


@part
def _sum_exp(x: Any, largest: Any) -> Any:
    total = largest - largest
    for i in range(x.size):
        total += exp(read(x[i]) - largest)
    return total


@kernel
def logits_gradient(worker: int, workers: int, norms_T: Any, targets_T: Any, scale_T: Any, logits_TV: Any) -> None:
    """Each row of logits becomes scale (softmax - one at the target)."""
    for t in range(worker, len(logits_TV), workers):
        target = targets_T[t]
        at_target = exp(read(logits_TV[t, target]) - norms_T[t]) - 1
        _scaled_softmax(norms_T[t], scale_T[t], logits_TV[t])
        put(logits_TV[t], target, at_target * scale_T[t])


@part
def _scaled_softmax(norm: Any, scale: Any, logits: Any) -> None:
    for i in range(logits.size):
        put(logits, i, exp(read(logits[i]) - norm) * scale)
