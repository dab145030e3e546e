"""Proxies a minute: ours side by side against the same proxies run one by one with Hugging Face.

    python -m nemo_lab.studies.performance.proxies ours --proxies 8
    python -m nemo_lab.studies.performance.proxies hf --proxies 8

A proxy is trained on a mixture and scored on held-out text. Ours are what every search trains, `train_proxies` with
one process a core. Theirs is what one would write with `transformers`: a loop over mixtures, each a fresh
`nemotron_h` of attention and feed-forward layers with our initial weights, a training loop under bf16 autocast with
fused AdamW on all threads, then the scoring. Models have no positions, so that both compute the same function;
batches, steps, clipping and learning rates are equal, and so must be the scores, up to the rounding of bf16.

`measure` starts such a process, see `nemo_lab.studies.performance.sides`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nemo_lab.corpora import tokenization
from nemo_lab.mixing.pipeline import transformer
from nemo_lab.mixing.pools import Blend, Floats, Pools, draw_table, pools_by
from nemo_lab.mixing.proxies import ProxyPlan, held_out_from, new_model, train_proxies
from nemo_lab.mixing.samplers import sample_mixtures
from nemo_lab.studies.performance.sides import Benchmark, Result, main, run_side
from nemo_lab.training import Packed, TrainSettings
from nemo_lab.training.optimizer import adamw, clip_gradients, set_learning_rate
from nemo_lab.training.schedules import learning_rate

SIDES = ("ours", "hf")
SOURCES = 4
WORDS = 30_000  # of each source


@dataclass(frozen=True)
class ProxySizes:
    """How many proxies, and how large; the defaults are notebook 03's at laptop scale."""

    proxies: int = 8
    steps: int = 20
    batch_size: int = 16
    length: int = 128
    width: int = 32
    pairs: int = 2
    vocab_size: int = 1024


BENCHMARK = Benchmark("nemo_lab.studies.performance.proxies", {"side": SIDES}, ProxySizes)


def measure(side: str, sizes: ProxySizes) -> Result:
    """Time one side in a process of its own; returns seconds, proxies a minute, and the score of each proxy.

    Raises:
        LabError: an unknown side, or the process failed; the sentence gives its last line.
    """
    return run_side(BENCHMARK, [side], sizes)


def random_plan(sizes: ProxySizes) -> ProxyPlan:
    """Sources of random words; every row is one document, because Hugging Face's model knows no documents."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("abcdefghij"), size=n)) for n in random.integers(2, 8, 500)]
    texts = [" ".join(random.choice(words, size=WORDS)) for _ in range(SOURCES)]
    tokenizer = tokenization.train(texts, sizes.vocab_size)
    packed = pools_by({"text": texts, "source": list("abcd")}, "source", tokenizer, sizes.length)
    pools = Pools(
        {
            name: Packed(rows.tokens_NL, rows.targets_NL, np.zeros_like(rows.document_NL))
            for name, rows in packed.rows.items()
        }
    )
    config = transformer(sizes.width, sizes.pairs, sizes.vocab_size).with_(rope_theta=0.0)
    settings = TrainSettings(sizes.steps, sizes.batch_size, 8e-3, min_lr_ratio=0.0)
    held_out = [" ".join(random.choice(words, size=100)) for _ in range(20)]
    return ProxyPlan(pools, config, settings, held_out_from({"held out": held_out}, tokenizer))


def run_ours(plan: ProxyPlan, mixtures_MK: Floats) -> list[float]:
    """Train and score all proxies side by side."""
    return train_proxies(plan, mixtures_MK, n_jobs=os.cpu_count() or 1)["held out"].tolist()


def run_hf(plan: ProxyPlan, mixtures_MK: Floats) -> list[float]:
    """Train and score the same proxies one after the other."""
    scores = []
    for weights_K in mixtures_MK:
        model = HFProxy(plan)
        train_hf(model, plan, weights_K)
        scores.append(plan.held_out.score(model, plan.settings, plan.pools.length)["held out"])  # type: ignore[arg-type]
    return scores


class HFProxy(nn.Module):
    """Hugging Face's model with our initial weights, behind the `loss` that scoring calls."""

    def __init__(self, plan: ProxyPlan) -> None:
        super().__init__()
        from nemo_lab.modeling.huggingface import to_hf

        self.model = to_hf(new_model(plan, 0))

    def loss(
        self, tokens_BL: torch.Tensor, targets_BL: torch.Tensor, document_BL: Any, reduction: str = "none"
    ) -> torch.Tensor:
        """Nats of every prediction, [B, L]; the documents of a row are not told apart."""
        logits_BLV = self.model(tokens_BL, use_cache=False).logits.float()
        return F.cross_entropy(logits_BLV.transpose(1, 2), targets_BL, reduction=reduction)


def train_hf(model: HFProxy, plan: ProxyPlan, weights_K: Floats) -> None:
    """The plain loop that one writes with `transformers`, with our optimizer's groups, clipping and schedule."""
    settings = plan.settings
    blend = Blend(plan.pools, draw_table(weights_K, settings.steps, settings.batch_size, 0), 0)
    optimizer = adamw(model, settings)
    model.train()
    for step in range(settings.steps):
        batch = blend(step)
        with torch.autocast("cpu", torch.bfloat16):
            nats_BL = model.loss(*batch)
        (nats_BL.sum() / (batch.targets_BL >= 0).sum()).backward()
        clip_gradients(model.parameters(), settings.clip)
        set_learning_rate(optimizer, learning_rate(step + 1, settings))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def run(words: Sequence[str], sizes: ProxySizes) -> Result:
    """Time the side that the only word names; two proxies load libraries and start processes before the clock runs."""
    plan, train_all = random_plan(sizes), {"ours": run_ours, "hf": run_hf}[words[0]]
    mixtures_MK = sample_mixtures("flat", plan.pools.natural_K, max(2, sizes.proxies), 0)
    train_all(plan, mixtures_MK[:2])
    began = time.perf_counter()
    scores = train_all(plan, mixtures_MK[: sizes.proxies])
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "proxies_per_minute": 60 * sizes.proxies / seconds, "scores": scores}


if __name__ == "__main__":
    sys.exit(main(BENCHMARK, run))
