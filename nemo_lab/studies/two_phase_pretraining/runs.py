"""One run of a comparison of blends: train a fresh model on a table of rows, score it on every source.

Whatever is compared (orders, weights, horizons), the seed alone decides the initial weights and the order of
rows inside the sources, so that all arms of one seed begin alike and their differences are paired.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nemo_lab.mixing.blends import BlendSchedule
from nemo_lab.mixing.pools import Pools
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import TrainSettings, bits_per_byte_by_domain, train


def score_schedule(
    schedule: BlendSchedule,
    order: str,
    seed: int,
    *,
    pools: Pools,
    config: HybridConfig,
    settings: TrainSettings,
    tokenizer: Any,
    held_out: Any,
) -> dict[str, float]:
    """Train one model on a schedule and return its bits per byte by domain of `held_out`.

    Args:
        schedule: sources, phases and weights.
        order: one of `blends.ORDERS`.
        seed: of the initial weights and of the rows; `settings.seed` is not used.
        pools: the packed rows of the schedule's sources.
        config: the model's shape.
        settings: updates, rows and learning rate.
        tokenizer: the one the pools were packed with.
        held_out: documents with the columns text and corpus.
    """
    blend = schedule.blend(pools, settings.steps, settings.batch_size, seed, order)
    model = HybridLM(config, seed=seed)
    train(model, blend, replace(settings, seed=seed), progress=False)
    return bits_per_byte_by_domain(
        model, tokenizer, held_out, length=pools.length, batch_size=32, precision=settings.precision
    )
