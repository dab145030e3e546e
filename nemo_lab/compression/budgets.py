"""Budgets of deployment: what a compressed model must fit into, for the published sizes, by arithmetic.

    bytes = parameters · bytes a weight + batch · (KV bytes a token · context + states)

Two budgets decide the papers' compressions. MiniPuzzle (Nemotron-H, arXiv 2504.03624, section 3) fits 47 B
parameters in FP4 and a million tokens of context into 31.7 GiB of a 32 GiB card. Nano v2 (arXiv 2508.14444,
from digests of the paper) fits 128k tokens into an A10G: 22.06 GiB, less 5 % for the framework and 1.3 GiB
for a vision encoder. A million tokens is read as 10^6. Activations are not counted, as in the papers.

A search takes any size of a configuration: `deployed_gib`, `costs.parameter_count`, or `decode_seconds`, which is
the only one that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product

from nemo_lab.errors import check_number
from nemo_lab.modeling import HybridConfig, HybridLM, costs, measure
from nemo_lab.modeling.costs import GIB


def deployed_gib(
    config: HybridConfig,
    context: int,
    *,
    batch: int = 1,
    weight_bits: float = 16,
    kv_bits: float = 16,
    ssm_bits: float = 16,
) -> float:
    """GiB of weights and of the caches of `batch` sequences of `context` tokens; convolution tails in bf16.

    Raises:
        LabError: a length, number or width that is none, or below 0.
    """
    bits = {"weight_bits": weight_bits, "kv_bits": kv_bits, "ssm_bits": ssm_bits}
    for name, value in {"context": context, "batch": batch, **bits}.items():
        check_number(name, value, least=0)
    cache = costs.cache_bytes(config, context, kv_bytes=kv_bits / 8, ssm_bytes=ssm_bits / 8)
    return (costs.weight_bytes(config, weight_bits / 8) + batch * cache) / GIB


def decode_seconds(config: HybridConfig, context: int, tokens: int) -> float:
    """Measured seconds a token of one sequence behind `context` tokens, the fastest of three trials of `tokens`.

    Weights are random: what a token costs does not depend on them. Nor does it depend on the order of the layers, so
    that each shape is timed once by a process; whoever needs another sample starts another process.
    """
    return _timed(config.with_(pattern="".join(sorted(config.pattern))), context, tokens)


@cache
def _timed(config: HybridConfig, context: int, tokens: int) -> float:
    model = HybridLM(config).eval()
    return min(1 / measure.tokens_per_second(model, 1, context, tokens) for _ in range(3))


@dataclass(frozen=True)
class Sized:
    """A configuration and what it takes, in the unit of the search."""

    config: HybridConfig
    size: float


def widths_under(
    parent: HybridConfig,
    budget: float,
    size: Callable[[HybridConfig], float],
    *,
    d_models: Iterable[int],
    d_ffs: Iterable[int],
    heads: Iterable[int],
) -> list[Sized]:
    """Every combination of widths that fits, the largest first: the order in which Nano v2 picks candidates.

    Args:
        parent: gives the pattern and all that is not searched. size: what `budget` bounds, of a configuration.

    Raises:
        LabError: a budget that is no number, or a width that no model has.
    """
    check_number("budget", budget)
    grid = (parent.with_(d_model=d, d_ff=f, ssm_heads=h) for d, f, h in product(d_models, d_ffs, heads))
    sized = (Sized(config, size(config)) for config in grid)
    return sorted((one for one in sized if one.size <= budget), key=lambda one: -one.size)
