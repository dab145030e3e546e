"""What decoding one token really costs here: bytes held, operations done, tokens a second.

`costs` derives the same from formulas; these functions read the buffers, let torch count the products and
look at the clock. The context is filled with random memories (`Decoder.fill`), so that 8,192 tokens need not
be read first; what a token costs does not depend on what the memories say.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from nemo_lab.errors import check_whole
from nemo_lab.modeling.cache import PENDING, cache_bytes
from nemo_lab.modeling.generation import Decoder
from nemo_lab.modeling.model import HybridLM

WARM_UP = 2  # tokens before the clock starts


@dataclass(frozen=True)
class TokenCost:
    """Of one sequence at some context: bytes of all caches, and FLOPs of the matrix products of a token."""

    cache_bytes: int
    flops: float


def token_cost(model: HybridLM, context: int) -> TokenCost:
    """Measure one generated token after `context` tokens.

    FLOPs are the mean over a whole cycle of the Mamba layers' open chunk (see `cache`), whose tokens differ.

    Raises:
        LabError: a context that is no number of tokens.
    """
    check_whole("context", context, 0)
    decoder = Decoder(model, 1, context + PENDING + 1, torch.float32)
    decoder.fill(context)
    token_B = torch.zeros(1, dtype=torch.long)
    with FlopCounterMode(display=False, custom_mapping=_CPU_PRODUCTS) as counter:
        for _ in range(PENDING):
            decoder.step(token_B)
    return TokenCost(sum(cache_bytes(decoder.caches).values()), counter.get_total_flops() / PENDING)


def _linear_flops(x_shape: Sequence[int], *_: Any, out_shape: Sequence[int], **__: Any) -> int:
    return 2 * prod(x_shape) * out_shape[-1]


def _attention_flops(q_shape: Sequence[int], k_shape: Sequence[int], *_: Any, **__: Any) -> int:
    return 4 * prod(q_shape) * k_shape[-2]  # q k^T and the weighted sum of v


# The two products of decoding that torch's counter does not know, because only the CPU has them.
_CPU_PRODUCTS = {
    torch.ops.mkldnn._linear_pointwise: _linear_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
}


def tokens_per_second(
    model: HybridLM, batch: int, context: int, tokens: int, dtype: torch.dtype = torch.bfloat16
) -> float:
    """Tokens a second that a batch generates, each sequence after `context` tokens, all sequences counted.

    The median over cycles of the Mamba layers' open chunk, so that one interruption does not count.

    Raises:
        LabError: a batch, context or number of tokens that is none.
    """
    for name, value, least in (("batch", batch, 1), ("context", context, 0), ("tokens", tokens, 1)):
        check_whole(name, value, least)
    cycle = min(PENDING, tokens)
    decoder = Decoder(model, batch, context + WARM_UP + tokens + 1, dtype)
    decoder.fill(context)
    token_B = torch.zeros(batch, dtype=torch.long)
    for _ in range(WARM_UP):
        decoder.step(token_B)
    seconds = []
    for _ in range(tokens // cycle):
        began = time.perf_counter()
        for _ in range(cycle):
            decoder.step(token_B)
        seconds.append(time.perf_counter() - began)
    return batch * cycle / median(seconds)
