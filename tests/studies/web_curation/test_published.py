"""Nemotron-CC's printed split, and what correlated scorers imply."""

import numpy as np
import pytest

from nemo_lab.curation.filters import buckets as web
from nemo_lab.errors import LabError
from nemo_lab.studies.web_curation.published import implied_correlation, implied_shares, noisy_copies, published_shares

NAN = float("nan")


def test_three_independent_scorers_follow_the_cube():
    implied = implied_shares(0.0)
    for label, (low, high) in web.LABELS.items():
        assert implied[label] == pytest.approx(100 * (((high + 1) / 20) ** 3 - (low / 20) ** 3), abs=1e-8)


def test_equal_scorers_change_nothing():
    for label, share in implied_shares(1.0).items():
        low, high = web.LABELS[label]
        assert share == pytest.approx(5 * (high - low + 1))
    assert implied_shares(0.999)["high"] == pytest.approx(5, abs=0.35)


def test_the_published_split_follows_from_a_correlation_of_three_tenths():
    published, implied = published_shares(), implied_shares(0.3)
    assert implied_correlation(published) == pytest.approx(0.3, abs=0.011)
    for label, share in published.items():
        assert implied[label] == pytest.approx(share, abs=0.5), label
    assert any(abs(implied_shares(0.0)[label] - share) > 1.5 for label, share in published.items())


def test_the_integral_is_what_buckets_of_random_scores_show():
    generator, rho, count = np.random.default_rng(0), 0.3, 200_000
    common = generator.normal(size=count)
    scores = [np.sqrt(rho) * common + np.sqrt(1 - rho) * generator.normal(size=count) for _ in range(3)]
    found = web.shares(web.ensemble([web.into_buckets(one, web.cuts(one)) for one in scores]))
    for label, share in implied_shares(rho).items():
        assert found[label] == pytest.approx(share, abs=0.3), label
    assert web.rank_correlations(scores)[np.triu_indices(3, 1)] == pytest.approx(rho, abs=0.01)


def test_noisy_copies_correlate_as_asked_and_keep_the_scorer():
    scores = np.random.default_rng(0).normal(size=20_000)
    copies = noisy_copies(scores, 0.4, 3, seed=1)
    assert web.rank_correlations(copies)[np.triu_indices(3, 1)] == pytest.approx(0.4, abs=0.02)
    assert web.rank_correlations([scores, copies[0]])[0, 1] == pytest.approx(0.4**0.5, abs=0.02)
    assert (np.argsort(noisy_copies(scores, 1.0, 1, seed=1)[0]) == np.argsort(scores)).all()


def test_the_paper_s_table_as_printed():
    printed = {"high": 12.63, "medium-high": 11.52, "medium": 46.24, "medium-low": 20.43, "low": 9.18}
    for label, share in published_shares().items():
        assert share == pytest.approx(printed[label], abs=0.011)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: noisy_copies([NAN], 0.5, 1, 0), "1 are no numbers"),
        (lambda: implied_correlation(dict.fromkeys(web.LABELS, NAN)), "5 are no numbers"),
        (lambda: implied_correlation({"high": 5.0}), "expected high, medium-high"),
        (lambda: implied_shares(-0.1), "at least 0 and at most 1"),
        (lambda: implied_shares(NAN), "correlation is nan"),
        (lambda: implied_shares(0.3, 0), "scorers is 0"),
        (lambda: implied_shares(0.3, -1), "scorers is -1"),
        (lambda: implied_shares(1.5), "at least 0 and at most 1"),
        (lambda: implied_shares(None), "correlation is None"),
        (lambda: implied_shares(0.3, 1.5), "scorers is 1.5"),
        (lambda: noisy_copies([1.0], 0.5, 0, 0), "count is 0; it must be a whole number of at least 1"),
        (lambda: noisy_copies([1.0], 0.0, 1, 0), "above 0"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(LabError, match=words):
        call()
