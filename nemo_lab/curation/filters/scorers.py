"""Three scorers of quality that differ in what they read and in whose judgement they learn.

Nemotron-CC's three (arXiv 2412.02595, section 2.2): DCLM's fastText classifier, which knows instruction-like text from
random web text, and two regressors on frozen Snowflake embeddings, taught by the 0 to 5 'educational value' that
Mixtral 8x22B and Nemotron-4-340B gave. Ours keep the form:

    ngrams = NgramClassifier.fit(instruction_like, web)     # words and pairs of words, hashed; P(instruction-like)
    first  = EmbeddingRegressor.fit(vectors_ND, labels_N)   # linear on embeddings, labels of one annotator
    second = EmbeddingRegressor.fit(vectors_ND, others_N)   # the same, labels of another

Relative to the papers: fastText averages learnt vectors of hashed n-grams and puts a linear layer on top, which is a
linear model of low rank on counts; ours is the linear model itself, by logistic regression. The regressors are ridge
regressions, solved exactly, with the penalty that leave-one-out prefers, in place of 20 epochs of gradient descent.
Annotators are in `annotators`; vectors come from `nemo_lab.mixing.embedding` or any encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nemo_lab.curation.filters.buckets import equally_many, numbers
from nemo_lab.errors import LabError, check_texts

Scores = NDArray[np.float64]
PLACES = 2**18  # of the hashed n-grams; DCLM's has two million
STRENGTH = 10.0  # inverse penalty of the classifier's weights
PENALTIES = tuple(10.0**k for k in range(-3, 4))


@dataclass(frozen=True)
class NgramClassifier:
    """A linear model on hashed words and pairs of words; order beyond pairs and layout do not count."""

    vectorizer: Any
    model: Any

    @classmethod
    def fit(cls, positives: Sequence[str], negatives: Sequence[str]) -> NgramClassifier:
        """Learn to tell the two sets apart; each set has the same weight in all.

        Raises:
            LabError: one of the sets is empty or no list of texts.
        """
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.linear_model import LogisticRegression

        positives, negatives = check_texts("positives", positives), check_texts("negatives", negatives)
        if not positives or not negatives:
            raise LabError(f"There are {len(positives)} positives and {len(negatives)} negatives; both are needed.")
        vectorizer = HashingVectorizer(ngram_range=(1, 2), n_features=PLACES, token_pattern=r"\w+|[^\w\s]")
        targets = np.repeat([1, 0], [len(positives), len(negatives)])
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=200)
        model.fit(vectorizer.transform([*positives, *negatives]), targets)
        return cls(vectorizer, model)

    def score(self, texts: Sequence[str]) -> Scores:
        """Return P(positive) of each text, 0 to 1."""
        if not (texts := check_texts("texts", texts)):
            return np.zeros(0)
        return np.asarray(self.model.predict_proba(self.vectorizer.transform(texts))[:, 1])


@dataclass(frozen=True)
class EmbeddingRegressor:
    """score = vector · weights + bias, in the labels' units."""

    weights_D: Scores
    bias: float
    penalty: float

    @classmethod
    def fit(cls, vectors_ND: ArrayLike, labels_N: ArrayLike) -> EmbeddingRegressor:
        """Learn the labels of N documents from their vectors.

        Raises:
            LabError: fewer than three documents, not one label a vector, or a value that is no number.
        """
        from sklearn.linear_model import RidgeCV

        x_ND, y_N = np.asarray(vectors_ND, dtype=np.float64), numbers(labels_N, "labels", 0)
        if x_ND.ndim != 2 or len(x_ND) != len(y_N) or len(y_N) < 3:
            raise LabError(f"There are {len(y_N)} labels for vectors of shape {x_ND.shape}; one each, three at least.")
        numbers(x_ND.ravel(), "values of the vectors")
        ridge = RidgeCV(alphas=PENALTIES).fit(x_ND, y_N)
        return cls(np.asarray(ridge.coef_), float(ridge.intercept_), float(ridge.alpha_))

    def score(self, vectors_ND: ArrayLike) -> Scores:
        """Return one score a vector, none for none; not clipped, since only ranks are used."""
        x_ND = np.asarray(vectors_ND, dtype=np.float64)
        if not x_ND.size:
            return np.zeros(0)
        if x_ND.ndim != 2 or x_ND.shape[1] != len(self.weights_D) or not np.isfinite(x_ND).all():
            size = len(self.weights_D)
            raise LabError(f"The vectors have the shape {x_ND.shape}, expected documents x {size} finite numbers.")
        return np.asarray(x_ND @ self.weights_D + self.bias)


def correlation(one: ArrayLike, other: ArrayLike) -> float:
    """Return Spearman's rank correlation of two scorers on the same documents."""
    from scipy.stats import spearmanr

    return float(spearmanr(np.asarray(one), np.asarray(other)).statistic)


def ranked_right(scores: ArrayLike, good: ArrayLike) -> float:
    """Return the share of pairs of a good and another document in which the good one scores higher.

    Ties count half; 0.5 is chance, and the answer where one of the two kinds is missing.

    Raises:
        LabError: a score that is no number, or unequally many of the two.
    """
    scores_N, good_N = numbers(scores, "scores", 0), np.asarray(good, dtype=bool)
    equally_many(scores_N, good_N)
    one, other = np.sort(scores_N[~good_N]), scores_N[good_N]
    if not len(one) or not len(other):
        return 0.5
    below, most = np.searchsorted(one, other, "left"), np.searchsorted(one, other, "right")
    return float((below + most).mean() / 2 / len(one))
