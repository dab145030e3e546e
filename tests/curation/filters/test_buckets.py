"""Buckets, labels and the published split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.curation.filters import buckets as web
from nemo_lab.errors import LabError

NAN = float("nan")
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(SCORES, st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_cuts_are_the_smallest_scores_that_hold_their_share(scores, bins):
    scores_N = np.array(scores)
    for level, cut in zip(np.arange(1, bins) / bins, web.cuts(scores_N, bins=bins), strict=True):
        assert cut in scores_N
        assert (scores_N <= cut).mean() >= level - 1e-9
        assert (scores_N < cut).mean() <= level + 1e-9


@given(SCORES, st.data())
@settings(max_examples=60, deadline=None)
def test_weights_count_like_copies(scores, data):
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(scores), max_size=len(scores)))
    copied = np.repeat(scores, weights)
    assert web.cuts(scores, weights) == pytest.approx(web.cuts(copied))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=60, unique=True))
@settings(max_examples=60, deadline=None)
def test_buckets_keep_the_order_and_only_the_order(scores):
    scores_N = np.array(scores)
    buckets = web.into_buckets(scores_N, web.cuts(scores_N))
    order = np.argsort(scores_N)
    assert (np.diff(buckets[order]) >= 0).all()
    ranks = np.argsort(order).astype(float)
    assert (web.into_buckets(ranks, web.cuts(ranks)) == buckets).all()


def test_bytes_or_documents():
    scores, sizes = np.arange(100.0), np.where(np.arange(100) >= 90, 1000, 1)
    by_documents = web.into_buckets(scores, web.cuts(scores))
    by_bytes = web.into_buckets(scores, web.cuts(scores, sizes))
    assert (abs(np.bincount(by_documents, minlength=20) - 5) <= 1).all()  # a cut is a score and goes up
    heavy = np.bincount(by_bytes, weights=sizes, minlength=20)
    assert heavy.max() / heavy.sum() < 0.11  # one document of a tenth of all bytes cannot be cut
    assert (by_bytes >= 10).sum() == 6
    assert (by_documents >= 10).sum() == 51


def test_labels_cover_every_bucket_once():
    assert [web.labels([bucket])[0] for bucket in (0, 6, 7, 11, 12, 17, 18, 19)] == [
        "low",
        "low",
        "medium-low",
        "medium-low",
        "medium",
        "medium",
        "medium-high",
        "high",
    ]
    assert sum(high - low + 1 for low, high in web.LABELS.values()) == web.BINS
    with pytest.raises(LabError, match="Bucket 20 has no label"):
        web.labels([3, 20])


def test_found_at_precision_by_hand():
    scores, good, sizes = [5, 4, 3, 2, 1], [1, 0, 1, 1, 0], [10, 10, 10, 10, 10]
    assert web.found_at_precision(scores, good, sizes, 1.0) == 10
    assert web.found_at_precision(scores, good, sizes, 0.75) == 30
    assert web.found_at_precision(scores, good, sizes, 0.6) == 30
    assert web.found_at_precision([1, 1], [1, 0], [10, 10], 0.9) == 0  # equal scores cannot be parted
    assert web.found_at_precision([2, 1], [0, 0], [10, 10], 0.5) == 0


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(1, 9)), min_size=1, max_size=30),
    st.floats(0.05, 1),
)
@settings(max_examples=80, deadline=None)
def test_found_at_precision_is_the_best_threshold(rows, precision):
    scores, good, sizes = (np.array(column) for column in zip(*rows, strict=True))
    best = 0
    for threshold in set(scores.tolist()):
        taken = scores >= threshold
        right = (sizes * good)[taken].sum()
        if right >= precision * sizes[taken].sum():
            best = max(best, right)
    assert web.found_at_precision(scores, good, sizes, precision) == best


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: web.cuts([]), r"shape \(0,\), expected a list of at least 1"),
        (lambda: web.cuts([1.0, float("nan")]), "1 are no numbers"),
        (lambda: web.cuts([1.0, 2.0], [1.0]), "as many as the scores"),
        (lambda: web.cuts([1.0, 2.0], [0.0, 0.0]), "not all 0"),
        (lambda: web.ensemble([]), "no scorers"),
        (lambda: web.ensemble([[1, 2], [1]]), r"columns of \[2, 1\]"),
        (lambda: web.into_buckets([NAN], [0.5]), "1 scores 1 are no numbers"),
        (lambda: web.into_buckets([1.0], [NAN]), "thresholds 1 are no numbers"),
        (lambda: web.found_at_precision([NAN, 1.0], [True, False], [1, 1], 0.5), "1 are no numbers"),
        (lambda: web.found_at_precision([1.0], [True, False], [1, 1], 0.5), "one length"),
        (lambda: web.found_at_precision([], [], [], 0.5), "at least 1"),
        (lambda: web.found_at_precision([1.0], [True], [1], NAN), "precision is nan"),
        (lambda: web.rank_correlations([]), "no scorers"),
        (lambda: web.rank_correlations([[1.0, NAN], [1.0, 2.0]]), "1 are no numbers"),
        (lambda: web.rank_correlations([[1.0, 3.0], [1.0, 2.0, 3.0]]), "one length"),
        (lambda: web.rank_correlations([[1.0], [2.0]]), "at least 2"),
        (lambda: web.shares([]), "at least 1"),
        (lambda: web.shares([1, 2], [1.0]), "one length"),
        (lambda: web.shares([1, 2], [0.0, 0.0]), "all 0"),
        (lambda: web.cuts(None), "scores"),
        (lambda: web.cuts("abc"), "The scores are 'abc', expected a list of numbers"),
        (lambda: web.cuts([None]), "1 are no numbers"),
        (lambda: web.into_buckets([1.0], [3.0, 1.0]), "thresholds .* are not in order; sort them"),
        (lambda: web.ensemble(None), "no scorers"),
        (lambda: web.rank_correlations(None), "no scorers"),
        (lambda: web.labels(None), "The buckets have the shape"),
        (lambda: web.labels(["high"]), "The buckets are .* expected a list of numbers"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(LabError, match=words):
        call()


def test_one_scorer_correlates_with_itself_and_no_documents_have_no_buckets():
    assert web.rank_correlations([[3.0, 1.0, 2.0]]) == pytest.approx(np.ones((1, 1)))
    assert web.into_buckets([], [0.5]).tolist() == web.ensemble([[], []]).tolist() == []
