"""Scorers on sets whose answer is known."""

import numpy as np
import pytest

from nemo_lab.curation.filters import scorers
from nemo_lab.errors import LabError


def sentences(words, count, seed):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(words, 12)) + "?" for _ in range(count)]


ASKING = [
    "why",
    "does",
    "how",
    "explain",
    "question",
    "answer",
    "which",
    "what",
    "reason",
    "because",
    "think",
    "step",
]
SELLING = ["buy", "sale", "now", "menu", "login", "cart", "price", "offer", "click", "here", "cheap", "deal"]


def test_ngrams_tell_new_texts_apart():
    model = scorers.NgramClassifier.fit(sentences(ASKING, 40, 0), sentences(SELLING, 80, 1))
    high, low = model.score(sentences(ASKING, 20, 2)), model.score(sentences(SELLING, 20, 3))
    assert high.min() > 0.5 > low.max()
    assert model.score([]).shape == (0,)


def test_ngrams_read_pairs_and_not_only_words():
    one, two = ["x a b y"] * 20, ["x b a y"] * 20  # the same words in another order
    model = scorers.NgramClassifier.fit(one, two)
    assert model.score(["a b"])[0] > 0.5 > model.score(["b a"])[0]


def test_regressor_finds_a_linear_rule_and_shuffled_labels_do_not():
    generator = np.random.default_rng(0)
    x_ND, w_D = generator.normal(size=(300, 16)), generator.normal(size=16)
    y_N = x_ND @ w_D + 2.5 + 0.1 * generator.normal(size=300)
    model = scorers.EmbeddingRegressor.fit(x_ND[:200], y_N[:200])
    assert model.weights_D == pytest.approx(w_D, abs=0.05)
    assert model.bias == pytest.approx(2.5, abs=0.05)
    assert scorers.correlation(model.score(x_ND[200:]), y_N[200:]) > 0.99
    shuffled = scorers.EmbeddingRegressor.fit(x_ND[:200], generator.permutation(y_N[:200]))
    assert abs(scorers.correlation(shuffled.score(x_ND[200:]), y_N[200:])) < 0.5
    assert shuffled.penalty > model.penalty


def test_pairs_in_the_right_order_are_the_area_under_the_curve():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(5)
    good = generator.random(80) < 0.3
    scores = np.round(generator.normal(size=80) + good, 1)  # with ties
    assert scorers.ranked_right(scores, good) == pytest.approx(roc_auc_score(good, scores))
    assert scorers.ranked_right([1, 1, 1], [True, False, False]) == 0.5
    assert scorers.ranked_right([2, 1], [True, True]) == 0.5


def test_refusals():
    with pytest.raises(LabError, match="0 positives and 1 negatives"):
        scorers.NgramClassifier.fit([], ["a"])
    with pytest.raises(LabError, match="one each"):
        scorers.EmbeddingRegressor.fit(np.zeros((3, 2)), [1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scorers.EmbeddingRegressor.fit([], []), "There are 0 labels"),
        (lambda: scorers.EmbeddingRegressor.fit(np.zeros((3, 2)), None), "labels"),
        (lambda: scorers.EmbeddingRegressor(np.ones(3), 0.0, 1.0).score(np.ones((2, 4))), "documents x 3 finite"),
        (lambda: scorers.EmbeddingRegressor(np.ones(1), 0.0, 1.0).score([[float("nan")]]), "documents x 1 finite"),
        (lambda: scorers.NgramClassifier.fit("good", ["bad"]), "positives is one text, 'good'"),
        (lambda: scorers.NgramClassifier.fit(["good"], [None]), "Text 0 of negatives is None"),
        (lambda: scorers.NgramClassifier.fit(["good"], ["bad"]).score("good"), "texts is one text"),
        (lambda: scorers.EmbeddingRegressor.fit(np.ones((3, 2)), [1.0, 2.0, np.nan]), "3 labels 1 are no numbers"),
        (lambda: scorers.EmbeddingRegressor.fit([[np.nan], [1], [2]], [1.0, 2.0, 3.0]), "vectors 1 are no numbers"),
        (lambda: scorers.ranked_right([np.nan, 1.0], [True, False]), "1 are no numbers"),
        (lambda: scorers.ranked_right([1.0], [True, False]), "one length"),
    ],
)
def test_values_that_are_no_numbers_are_refused(call, words):
    with pytest.raises(LabError, match=words):
        call()


def test_no_vectors_have_no_scores():
    regressor = scorers.EmbeddingRegressor.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert regressor.score([]).shape == (0,)
