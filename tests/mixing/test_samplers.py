"""Samplers stay on the simplex, keep their bounds, and have the distributions that their docstrings claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import samplers
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.samplers import sample_mixtures
from tests.recorders import assert_seed_decides

shares = st.lists(st.floats(0.05, 1.0), min_size=2, max_size=12).map(lambda x: np.array(x) / sum(x))


@settings(max_examples=30, deadline=None)
@given(prior_K=shares, count=st.integers(1, 20), seed=st.integers(0, 1000), name=st.sampled_from([*samplers.SAMPLERS]))
def test_mixtures_lie_on_the_simplex_and_follow_from_the_seed(prior_K, count, seed, name):
    mixtures = sample_mixtures(name, prior_K, count, seed)
    assert mixtures.shape == (count, len(prior_K))
    assert mixtures.min() >= 0
    assert np.allclose(mixtures.sum(1), 1)
    assert np.array_equal(mixtures, sample_mixtures(name, prior_K, count, seed))


def test_prior_sampler_keeps_the_bound_and_leaves_no_crumbs():
    prior_K = np.array([0.9, 0.06, 0.04])
    mixtures = sample_mixtures("prior", prior_K, 2000, 0)
    # Removing crumbs scales what is left up by less than 1 / (1 - 2 · 2e-4).
    assert (mixtures <= samplers.MAX_RATIO * prior_K / (1 - 2 * samplers.MIN_WEIGHT)).all()
    assert mixtures[mixtures > 0].min() >= samplers.MIN_WEIGHT
    assert mixtures[:, 2].max() > 0.5, "the bound of 0.6 is nearly reached"


@pytest.mark.parametrize("name", [*samplers.SAMPLERS])
def test_fewer_mixtures_are_the_first_of_more(name):
    """So that a search of one round and one of several begin with the same proxies."""
    prior_K = np.array([0.5, 0.3, 0.2])
    assert np.array_equal(sample_mixtures(name, prior_K, 7, 3), sample_mixtures(name, prior_K, 600, 3)[:7])


def test_prior_sampler_softens_the_prior():
    prior_K = np.array([0.7, 0.2, 0.1])
    soft_K = np.sqrt(prior_K) / np.sqrt(prior_K).sum()
    found_K = sample_mixtures("prior", prior_K, 20_000, 0).mean(0)
    assert np.abs(found_K - soft_K).max() < 0.02
    assert np.abs(found_K - prior_K).max() > 0.1


def test_sparse_sampler_is_as_peaked_as_the_sheet_computed():
    """Dirichlet(1/21, …): mean largest weight 0.64, median 4 clusters above 1 %, 12 % nearly one cluster alone."""
    mixtures = sample_mixtures("sparse", np.full(21, 1 / 21), 20_000, 0)
    largest = mixtures.max(1)
    assert largest.mean() == pytest.approx(0.64, abs=0.01)
    assert np.median((mixtures > 0.01).sum(1)) == 4
    assert (largest > 0.9).mean() == pytest.approx(0.12, abs=0.01)


def test_moments_of_sparse_and_flat_are_dirichlets():
    prior_K = np.array([0.5, 0.3, 0.2])
    for name, alpha_K in {"sparse": prior_K, "flat": np.ones(3)}.items():
        found = sample_mixtures(name, prior_K, 40_000, 1)
        total, mean_K = alpha_K.sum(), alpha_K / alpha_K.sum()
        assert np.allclose(found.mean(0), mean_K, atol=0.01)
        assert np.allclose(found.var(0), mean_K * (1 - mean_K) / (total + 1), atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("dirichlet", [0.5, 0.5], 3, 0), "sampler 'dirichlet'"),
        (("prior", [0.5, 0.5], 0, 0), "at least 1"),
        (("prior", [1.0, 0.0], 3, 0), "share of 0"),
        (("prior", [0.7, 0.7], 3, 0), "sum to 1.4"),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(MixingError, match=words):
        sample_mixtures(arguments[0], np.array(arguments[1]), *arguments[2:])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sampler": None}, "Unknown sampler None"),
        ({"sampler": ["flat"]}, "Unknown sampler"),
        ({"count": 0}, "count is 0; it must be a whole number of at least 1"),
        ({"count": 1.5}, "count is 1.5"),
        ({"seed": None}, "seed is None"),
        ({"prior_K": None}, "weights"),
        ({"prior_K": [np.nan, 1.0]}, "must be finite and not negative"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(change, words):
    with pytest.raises(MixingError, match=words):
        sample_mixtures(**{"sampler": "flat", "prior_K": [0.5, 0.5], "count": 3, "seed": 0} | change)


@pytest.mark.parametrize("name", [*samplers.SAMPLERS])
def test_the_seed_decides(name):
    assert_seed_decides(lambda seed: sample_mixtures(name, np.array([0.5, 0.3, 0.2]), 4, seed).tolist())
