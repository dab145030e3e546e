"""What Nemotron-CC prints of its buckets and classifiers, and what these numbers imply."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from nemo_lab.curation.filters.buckets import BINS, LABELS, numbers, ranks_of
from nemo_lab.errors import LabError, check_number, check_whole

# Table 2 of the paper: billions of tokens.
PUBLISHED_TOKENS = {"high": 553, "medium-high": 504, "medium": 2023, "medium-low": 894, "low": 402}
# Table 9: (share of high quality in per cent, MMLU, printed average, average without SIQA) on 13 snapshots, 8B, 1T.
PUBLISHED_CLASSIFIERS = {
    "FineWeb-Edu": (8, 55.4, 59.0, 60.6),
    "DCLM": (11, 56.0, 58.4, 61.5),
    "ours-Mixtral": (9, 53.2, 58.1, 59.6),
    "ours-Nemotron": (14, 54.9, 58.0, 61.0),
    "ensemble": (25, 56.4, 59.4, 61.1),
}
_NODES = np.linspace(-9, 9, 7201)  # of the trapezoidal rule, exact to 1e-9 for such an integrand below ρ = 0.999


def published_shares() -> dict[str, float]:
    """Return the paper's split in per cent of its tokens."""
    total = sum(PUBLISHED_TOKENS.values())
    return {label: 100 * tokens / total for label, tokens in PUBLISHED_TOKENS.items()}


def implied_shares(correlation: float, scorers: int = 3) -> dict[str, float]:
    """Return the split in per cent that scorers of this pairwise correlation give under a Gaussian copula.

    Raises:
        LabError: a correlation outside 0 to 1, or fewer than one scorer.
    """
    check_number("correlation", correlation, least=0, most=1)
    check_whole("scorers", scorers)
    below = [_below(k / BINS, correlation, scorers) for k in range(BINS + 1)]
    return {label: 100 * (below[high + 1] - below[low]) for label, (low, high) in LABELS.items()}


def implied_correlation(split: Mapping[str, float]) -> float:
    """Return the correlation, to 0.01, whose split is nearest to this one (sum of squared differences).

    Raises:
        LabError: a label without a share, or a share that is no number.
    """
    if set(split) != set(LABELS):
        raise LabError(f"The split has the labels {sorted(split)}, expected {', '.join(LABELS)}.")
    numbers(list(split.values()), "shares")
    grid = np.arange(0, 100) / 100

    def distance(correlation: float) -> float:
        implied = implied_shares(correlation)
        return sum((implied[label] - split[label]) ** 2 for label in LABELS)

    return float(min(grid.tolist(), key=distance))


def noisy_copies(scores: ArrayLike, correlation: float, count: int, seed: int) -> list[NDArray[np.float64]]:
    """Return copies of one scorer with noise, which correlate with each other as asked: no scorer of their own.

    The scorer's normal quantiles q and independent normal noise e give q + e √((1 - ρ) / ρ).

    Raises:
        LabError: a correlation that is not above 0 and at most 1, less than one copy, or what `numbers` raises.
    """
    check_number("correlation", correlation, above=0, most=1)
    check_whole("count", count)
    generator = np.random.default_rng(seed)
    quantiles = norm.ppf((ranks_of(numbers(scores, "scores")) + 0.5) / np.size(scores))
    spread = np.sqrt((1 - correlation) / correlation)
    return [quantiles + spread * generator.normal(size=len(quantiles)) for _ in range(count)]


def _below(level: float, correlation: float, scorers: int) -> float:
    """P(all scores are below the quantile of `level`)."""
    if level in (0.0, 1.0):
        return level
    if correlation == 1:
        return level
    weights = norm.pdf(_NODES)
    inside = norm.cdf((norm.ppf(level) - np.sqrt(correlation) * _NODES) / np.sqrt(1 - correlation))
    return float((weights * inside**scorers).sum() / weights.sum())
