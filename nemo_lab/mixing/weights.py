"""Weights for sources: by size, by quality and epochs, and the controls.

The paper's guidance (arXiv 2412.15285, as Nemotron-H restates it in section 2.2.3): sources of equal quality
get similar weights, better ones more, and no source is read too often. It prints no formula; `quality_blend`
is ours.

Shapes: K sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nemo_lab.errors import check_number, check_text, one_of
from nemo_lab.mixing.pools import Floats, MixingError, Pools

MAX_EPOCHS = 4.0
"""Up to about four epochs repeated data is nearly as good as fresh data (Muennighoff et al., arXiv 2305.16264)."""


@dataclass(frozen=True)
class Source:
    """One source of text: its unique tokens and its quality, a number of any scale, higher is better."""

    name: str
    tokens: int
    quality: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a source without tokens or with a quality that is no number."""
        check_text("name of a source", self.name, kind=MixingError)
        check_number(f"tokens of source {self.name!r}", self.tokens, least=1, kind=MixingError)
        check_number(f"quality of source {self.name!r}", self.quality, kind=MixingError)


def check_sources(sources: Sequence[Source]) -> None:
    """Refuse what is no list of sources, or an empty one.

    Raises:
        MixingError: says what it is.
    """
    if not isinstance(sources, Sequence) or not sources or not all(isinstance(one, Source) for one in sources):
        raise MixingError(f"sources are {sources!r:.60}, expected a list of Source, at least one.")


def sources_of(pools: Pools, quality: Mapping[str, float] | None = None) -> tuple[Source, ...]:
    """Sources of packed pools, in their order; `quality` by name, 0 where it is left out."""
    known = {} if quality is None else quality
    if not isinstance(pools, Pools) or not isinstance(known, Mapping):
        raise MixingError(f"pools are {pools!r:.40} and quality {known!r:.40}, expected Pools and a number by name.")
    unknown = sorted(set(known) - set(pools.names))
    if unknown:
        raise MixingError(one_of("source", unknown[0], pools.names))
    pairs = zip(pools.names, pools.tokens_K.tolist(), strict=True)
    return tuple(
        Source(name, tokens, check_number(f"quality of {name!r}", known.get(name, 0), kind=MixingError))
        for name, tokens in pairs
    )


def natural_blend(sources: Sequence[Source]) -> Floats:
    """Every source by its size: w_i = N_i / Σ N, the mixture nobody chose."""
    return power_blend(sources, 1.0)


def power_blend(sources: Sequence[Source], power: float) -> Floats:
    """w_i ∝ N_i^power: 1 is the natural distribution, 0 equal weights, below 0 the scarce sources lead.

    Raises:
        MixingError: no source, or a power that is no number.
    """
    check_sources(sources)
    check_number("power", power, kind=MixingError)
    logs_K = power * np.log([source.tokens for source in sources])
    raised_K = np.exp(logs_K - logs_K.max())
    return raised_K / raised_K.sum()


def quality_blend(
    sources: Sequence[Source], horizon: int, *, ratio: float = 4.0, max_epochs: float = MAX_EPOCHS
) -> Floats:
    """Weights from quality and epochs: the better a source the heavier, and none beyond `max_epochs`.

    With p_i the place of source i's quality between the worst (0) and the best (1),

        w_i ∝ ratio^p_i,   w_i ≤ max_epochs · N_i / T,

    what the limit takes from a source goes to the others in proportion to their weights.

    Raises:
        MixingError: no source, a ratio or horizon that is not positive, or too little text at that limit.
    """
    if ratio <= 0 or horizon < 1 or not sources:
        raise MixingError(
            f"ratio is {ratio} and horizon {horizon} for {len(sources)} sources; expected a positive ratio such as 4, "
            "a horizon of at least 1 token and at least one source."
        )
    quality_K = np.array([source.quality for source in sources], dtype=np.float64)
    limit_K = max_epochs * np.array([source.tokens for source in sources], dtype=np.float64) / horizon
    if limit_K.sum() < 1 - 1e-9:
        raise MixingError(
            f"At {max_epochs:g} epochs the sources fill {limit_K.sum():.0%} of a horizon of {horizon:,} tokens; "
            "allow more epochs, shorten the run or find more text."
        )
    return _filled(ratio ** place_of(quality_K), limit_K)


def place_of(quality_K: Floats) -> Floats:
    """Return quality from 0 (worst) to 1 (best); one half for all where all are equal."""
    low, high = quality_K.min(), quality_K.max()
    return (quality_K - low) / (high - low) if high > low else np.full(len(quality_K), 0.5)


def _filled(wanted_K: Floats, limit_K: Floats) -> Floats:
    """Scale `wanted_K` to sum to 1 with no entry above its limit (water filling); both must be numbers."""
    if not np.isfinite(wanted_K).all() or np.isnan(limit_K).any():
        wanted, limit = wanted_K.tolist(), limit_K.tolist()
        raise MixingError(
            f"Weights {wanted} up to {limit} cannot be filled; give a finite ratio, horizon and max_epochs."
        )
    weights_K = wanted_K / wanted_K.sum()
    full_K = np.zeros(len(wanted_K), dtype=bool)
    while ((over_K := weights_K > limit_K) & ~full_K).any():
        full_K |= over_K
        rest = max(1 - limit_K[full_K].sum(), 0.0)
        free = wanted_K[~full_K].sum()
        weights_K = np.where(full_K, limit_K, wanted_K * (rest / free if free else 0.0))
    return weights_K / weights_K.sum()


def deal_reversed(weights_K: Floats, quality_K: Floats) -> Floats:
    """The same weights in reversed order of quality: what the best source had, the worst one gets."""
    rank_K = np.argsort(quality_K, kind="stable")
    dealt_K = np.empty_like(weights_K)
    dealt_K[rank_K] = weights_K[rank_K[::-1]]
    return dealt_K
