"""The search on losses that are formulas, so that the best mixture is known."""

import numpy as np
import pandas as pd
import pytest

from nemo_lab.mixing import predictors, search
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.search import SearchSettings, climb

PRIOR = np.array([0.4, 0.3, 0.2, 0.1])
BEST = np.array([0.1, 0.1, 0.2, 0.6])
SMALL = SearchSettings((12, 6, 3), candidates=2000)


def loss(mixtures):
    """Squared Hellinger distance from the best mixture, which random mixtures rarely come near."""
    return ((np.sqrt(mixtures) - np.sqrt(BEST)) ** 2).sum(1)


def runner(noise=0.0, calls=None):
    def run(mixtures, first):
        if calls is not None:
            calls.append((first, len(mixtures)))
        jitter = noise * np.random.default_rng(first).standard_normal(len(mixtures))
        return pd.DataFrame({"number": range(first, first + len(mixtures)), "loss": loss(mixtures) + jitter})

    return run


def found(answer):
    return float(loss(answer[None])[0])


def test_rounds_have_their_sizes_and_numbers():
    calls = []
    result = climb(runner(calls=calls), PRIOR, "loss", SMALL, seed=0)
    assert calls == [(0, 12), (12, 6), (18, 3)]
    assert result.table["number"].tolist() == list(range(21))
    assert result.table["round"].value_counts().to_dict() == {1: 12, 2: 6, 3: 3}
    assert np.array_equal(result.table["loss"], result.scores_N)
    assert np.allclose(result.mixtures_NK.sum(1), 1)


def test_iterating_beats_one_round_and_random_search_at_equal_numbers():
    seeds = range(5)
    one = SearchSettings((21,), candidates=2000)
    iterated = [found(climb(runner(0.01), PRIOR, "loss", SMALL, s).best_predicted_K) for s in seeds]
    once = [climb(runner(0.01), PRIOR, "loss", one, s) for s in seeds]
    assert np.mean(iterated) < np.mean([found(r.best_trained_K) for r in once])
    assert np.mean(iterated) < 0.7 * np.mean([found(r.mean_of_top()) for r in once])


def test_the_control_finds_nothing():
    seeds = range(5)
    ours = [found(climb(runner(), PRIOR, "loss", SMALL, s).best_predicted_K) for s in seeds]
    control = [
        found(climb(runner(), PRIOR, "loss", SMALL, s, fit=predictors.fit_permuted).best_predicted_K) for s in seeds
    ]
    assert np.mean(control) > 2 * np.mean(ours)


def test_later_rounds_are_better_than_the_first():
    table = climb(runner(), PRIOR, "loss", SMALL, seed=1).table
    means = table.groupby("round")["loss"].mean()
    assert means[2] < means[1]
    assert means[3] < means[1]


def test_same_seed_same_search():
    first, second = (climb(runner(), PRIOR, "loss", SMALL, seed=5) for _ in range(2))
    assert first.table.equals(second.table)
    assert np.array_equal(first.best_predicted_K, second.best_predicted_K)
    other = climb(runner(), PRIOR, "loss", SMALL, seed=6)
    assert not np.array_equal(first.mixtures_NK, other.mixtures_NK)


def test_answers_lie_on_the_simplex_and_are_what_they_say():
    result = climb(runner(), PRIOR, "loss", SMALL, seed=0)
    for answer in (result.best_predicted_K, result.best_trained_K, result.mean_of_top(), result.mean_of_top(1)):
        assert answer.sum() == pytest.approx(1)
        assert answer.min() >= 0
    assert np.allclose(result.mean_of_top(1), result.best_predicted_K)
    assert found(result.best_trained_K) == result.scores_N.min()


def test_another_objective_needs_no_other_proxies():
    result = climb(runner(), PRIOR, "loss", SMALL, seed=0)
    other = search.conclude(result.table, result.mixtures_NK, -result.scores_N, PRIOR, SMALL, seed=0)
    assert found(other.best_predicted_K) > found(result.best_predicted_K)


def test_a_round_is_drawn_at_random_from_the_top_only():
    candidates = np.random.default_rng(0).dirichlet(np.ones(4), 500)
    picked = search._pick(candidates, loss, 5, 20, np.random.default_rng(0))
    best = candidates[np.argsort(loss(candidates))[:20]]
    assert all((best == one).all(1).any() for one in picked)
    assert not np.array_equal(picked, best[:5])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rounds": (4, 2)}, "at least 5"),
        ({"rounds": ()}, "rounds"),
        ({"candidates": 10}, "candidates=10"),
        ({"top": -1}, "top=-1"),
    ],
)
def test_impossible_sizes_are_named(changes, words):
    with pytest.raises(MixingError, match=words):
        SearchSettings(**{"rounds": (16, 8), "candidates": 100} | changes)


def test_an_unknown_objective_is_named():
    with pytest.raises(MixingError, match="not scored on 'accuracy'"):
        climb(runner(), PRIOR, "accuracy", SMALL, seed=0)
