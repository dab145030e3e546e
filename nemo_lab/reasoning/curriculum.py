r"""A curriculum by pass rate: each batch is drawn from a Gaussian over difficulty that moves from easy to hard.

Llama-Nemotron (arXiv 2505.00949, section 5): eight answers a prompt by a model trained before give a pass rate;
prompts passed at 0.75 or more are dropped; each batch takes prompts by pass rate after a Gaussian whose centre
moves from high (easy) to low (hard) pass rates during training; what a bin cannot give comes from the largest
bins that are left; the batch is shuffled. **Our reading**, since the paper does not say: bins are the nine
possible rates k/8, the centre moves linearly from 0.7 to 0.1, sigma is 0.2, and prompts that were never passed stay.

    n_k = B w_k / sum w,   w_k = exp(-(k/8 - mu_t)^2 / (2 sigma^2)),   rounded to sum B by largest remainders
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nemo_lab.errors import check_number, check_whole
from nemo_lab.training.settings import TrainingError

ANSWERS = 8  # a prompt, by which its pass rate is measured
DROP = 0.75  # pass rate from which a prompt teaches nothing
Indices = npt.NDArray[np.int64]


def gaussian_batches(
    pass_rates: Sequence[float],
    batches: int,
    size: int,
    *,
    centres: tuple[float, float] = (0.7, 0.1),
    sigma: float = 0.2,
    drop: float = DROP,
    seed: int = 0,
) -> list[Indices]:
    """Prompts of each batch as indices into `pass_rates`; every prompt is used at most once.

    Args:
        pass_rates: share of right answers of each prompt, 0 to 1, as multiples of 1/8 or rounded to them.
        centres: of the Gaussian in the first and the last batch. sigma: its width. drop: see above.

    Raises:
        LabError: batches, a size or centres that are no numbers.
        TrainingError: too few prompts are left for so many batches, or a rate or sigma out of range.
    """
    check_whole("batches", batches)
    check_whole("size", size)
    for centre in centres:
        check_number("A centre", centre)
    bins_N = _bins(pass_rates)
    random = np.random.default_rng(seed)
    usable = np.flatnonzero(np.asarray(pass_rates) < drop)
    _check(len(usable), batches, size, sigma)
    left = [random.permutation(usable[bins_N[usable] == k]).tolist() for k in range(bins_N[usable].max() + 1)]
    chosen = []
    for mu in np.linspace(*centres, batches):
        counts = allocate(mu, sigma, [len(prompts) for prompts in left], size)
        taken = [left[k].pop() for k, count in enumerate(counts) for _ in range(count)]
        chosen.append(random.permutation(np.array(taken, dtype=np.int64)))
    return chosen


def allocate(mu: float, sigma: float, available: Sequence[int], size: int) -> list[int]:
    """How many prompts of each bin (0/8, 1/8, …) a batch takes: the Gaussian's share, as far as the bin reaches.

    Bins above those listed were dropped and have no share. Places that a bin cannot fill go one by one to the bin
    with the most prompts left.
    """
    rates = np.arange(len(available)) / ANSWERS
    log_weights = -((rates - mu) ** 2) / (2 * sigma**2)
    weights = np.exp(log_weights - log_weights.max())
    exact = size * weights / weights.sum()
    counts = np.floor(exact).astype(int)
    for k in np.argsort(counts - exact, kind="stable")[: size - counts.sum()]:
        counts[k] += 1
    left = np.array(available) - (counts := np.minimum(counts, available))
    while counts.sum() < size:
        k = int(left.argmax())
        counts[k] += 1
        left[k] -= 1
    return [int(count) for count in counts]


def fixed_batches(pass_rates: Sequence[float], batches: int, size: int, *, seed: int = 0) -> list[Indices]:
    """The control whose centre stays in the middle of the same prompts."""
    return gaussian_batches(pass_rates, batches, size, centres=(0.4, 0.4), seed=seed)


def reversed_batches(pass_rates: Sequence[float], batches: int, size: int, *, seed: int = 0) -> list[Indices]:
    """The control from hard to easy: the curriculum's own batches, last first."""
    return gaussian_batches(pass_rates, batches, size, seed=seed)[::-1]


def random_batches(pass_rates: Sequence[float], batches: int, size: int, *, seed: int = 0) -> list[Indices]:
    """The control in random order: **the same prompts** as the curriculum's, dealt to batches at random."""
    used = np.concatenate(gaussian_batches(pass_rates, batches, size, seed=seed))
    return list(np.random.default_rng([seed, 1]).permutation(used).reshape(batches, size))


def _bins(pass_rates: Sequence[float]) -> Indices:
    rates = np.asarray(pass_rates, dtype=float)
    if rates.size and not (np.isfinite(rates).all() and rates.min() >= 0 and rates.max() <= 1):
        wrong = rates[~((rates >= 0) & (rates <= 1))][0]
        raise TrainingError(f"A pass rate is {wrong}; it must be a share from 0 to 1.")
    return np.rint(rates * ANSWERS).astype(np.int64)


def _check(usable: int, batches: int, size: int, sigma: float) -> None:
    if not sigma > 0:
        raise TrainingError(f"sigma is {sigma}; it must be positive.")
    if batches * size > usable:
        raise TrainingError(
            f"{batches} batches of {size} need {batches * size} prompts, but {usable} are left below the pass rate "
            "at which they are dropped; measure more prompts or take fewer batches."
        )
