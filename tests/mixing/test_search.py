"""The search on losses that are formulas, so that the best mixture is known."""

import numpy as np
import pandas as pd
import pytest

from nemo_lab.mixing import predictors, search
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.search import SearchSettings, climb
from tests.recorders import spy

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
        ({"top": -1}, "top is -1; it must be a whole number of at least 0"),
        ({"rounds": "abc"}, "rounds is 'abc', expected a tuple"),
        ({"rounds": (8, 1.5)}, r"rounds\[1\] is 1.5"),
        ({"candidates": None}, "candidates is None"),
    ],
)
def test_impossible_sizes_are_named(changes, words):
    with pytest.raises(MixingError, match=words):
        SearchSettings(**{"rounds": (16, 8), "candidates": 100} | changes)


def test_an_unknown_objective_is_named():
    with pytest.raises(MixingError, match="not scored on 'accuracy'"):
        climb(runner(), PRIOR, "accuracy", SMALL, seed=0)


# --- what reaches predictor and sampler


def test_the_predictor_is_fitted_to_all_rounds_so_far():
    fitted = []

    def fit(mixtures, scores, seed):
        fitted.append((mixtures.copy(), scores.copy(), seed))
        return predictors.fit("ridge", mixtures, scores, seed)

    result = climb(runner(), PRIOR, "loss", SMALL, seed=7, fit=fit)
    assert [len(mixtures) for mixtures, _, _ in fitted] == [12, 18, 21]
    for mixtures, scores, seed in fitted:
        assert np.array_equal(mixtures, result.mixtures_NK[: len(mixtures)])
        assert np.array_equal(scores, result.scores_N[: len(mixtures)])
        assert seed == 7
    last = predictors.fit("ridge", *fitted[-1][:2], 7)
    assert np.array_equal(result.predicted_C, last(result.candidates_CK))
    assert np.array_equal(result.candidates_CK[:21], result.mixtures_NK), "trained mixtures may be the answer too"


def test_each_round_has_candidates_of_its_own(monkeypatch):
    drawn = spy(monkeypatch, search, "sample_mixtures")
    settings = SearchSettings((12, 6, 3), candidates=200, first="flat", later="sparse")
    results = [climb(runner(), PRIOR, "loss", settings, seed=seed) for seed in (7, 8)]
    assert drawn.all("sampler") == ["flat", "sparse", "sparse", "sparse"] * 2
    assert drawn.all("count") == [12, 200, 200, 200] * 2
    assert len(set(drawn.all("seed"))) == 8, "no two draws share their seed, within a search or between two"
    assert all(np.array_equal(prior, PRIOR) for prior in drawn.all("prior_K"))
    assert not np.array_equal(results[0].mixtures_NK[:12], results[1].mixtures_NK[:12])


def test_rounds_are_drawn_from_the_best_that_are_wanted():
    candidates = np.random.default_rng(0).dirichlet(np.ones(4), 1000)
    ranked = candidates[np.argsort(loss(candidates), kind="stable")]
    for top, size, most in ((0, 5, 128), (0, 20, 400), (7, 5, 7), (2, 5, 5)):
        picks = [search._pick(candidates, loss, size, top, np.random.default_rng(seed)) for seed in range(40)]
        places = {int(np.flatnonzero((ranked == one).all(1))[0]) for picked in picks for one in picked}
        assert max(places) < most
        assert max(places) > 0.8 * (most - 1) - 1
        assert all(len(np.unique(picked, axis=0)) == size for picked in picks)


def test_predictions_decide_climb_s_answer_and_scores_random_search_s():
    result = climb(runner(), PRIOR, "loss", SMALL, seed=0)
    assert np.array_equal(result.best_predicted_K, result.candidates_CK[np.argmin(result.predicted_C)])
    assert np.array_equal(result.best_trained_K, result.mixtures_NK[np.argmin(result.scores_N)])
    best = np.argsort(result.predicted_C, kind="stable")
    for count in (1, 10, search.TOP_MEAN):
        assert result.mean_of_top(count) == pytest.approx(result.candidates_CK[best[:count]].mean(0))
    assert result.mean_of_top() == pytest.approx(result.mean_of_top(128))
