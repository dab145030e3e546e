"""Random mixtures on the simplex: where a search over mixtures begins, and what it may choose from.

All samplers take the prior (natural shares, at least for the papers) and return rows that sum to 1.

    prior    Dirichlet(s · p), p the prior with its differences softened (p^0.5), the strength s drawn anew for
             each mixture from 15 values between 0.1 and 5: a small s gives peaked mixtures, a large one
             mixtures near p. Mixtures with a weight over 15 times its natural share are drawn again. This is
             RegMix's sampler (arXiv 2407.01492, code), which CLIMB uses for its first round (code).
    sparse   Dirichlet(prior) with a total concentration of 1, no bound: CLIMB's code draws the candidates of
             later rounds and of the final answer from it. With 21 equal clusters its mean largest weight is
             0.64, so that a 'sparse' optimum is found because only sparse ones were looked at.
    flat     Dirichlet(1, …, 1): uniform over the simplex, the control that knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nemo_lab.errors import check_whole, one_of
from nemo_lab.mixing.pools import Floats, MixingError, check_mixture

TEMPERATURE = 0.5
STRENGTHS = np.geomspace(0.1, 5.0, 15)
MAX_RATIO = 15.0  # of a weight to its natural share
MIN_WEIGHT = 2e-4  # smaller weights become 0
BLOCK = 256  # mixtures drawn at once; of the same seed, fewer mixtures are the first of more
TRIES = 1000  # blocks


def sample_mixtures(sampler: str, prior_K: Floats, count: int, seed: int) -> Floats:
    """Return `count` mixtures, [count, K], from one of `SAMPLERS`.

    Args:
        sampler: prior, sparse or flat.
        prior_K: K positive shares that sum to 1.
        count: how many.
        seed: decides which.

    Raises:
        MixingError: an unknown sampler, a prior off the simplex or with a zero, a count below 1.
    """
    if sampler not in list(SAMPLERS):  # a list has no hash
        raise MixingError(one_of("sampler", sampler, list(SAMPLERS)))
    check_whole("count", count, kind=MixingError)
    check_whole("seed", seed, 0, kind=MixingError)
    prior_K = check_mixture(prior_K, np.size(prior_K))
    if prior_K.min() <= 0:
        raise MixingError("A source with a share of 0 cannot be mixed; leave it out of the pools.")
    return SAMPLERS[sampler](prior_K, count, np.random.default_rng(seed))


def _prior(prior_K: Floats, count: int, random: np.random.Generator) -> Floats:
    soft_K = prior_K**TEMPERATURE / (prior_K**TEMPERATURE).sum()
    kept: list[Floats] = []
    for _ in range(TRIES + count // BLOCK):
        strengths = random.choice(STRENGTHS, size=BLOCK)
        drawn = _dirichlet(strengths[:, None] * soft_K, random)
        kept.extend(drawn[(drawn <= MAX_RATIO * prior_K).all(1)])
        if len(kept) >= count:
            return _without_crumbs(np.stack(kept[:count]))
    raise MixingError(
        f"No mixture keeps every weight under {MAX_RATIO:g} times its natural share after {TRIES} tries; "
        "use the sampler 'flat', or merge the sources that are very small."
    )


def _dirichlet(alpha_NK: Floats, random: np.random.Generator) -> Floats:
    """One draw a row, as normalised gamma variates; rows in which all underflow are left out."""
    drawn_NK = random.standard_gamma(alpha_NK)
    total_N = drawn_NK.sum(1)
    return drawn_NK[total_N > 0] / total_N[total_N > 0, None]


def _without_crumbs(mixtures: Floats) -> Floats:
    kept = np.where(mixtures < MIN_WEIGHT, 0.0, mixtures)
    return kept / kept.sum(1, keepdims=True)


def _sparse(prior_K: Floats, count: int, random: np.random.Generator) -> Floats:
    kept = np.empty((0, len(prior_K)))
    while len(kept) < count:
        kept = np.vstack([kept, _dirichlet(np.tile(prior_K, (BLOCK, 1)), random)])
    return kept[:count]


def _flat(prior_K: Floats, count: int, random: np.random.Generator) -> Floats:
    return random.dirichlet(np.ones(len(prior_K)), size=count)


SAMPLERS: Mapping[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    "prior": _prior,
    "sparse": _sparse,
    "flat": _flat,
}
