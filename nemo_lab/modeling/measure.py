"""What decoding one token really costs here: bytes held, operations done, tokens a second.

`costs` derives the same from formulas; these functions read the buffers, let torch count the products and
look at the clock. The context is filled with random memories (`Decoder.fill`), so that 8,192 tokens need not
be read first; what a token costs does not depend on what the memories say.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from nemo_lab.modeling.cache import PENDING, cache_bytes
from nemo_lab.modeling.decode import Decoder
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
    """
    decoder = Decoder(model, 1, context + PENDING + 1, torch.float32)
    decoder.fill(context)
    token_B = torch.zeros(1, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        for _ in range(PENDING):
            decoder.step(token_B)
    return TokenCost(sum(cache_bytes(decoder.caches).values()), counter.get_total_flops() / PENDING)


def tokens_per_second(
    model: HybridLM, batch: int, context: int, tokens: int, dtype: torch.dtype = torch.bfloat16
) -> float:
    """Tokens a second that a batch generates, each sequence after `context` tokens, all sequences counted."""
    decoder = Decoder(model, batch, context + WARM_UP + tokens + 1, dtype)
    decoder.fill(context)
    token_B = torch.zeros(batch, dtype=torch.long)
    for _ in range(WARM_UP):
        decoder.step(token_B)
    began = time.perf_counter()
    for _ in range(tokens):
        decoder.step(token_B)
    return batch * tokens / (time.perf_counter() - began)
