"""Scores to twenty buckets, several scorers to one, buckets to labels: Nemotron-CC's ensemble.

Every scorer ranks the documents; its ranks are cut into 20 buckets of 5 % each, 19 the best; a document gets the
largest of its buckets, and ranges of buckets get names (arXiv 2412.02595, section 2.2). The thresholds are percentiles
5, 10 … 95 of the documents in the paper and of their bytes in NVIDIA's recipe: `weights` chooses.

    thresholds = cuts(scores, weights=sizes)    # of each scorer, on a sample; keep them for new documents
    buckets_N  = into_buckets(scores, thresholds)
    best_N     = ensemble([buckets_a, buckets_b, buckets_c])

**Why the ensemble finds so much.** If the scorers agreed, 5 % would be in bucket 19. The paper's table has 12.6 %.
Take scores whose ranks are joined by a Gaussian copula with correlation ρ between any two: with a common factor Z and
t_k = Φ⁻¹(k / 20), the share of documents whose largest bucket is below k is

    F(k) = ∫ φ(z) Φ((t_k - √ρ z) / √(1 - ρ))³ dz,        (k / 20)³ at ρ = 0,  k / 20 at ρ = 1.

ρ = 0.3 gives the published table to within half a point (`implied_shares`): the three classifiers agree only weakly.
The model is ours; shares are of tokens in the table and of documents in the model.
"""

from collections.abc import Sequence, Sized

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from nemo_lab.errors import LabError, check_number

BINS = 20
LABELS = {"high": (19, 19), "medium-high": (18, 18), "medium": (12, 17), "medium-low": (7, 11), "low": (0, 6)}

Buckets = NDArray[np.int64]


def numbers(values: ArrayLike, what: str, least: int = 1) -> NDArray[np.float64]:
    """Return values as an array of one axis; `what` names them in the error.

    Raises:
        LabError: fewer than `least`, or one that is no finite number.
    """
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LabError(f"The {what} are {values!r:.60}, expected a list of numbers.") from error
    if found.ndim != 1 or len(found) < least:
        raise LabError(f"The {what} have the shape {found.shape}, expected a list of at least {least}.")
    if not np.isfinite(found).all():
        raise LabError(f"Of {len(found)} {what} {int((~np.isfinite(found)).sum())} are no numbers; leave those out.")
    return found


def equally_many(*columns: Sized) -> None:
    """Refuse columns of unequal length.

    Raises:
        LabError: names the lengths.
    """
    if len({len(column) for column in columns}) > 1:
        raise LabError(f"There are columns of {[len(column) for column in columns]} documents; one length is expected.")


def cuts(scores: ArrayLike, weights: ArrayLike | None = None, bins: int = BINS) -> NDArray[np.float64]:
    """Return the `bins - 1` thresholds: percentiles of the scores, weighted (bytes) or not (documents).

    Raises:
        LabError: no scores, one that is no number, or weights that are not positive in sum.
    """
    scores_N = numbers(scores, "scores")
    levels = np.arange(1, bins) * 100 / bins
    if weights is None:
        return np.asarray(np.percentile(scores_N, levels, method="inverted_cdf"))
    weights_N = np.asarray(weights, dtype=np.float64)
    if weights_N.shape != scores_N.shape or weights_N.min() < 0 or weights_N.sum() <= 0:
        raise LabError("weights must be as many as the scores, none below 0 and not all 0.")
    return np.asarray(np.percentile(scores_N, levels, method="inverted_cdf", weights=weights_N))


def into_buckets(scores: ArrayLike, thresholds: ArrayLike) -> Buckets:
    """Return each score's bucket: how many thresholds it reaches. Equal scores share a bucket.

    Raises:
        LabError: a score or threshold that is no number, or thresholds that fall.
    """
    levels = numbers(thresholds, "thresholds")
    if (np.diff(levels) < 0).any():
        raise LabError(f"The thresholds {levels[:5].tolist()} … are not in order; sort them, as `cuts` does.")
    return np.digitize(numbers(scores, "scores", 0), levels).astype(np.int64)


def ensemble(buckets: Sequence[ArrayLike]) -> Buckets:
    """Return each document's largest bucket over the scorers.

    Raises:
        LabError: no scorers, or scorers of unequally many documents.
    """
    if not isinstance(buckets, Sequence) or not len(buckets):
        raise LabError("There are no scorers to join; give the buckets of at least one.")
    columns = [numbers(one, "buckets", 0).astype(np.int64) for one in buckets]
    equally_many(*columns)
    return np.asarray(np.max(columns, axis=0))


def labels(buckets: ArrayLike) -> list[str]:
    """Return the label of each bucket from 0 to 19."""
    names = {bucket: label for label, (low, high) in LABELS.items() for bucket in range(low, high + 1)}
    found = numbers(buckets, "buckets", 0)
    try:
        return [names[bucket] for bucket in found.tolist()]
    except KeyError as error:
        raise LabError(f"Bucket {error.args[0]:g} has no label, expected 0 to {BINS - 1}.") from None


def shares(buckets: ArrayLike, weights: ArrayLike | None = None) -> dict[str, float]:
    """Return the per cent of documents, or of weights, under each label.

    Raises:
        LabError: no documents, unequally many weights, or weights that are all 0.
    """
    found = np.array(labels(numbers(buckets, "buckets")))
    heavy = np.ones(len(found)) if weights is None else numbers(weights, "weights")
    equally_many(found, heavy)
    if heavy.min() < 0 or not heavy.sum():
        raise LabError("The weights of shares have one below 0 or are all 0; give sizes.")
    return {label: float(100 * heavy[found == label].sum() / heavy.sum()) for label in LABELS}


def rank_correlations(scores: Sequence[ArrayLike]) -> NDArray[np.float64]:
    """Return the Gaussian correlation between the ranks of any two scorers (scorers x scorers).

    Ranks become normal quantiles first, which is what a Gaussian copula is about.

    Raises:
        LabError: no scorers, fewer than two documents, unequally many, or a score that is no number.
    """
    if not isinstance(scores, Sequence) or not len(scores):
        raise LabError("There are no scorers to compare; give the scores of at least one.")
    columns = [numbers(one, "scores", 2) for one in scores]
    equally_many(*columns)
    quantiles = [norm.ppf((ranks_of(one) + 0.5) / len(one)) for one in columns]
    return np.atleast_2d(np.corrcoef(np.stack(quantiles)))


def found_at_precision(scores: ArrayLike, good: ArrayLike, sizes: ArrayLike, precision: float) -> float:
    """Return the known-good bytes among the best documents, as many as keep the precision (in bytes).

    The longest list counts, best score first, whose good bytes are at least `precision` of its bytes; documents of
    one score are taken together.

    Raises:
        LabError: no documents, unequally many values, one that is no number, or a precision outside 0 to 1.
    """
    scores_N, sizes_N, good_N = numbers(scores, "scores"), numbers(sizes, "sizes"), np.asarray(good, dtype=bool)
    equally_many(scores_N, sizes_N, good_N)
    check_number("precision", precision, least=0, most=1)
    order = np.argsort(-scores_N, kind="stable")
    ranked = scores_N[order]
    taken, right = np.cumsum(sizes_N[order]), np.cumsum((sizes_N * good_N)[order])
    whole = np.append(np.diff(ranked) != 0, True)
    enough = whole & (right >= precision * taken)
    return float(right[enough].max()) if enough.any() else 0.0


def ranks_of(scores: ArrayLike) -> NDArray[np.int64]:
    """Return the rank of each score, 0 the lowest; of equal ones the earlier is the lower."""
    order = np.argsort(np.asarray(scores, dtype=np.float64), kind="stable")
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks
