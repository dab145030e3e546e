"""Memory budgets of the papers' devices, and the candidates that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nemo_lab.compression.budgets import Sized, deployed_gib, widths_under
from nemo_lab.modeling import HybridConfig, costs
from nemo_lab.modeling.costs import GIB
from nemo_lab.modeling.presets import preset

RTX_5090_GIB = 31.7
A10G_GIB, FRAMEWORK_SHARE, VISION_GIB = 22.06, 0.05, 1.3
MILLION, NANO_CONTEXT = 10**6, 131_072
# Nano v2's second stage, ends included; the steps inside the ranges are ours, the paper's digests give none.
NANO_LAYERS, NANO_ATTENTION = 56, 4
NANO_D_MODEL, NANO_D_FF, NANO_HEADS = range(4480, 5121, 160), range(13440, 20481, 320), range(112, 129, 8)


def a10g_budget_gib() -> float:
    """22.06 · 0.95 - 1.3 = 19.66 GiB for weights and caches."""
    return A10G_GIB * (1 - FRAMEWORK_SHARE) - VISION_GIB


def nano_candidates(budget_gib: float | None = None) -> list[Sized]:
    """Nano v2's width search on the 56-layer pattern of the published 9B, at 131,072 tokens in bf16."""
    parent = preset("nemotron-nano-12b-v2").with_(pattern=preset("nemotron-nano-9b-v2").pattern)
    return widths_under(
        parent,
        a10g_budget_gib() if budget_gib is None else budget_gib,
        lambda c: deployed_gib(c, NANO_CONTEXT),
        d_models=NANO_D_MODEL,
        d_ffs=NANO_D_FF,
        heads=NANO_HEADS,
    )


def nano_models() -> dict[str, HybridConfig]:
    """The 12B parent, the child of its first stage (depth only, 56 layers) and the published 9B."""
    parent, child = preset("nemotron-nano-12b-v2"), preset("nemotron-nano-9b-v2")
    return {"12B parent": parent, "depth only": parent.with_(pattern=child.pattern), "9B, published": child}


def minipuzzle_table(bits: Sequence[tuple[float, float]] = ((16, 16), (8, 8), (4.5, 8), (4.5, 4), (4, 8))) -> Any:
    """Rows of GiB at a million tokens for the 56B and the 47B, by bits of weights and of KV; a DataFrame.

    The paper gives the bits of the weights (FP4) and the sum, not those of the cache: no row is *the* paper's.
    """
    import pandas as pd

    rows = []
    for name in ("nemotron-h-56b", "nemotron-h-47b-text"):
        for weight_bits, kv_bits in bits:
            gib = deployed_gib(preset(name), MILLION, weight_bits=weight_bits, kv_bits=kv_bits)
            weights = costs.weight_bytes(preset(name), weight_bits / 8) / GIB
            rows.append(
                {
                    "model": name,
                    "weight bits": weight_bits,
                    "KV bits": kv_bits,
                    "weights GiB": weights,
                    "GiB": gib,
                    "fits": round(gib, 1) <= RTX_5090_GIB,  # the paper's figure has one decimal
                }
            )
    return pd.DataFrame(rows)
