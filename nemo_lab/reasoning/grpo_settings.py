"""What a GRPO run is told, and the published variants as named options.

| option | published in |
| --- | --- |
| `advantage="std"` | GRPO (DeepSeekMath, arXiv 2402.03300): A = (r - mean) / std |
| `advantage="mean"` | Dr. GRPO: A = r - mean |
| `advantage="loo"` | RLOO, the default of NeMo-RL: A = r - mean of the other answers |
| `aggregate="sequence"` | GRPO: mean over an answer's tokens, then over answers |
| `aggregate="token"` | DAPO: mean over all tokens of the batch |
| `aggregate="constant"` | Dr. GRPO: sum over tokens / (answers · max_new_tokens) |
| `clip_high` above `clip_low` | DAPO's clip-higher |
| `importance="sequence"` | GSPO: one ratio an answer |
| `resamples` above 0 | DAPO's dynamic sampling |
| `overlong="mask"` or `"soft"` | DAPO's overlong filtering and soft punishment |
| `updates` above 1 | several updates a batch; Llama-Nemotron (arXiv 2505.00949, section 5) takes 2 |
| `kl` above 0 | GRPO's penalty towards a reference, with the estimator k3 |
| `sampler_cap` above 0 | truncated importance sampling between sampler and trainer |
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nemo_lab.training.settings import TrainingError

CHOICES = {
    "advantage": ("std", "mean", "loo"),
    "aggregate": ("token", "sequence", "constant"),
    "importance": ("token", "sequence"),
    "overlong": ("zero", "mask", "soft"),
    "precision": ("bf16", "fp32"),
}
LEAST = {
    "steps": 1,
    "prompts": 1,
    "group": 2,
    "max_new_tokens": 1,
    "updates": 1,
    "resamples": 0,
    "warmup_steps": 0,
    "micro_batch": 0,
    "checkpoint_every": 0,
    "seed": 0,
    "overlong_cache": 0,
}


@dataclass(frozen=True)
class GRPOSettings:
    """Group relative policy optimisation; the defaults are those of the pilots in notebook 09.

    `prompts` and `group` count the prompts of a step and the answers to each; `updates` cuts the answers of a
    step into so many optimiser updates, in whole groups; `micro_batch` is the number of answers in memory at once
    (0: all of an update) and changes no result. `overlong_cache` counts the tokens before `max_new_tokens` over
    which the soft punishment grows. `temperature` is the sampler's, and the trainer's. Every `checkpoint_every` steps
    (0: after the last only) weights and moments, three times the model, go to the run's folder.
    """

    steps: int
    prompts: int = 32
    group: int = 16
    max_new_tokens: int = 24
    peak_lr: float = 1e-3
    warmup_steps: int = 0
    temperature: float = 1.0
    advantage: str = "std"
    aggregate: str = "token"
    importance: str = "token"
    clip_low: float = 0.2
    clip_high: float = 0.2
    kl: float = 0.0
    updates: int = 1
    resamples: int = 0
    overlong: str = "zero"
    overlong_cache: int = 8
    sampler_cap: float = 0.0
    clip: float = 1.0
    micro_batch: int = 0
    precision: str = "fp32"
    seed: int = 0
    checkpoint_every: int = 0

    def __post_init__(self) -> None:
        """Refuse values that cannot work, each with a sentence of its own."""
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise TrainingError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}.")
        for name, least in LEAST.items():
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise TrainingError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        for name in ("peak_lr", "temperature", "clip_low", "clip_high", "clip"):
            if not _is_number(getattr(self, name)) or getattr(self, name) <= 0:
                raise TrainingError(f"{name} is {getattr(self, name)!r}; it must be a positive number.")
        for name in ("kl", "sampler_cap"):
            if not _is_number(getattr(self, name)) or getattr(self, name) < 0:
                raise TrainingError(f"{name} is {getattr(self, name)!r}; it must be 0 (off) or a positive number.")
        if self.prompts % self.updates:
            raise TrainingError(
                f"prompts={self.prompts} cannot be cut into updates={self.updates} equal parts; choose a divisor."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
