"""The throughput ratios that the papers print, beside what the formulas of `roofline` give for the same models."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nemo_lab.modeling.roofline import HARDWARE, throughput

_NH = "Nemotron-H section 2.6"


@dataclass(frozen=True)
class PublishedRatio:
    """A speed-up that a paper states: tokens/s per GPU of `model` over `baseline`, each at its largest batch.

    `gpus` is our assumption where one GPU cannot hold the models; the papers do not say.
    """

    model: str
    baseline: str
    ratio: float
    hardware: str
    inputs: int
    outputs: int
    gpus: int
    source: str


PUBLISHED_RATIOS = (
    PublishedRatio("nemotron-h-8b", "nemotron-t-8b", 2.2, "h100", 65536, 1024, 1, "read off Figure 7"),
    PublishedRatio("nemotron-h-8b", "llama-3.1-8b", 3.0, "h100", 65536, 1024, 1, _NH),
    PublishedRatio("nemotron-h-8b", "qwen2.5-7b", 1.8, "h100", 65536, 1024, 1, _NH),
    PublishedRatio("nemotron-h-56b", "llama-3.1-70b", 2.4, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-56b", "qwen2.5-72b", 2.4, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-47b", "llama-3.1-70b", 2.9, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-56b", "llama-3.1-405b", 19.6, "h100", 65536, 1024, 16, _NH),
    PublishedRatio("nemotron-nano-9b-v2", "qwen3-8b", 3.3, "a10g", 1024, 8192, 1, "Nano v2, from digests"),
    PublishedRatio("nemotron-nano-9b-v2", "qwen3-8b", 6.3, "a10g", 8192, 16384, 1, "Nano v2, from digests"),
)


def compare_published(**options: Any) -> list[dict[str, Any]]:
    """The stated speed-ups beside the roofline's, one row each, ready for a DataFrame.

    `options` go to `throughput` (efficiencies, memory_share); both models of a row get the same.
    """
    from nemo_lab.modeling.presets import preset

    rows = []
    for published in PUBLISHED_RATIOS:
        models = (preset(name) for name in (published.model, published.baseline))
        card, lengths = HARDWARE[published.hardware], (published.inputs, published.outputs)
        ours, theirs = (throughput(model, card, *lengths, gpus=published.gpus, **options) for model in models)
        row = {
            "roofline_ratio": ours.tokens_per_second / theirs.tokens_per_second,
            "model_batch": ours.batch,
            "baseline_batch": theirs.batch,
            "model_tokens_per_second": ours.tokens_per_second,
            "baseline_tokens_per_second": theirs.tokens_per_second,
        }
        rows.append(asdict(published) | row)
    return rows
