"""Predictors recover a known law, tell signal from noise, and refuse what they cannot fit."""

import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr

from nemo_lab.mixing import predictors
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.samplers import sample_mixtures
from tests.recorders import record, spy

PRIOR = np.full(5, 0.2)


def law(mixtures):
    """A loss that falls with two sources, with diminishing returns, and rises with a third."""
    return 3.0 - 0.5 * np.sqrt(mixtures[:, 0]) - 0.3 * np.sqrt(mixtures[:, 1]) + 0.4 * mixtures[:, 2]


def points(count, seed=0, noise=0.005):
    mixtures = sample_mixtures("prior", PRIOR, count, seed)
    return mixtures, law(mixtures) + noise * np.random.default_rng(seed).standard_normal(count)


@pytest.mark.parametrize(("kind", "least"), [("ridge", 0.9), ("gp", 0.9), ("lightgbm", 0.6)])
def test_each_kind_ranks_mixtures_it_has_not_seen(kind, least):
    mixtures, scores = points(80)
    fresh, truth = points(200, seed=1, noise=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = predictors.fit(kind, mixtures, scores)(fresh)
    assert spearmanr(predicted, truth).statistic > least
    assert np.abs(predicted - truth).mean() < np.abs(scores.mean() - truth).mean()


def test_sixteen_points_are_too_few_for_the_papers_trees_and_enough_for_the_others():
    found = {kind: [] for kind in predictors.KINDS}
    for seed in range(6):
        mixtures, scores = points(16, seed)
        for kind, values in found.items():
            told = predictors.leave_one_out(kind, mixtures, scores)
            values.append(predictors.agreement(told, scores))
        assert predictors.choose(mixtures, scores) in ("ridge", "gp")
    means = {kind: np.mean(values) for kind, values in found.items()}
    assert means["lightgbm"] < 0.5 < min(means["ridge"], means["gp"])


@pytest.mark.parametrize("kind", [*predictors.KINDS])
def test_permuted_scores_teach_nothing(kind):
    mixtures, _ = points(40)
    fresh, truth = points(200, seed=1, noise=0)
    found = []
    for seed in range(8):
        random_scores = np.random.default_rng(seed).permutation(law(mixtures))
        found.append(predictors.agreement(predictors.fit(kind, mixtures, random_scores)(fresh), truth))
    assert abs(np.mean(found)) < 0.45


def test_the_control_permutes_and_the_choice_does_not():
    mixtures, scores = points(40)
    fresh, truth = points(200, seed=1, noise=0)
    assert spearmanr(predictors.fit_chosen(mixtures, scores)(fresh), truth).statistic > 0.9
    permuted = [predictors.fit_permuted(mixtures, scores, seed)(fresh) for seed in range(5)]
    assert np.mean([predictors.agreement(p, truth) for p in permuted]) < 0.5
    again = predictors.fit_permuted(mixtures, scores, 3)(fresh)
    assert np.array_equal(again, permuted[3])


def test_leave_one_out_does_not_see_the_point():
    mixtures, scores = points(12)
    wild = scores.copy()
    wild[0] += 100
    told, told_wild = (predictors.leave_one_out("ridge", mixtures, s) for s in (scores, wild))
    assert told[0] == pytest.approx(told_wild[0])
    assert abs(told[1] - told_wild[1]) > 0.01


def test_closed_form_of_the_gaussian_process_equals_fits_without_each_point():
    from sklearn.gaussian_process import GaussianProcessRegressor

    mixtures, scores = points(15)
    kernel = predictors._fitted_gp(mixtures, scores, 0).kernel_
    fixed = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-10)
    told, roots, centre = [], np.sqrt(mixtures), scores.mean()
    for i in range(15):
        keep = np.arange(15) != i
        told.append(fixed.fit(roots[keep], scores[keep] - centre).predict(roots[i : i + 1])[0] + centre)
    assert predictors.leave_one_out("gp", mixtures, scores) == pytest.approx(np.array(told), abs=1e-6)


def test_what_does_not_vary_agrees_with_nothing():
    assert predictors.agreement(np.ones(5), np.arange(5.0)) == 0


@pytest.mark.parametrize(
    ("kind", "mixtures", "scores", "words"),
    [
        ("trees", np.eye(5), np.ones(5), "predictor 'trees'"),
        ("ridge", np.eye(3), np.ones(3), "at least 4"),
        ("ridge", np.eye(5), np.ones(4), "one score each"),
        ("ridge", np.eye(5), np.array([1, 2, np.nan, 4, 5]), "Score 2 is not finite"),
    ],
)
def test_mistakes_are_named(kind, mixtures, scores, words):
    with pytest.raises(MixingError, match=words.replace("at least 4", "at least [45]")):
        predictors.fit(kind, mixtures, scores)
    with pytest.raises(MixingError, match=words.replace("at least 4", "at least [45]")):
        predictors.leave_one_out(kind, mixtures, scores)


# --- what reaches a fit


def test_the_control_is_fitted_to_the_scores_of_other_mixtures(monkeypatch):
    fitted = record(monkeypatch, predictors, "fit_chosen", "predictor")
    mixtures, scores = points(12)
    for seed in (0, 1):
        assert predictors.fit_permuted(mixtures, scores, seed) == "predictor"
    predictors.fit_permuted(mixtures[:9], scores[:9], 0)
    dealt = fitted.all("scores_N")
    assert all(given is mixtures for given in fitted.all("mixtures_NK")[:2])
    assert fitted.all("seed") == [0, 1, 0]
    assert sorted(dealt[0]) == sorted(dealt[1]) == sorted(scores)
    assert all((one != scores).sum() > 6 for one in dealt[:2])
    assert not np.array_equal(dealt[0], dealt[1]), "another seed deals otherwise"
    assert (dealt[2] != dealt[0][:9]).any()


@pytest.mark.parametrize("kind", ["ridge", "lightgbm"])
def test_a_point_is_told_by_a_fit_to_all_others(monkeypatch, kind):
    fitted = spy(monkeypatch, predictors, "fit")
    mixtures, scores = points(8)
    told = predictors.leave_one_out(kind, mixtures, scores, 7)
    assert set(fitted.all("kind")) == {kind}
    assert set(fitted.all("seed")) == {7}
    for left_out, (given, known) in enumerate(zip(fitted.all("mixtures_NK"), fitted.all("scores_N"), strict=True)):
        assert np.array_equal(given, np.delete(mixtures, left_out, 0))
        assert np.array_equal(known, np.delete(scores, left_out))
        assert told[left_out] == fitted.original(kind, given, known, 7)(mixtures[left_out : left_out + 1])[0]


def test_the_kind_chosen_is_the_one_whose_leave_one_out_ranks_best(monkeypatch):
    mixtures, scores = points(12)
    told = {"ridge": -scores, "gp": scores, "lightgbm": scores[::-1]}
    record(monkeypatch, predictors, "leave_one_out", lambda kind, mixtures, scores, seed: told[kind])
    assert predictors.choose(mixtures, scores) == "gp"
    told["ridge"] = scores * 2
    assert predictors.choose(mixtures, scores) == "ridge", "the first wins a tie"
    fitted = record(monkeypatch, predictors, "fit", "predictor")
    told["ridge"] = -scores
    assert predictors.fit_chosen(mixtures, scores, 7) == "predictor"
    assert (fitted.only("kind"), fitted.only("seed")) == ("gp", 7)
    assert fitted.only("scores_N") is scores


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": ["ridge"]}, "Unknown predictor"),
        ({"mixtures_NK": "ab"}, "no tables of numbers"),
        ({"mixtures_NK": None}, "at least 4 mixtures"),
        ({"mixtures_NK": np.full((5, 2), np.nan)}, "a weight that is no number or below 0"),
        ({"mixtures_NK": np.full((5, 2), -0.5)}, "a weight that is no number or below 0"),
        ({"scores_N": None}, "at least 4 mixtures"),
    ],
)
def test_what_no_predictor_learns_from_is_one_sentence(change, words):
    good = {"kind": "ridge", "mixtures_NK": np.full((5, 2), 0.5), "scores_N": np.arange(5.0)}
    with pytest.raises(MixingError, match=words):
        predictors.fit(**good | change)
