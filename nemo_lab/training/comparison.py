"""One run of a comparison: train a fresh model, score it, return numbers.

What is compared (patterns, recipes, mixtures) differs from notebook to notebook; that every side gets the
same data in the same order, the same updates and the same evaluation should not depend on the notebook. So
the runs of a comparison go through these functions, side by side by `run_many`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training.evaluate import bits_per_byte_by_domain
from nemo_lab.training.loop import train
from nemo_lab.training.packing import Packed
from nemo_lab.training.settings import TrainSettings


def score_language(
    config: HybridConfig, seed: int, data: Packed, settings: TrainSettings, tokenizer: Any, held_out: Any
) -> dict[str, float]:
    """Train one model on `data` and return its bits per byte by domain, the mean as `mean`, and its speed.

    `seed` decides the initial weights and the order of the rows, `settings.seed` is not used. `held_out` has
    the columns text and corpus. `tokens_per_second` is of training, on one thread beside other runs.
    """
    model, history = trained_model(config, seed, data, settings)
    length = data.tokens_NL.shape[1]
    bits = bits_per_byte_by_domain(model, tokenizer, held_out, length=length, precision=settings.precision)
    speed = float(history.tokens.iloc[-1] / history.seconds.iloc[-1])
    return bits | {"mean": sum(bits.values()) / len(bits), "tokens_per_second": speed}


def trained_model(config: HybridConfig, seed: int, data: Any, settings: TrainSettings) -> tuple[HybridLM, Any]:
    """Return a model trained from the weights and in the order of `seed`, and its history."""
    model = HybridLM(config, seed=seed)
    history = train(model, data, replace(settings, seed=seed), progress=False)
    return model, history
