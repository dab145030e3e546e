"""The recurrence between chunks: S_{k+1} = across_k S_k + own_k, from an empty state, and its gradient.

The plain form is `ssd._pass_states`. The running state is summed in float32 and only its copies, which enter the matrix
products, are rounded. Shapes: states (B, c, H, P·N), flattened because no kernel here needs the two apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nemo_lab.modeling.fused.compiled import kernel, part
from nemo_lab.modeling.fused.elements import read
from nemo_lab.modeling.fused.rows import dot, store


@kernel
def pass_states(worker: int, workers: int, own_BcHS: Any, across_BcH: Any, entering_BcHS: Any) -> None:
    """The state that enters each chunk."""
    B, c, H, S = own_BcHS.shape
    for r in range(worker, B * H, workers):
        b, h = r // H, r % H
        state = np.zeros(S, across_BcH.dtype)
        for k in range(c):
            store(state, entering_BcHS[b, k, h])
            _advance(own_BcHS[b, k, h], across_BcH[b, k, h], state)


@part
def _advance(own: Any, across: Any, state: Any) -> None:
    for i in range(state.size):
        state[i] = across * state[i] + read(own[i])


@kernel
def pass_states_backward(
    worker: int, workers: int, dentering_BcHS: Any, entering_BcHS: Any, across_BcH: Any, dleaving_BcHS: Any, ds_BcH: Any
) -> None:
    """Gradients of the state that leaves each chunk, and of the logarithm of `across`."""
    B, c, H, S = entering_BcHS.shape
    for r in range(worker, B * H, workers):
        b, h = r // H, r % H
        dstate = np.zeros(S, across_BcH.dtype)
        for k in range(c - 1, -1, -1):
            store(dstate, dleaving_BcHS[b, k, h])
            ds_BcH[b, k, h] = across_BcH[b, k, h] * dot(dstate, entering_BcHS[b, k, h])
            _advance(dentering_BcHS[b, k, h], across_BcH[b, k, h], dstate)
