"""Learning-rate schedules as functions of the update's number: no scheduler object, no state to save.

Updates count from 1: warm-up reaches the peak exactly at update `warmup_steps`, decay reaches the minimum
exactly at update `steps`, and no update is spent at a learning rate of zero. The schedulers of PyTorch and
`transformers` count from 0; their value at index t is ours at update t.

Nemotron-H decays by a cosine to 1 % of the peak (arXiv 2504.03624, section 2.4); Nemotron Nano 2 and the
NVFP4 runs warm up, stay and decay over the last part (WSD). The shapes of that decay are Megatron-LM's
`linear` and `minus_sqrt`.
"""

from __future__ import annotations

import math

from nemo_lab.training.settings import TrainSettings


def learning_rate(update: int, settings: TrainSettings) -> float:
    """Learning rate of update number `update`, counted from 1.

    With s the share of the peak from the functions below and m = `min_lr_ratio`:
    peak_lr · update / warmup_steps during warm-up, then peak_lr · (m + (1 - m) · s).
    """
    if update < settings.warmup_steps:
        return settings.peak_lr * update / settings.warmup_steps
    low = settings.min_lr_ratio
    return settings.peak_lr * (low + (1 - low) * _share(update, settings))


def _share(update: int, settings: TrainSettings) -> float:
    if settings.schedule == "cosine":
        return cosine_share(update, settings.warmup_steps, settings.steps)
    if settings.schedule == "wsd":
        start = settings.steps - round(settings.decay_fraction * settings.steps)
        return decay_share(update, max(start, settings.warmup_steps), settings.steps, settings.decay_shape)
    return 1.0


def cosine_share(update: int, start: int, end: int) -> float:
    """(1 + cos(π p)) / 2 with p = (update - start) / (end - start): 1 at `start`, 0 at `end`."""
    return 0.5 * (1 + math.cos(math.pi * _progress(update, start, end)))


def decay_share(update: int, start: int, end: int, shape: str) -> float:
    """1 up to `start`, then 1 - p (`linear`) or 1 - √p (`minus_sqrt`), p as in `cosine_share`."""
    progress = _progress(update, start, end)
    return 1 - (math.sqrt(progress) if shape == "minus_sqrt" else progress)


def _progress(update: int, start: int, end: int) -> float:
    if end <= start:
        return 0.0
    return min(max((update - start) / (end - start), 0.0), 1.0)
