"""Pruning with planted truth: junk goes, what is good stays, and the report counts what really went."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from nemo_lab.mixing import pruning
from nemo_lab.mixing.clusters import Clustering, assign, kmeans, merge
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.pruning import prune, quality_scores


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Documents of four topics, 30 % of them junk of its own kind, and a reference of the same topics."""
    generator = np.random.default_rng(seed)
    topics = np.eye(6)[:5]
    kind = np.concatenate([generator.integers(0, 4, 140), np.full(60, 4)])
    points = topics[kind] + 0.15 * generator.normal(size=(200, 6))
    reference = topics[generator.integers(0, 4, 80)] + 0.15 * generator.normal(size=(80, 6))
    return points, kind == 4, reference


def clusters_of_two() -> Clustering:
    return Clustering(np.array([0, 0, 1, 1, 2, 2]), np.eye(3))


# --- scores


def test_junk_scores_below_what_looks_like_the_reference():
    points, junk, reference = planted()
    scores = quality_scores(points, reference, seed=0)
    assert roc_auc_score(~junk, scores) > 0.99
    assert scores[junk].mean() < 1 < 3 < scores[~junk].mean()
    assert (scores.min(), scores.max()) == (0, 5)
    assert np.array_equal(scores, quality_scores(points, reference, seed=0))
    assert not np.array_equal(scores, quality_scores(points, reference, seed=1)), "other folds"


def test_no_document_is_scored_by_a_model_that_saw_it(monkeypatch):
    """With labels that mean nothing, a fitted model would rank its own training documents low; ours cannot."""
    generator = np.random.default_rng(0)
    documents, reference = generator.normal(size=(60, 200)), generator.normal(size=(60, 200))
    fresh = generator.normal(size=(60, 200))
    both = quality_scores(np.concatenate([documents, fresh]), reference, seed=0)
    assert abs(both[:60].mean() - both[60:].mean()) < 0.6
    seen = saw_itself(documents, reference, fresh)
    assert seen > 1, "the check would notice: a model that saw the documents puts them well below fresh ones"


def saw_itself(documents, reference, fresh) -> float:
    from sklearn.linear_model import LogisticRegression

    x, y = np.concatenate([documents, reference]), np.repeat([0, 1], [60, 60])
    logits = LogisticRegression(max_iter=1000).fit(x, y).decision_function(np.concatenate([documents, fresh]))
    ranks = 5 * pruning._ranks(logits)
    return float(ranks[60:].mean() - ranks[:60].mean())


@pytest.mark.parametrize(
    ("points", "reference"),
    [(np.ones((10, 3)), np.ones((10, 4))), (np.ones((4, 3)), np.ones((10, 3))), (np.ones((10, 3)), np.ones((4, 3)))],
)
def test_matrices_that_do_not_fit_are_refused(points, reference):
    with pytest.raises(MixingError, match="same number of columns and at least 5 rows"):
        quality_scores(points, reference, seed=0)


# --- pruning


def test_the_planted_junk_cluster_goes_and_nothing_else():
    points, junk, reference = planted()
    found = kmeans(points, 5, seed=0)
    kept, report = prune(found, quality_scores(points, reference, seed=0), 1.5, ["four"] * 200)
    assert np.array_equal(kept.labels_N < 0, junk)
    assert (report.documents, report.documents_dropped, report.bytes, report.bytes_dropped) == (200, 60, 800, 240)
    assert str(report) == "dropped 1 of 5 clusters, 60 of 200 documents, 30% of the bytes"
    assert set(report.dropped) == set(found.labels_N[junk])
    more, more_junk, _ = planted(1)
    assert np.array_equal(assign(more, kept) < 0, more_junk), "new junk is dropped by its place"
    assert np.array_equal(assign(more, merge(kept, k_final=2)) < 0, more_junk)


def test_random_scores_do_not_find_the_junk():
    points, junk, _ = planted()
    found = kmeans(points, 5, seed=0)
    scores = np.random.default_rng(0).permutation(np.linspace(0, 5, 200))
    kept, _ = prune(found, scores, 2.5)
    assert not np.array_equal(kept.labels_N < 0, junk)


def test_one_axis_below_its_threshold_is_enough():
    scores = np.array([[4, 4], [4, 4], [4, 1], [4, 2], [1, 4], [2, 4]], dtype=float)
    kept, report = prune(clusters_of_two(), scores, 3.0)
    assert kept.labels_N.tolist() == [0, 0, -1, -1, -1, -1]
    assert report.means_KA.tolist() == [[4, 4], [4, 1.5], [1.5, 4]]
    kept, report = prune(clusters_of_two(), scores, (3.0, 1.5))
    assert kept.labels_N.tolist() == [0, 0, 1, 1, -1, -1]
    assert (report.kept, report.dropped) == ((0, 1), (2,))


def test_a_mean_on_the_threshold_stays_and_pruning_twice_counts_once():
    scores = np.array([3, 3, 2, 2, 5, 1.0])
    kept, report = prune(clusters_of_two(), scores)
    assert kept.labels_N.tolist() == [0, 0, -1, -1, 1, 1]
    again, second = prune(kept, scores)
    assert np.array_equal(again.labels_N, kept.labels_N)
    assert (second.documents, second.documents_dropped, report.documents_dropped) == (4, 0, 2)
    assert second.dropped == ()


def test_nothing_left_names_the_best_cluster():
    scores = np.array([[1, 1], [1, 1], [2.5, 2], [2.5, 2], [5, 0], [5, 0]])
    with pytest.raises(MixingError, match=r"All 3 clusters .*the best, 1, has \[2\.5, 2\.0\]: lower the threshold"):
        prune(clusters_of_two(), scores)


@pytest.mark.parametrize("scores", [np.ones(5), np.ones((6, 1, 1)), np.full(6, np.nan)])
def test_scores_that_do_not_fit_are_refused(scores):
    with pytest.raises(MixingError, match="expected \\(6, axes\\), finite"):
        prune(clusters_of_two(), scores)


def test_texts_and_thresholds_that_do_not_fit_are_refused():
    with pytest.raises(MixingError, match="2 texts for 6 documents"):
        prune(clusters_of_two(), np.array([5, 5, 5, 5, 1, 1.0]), texts=["a", "b"])
    with pytest.raises(MixingError, match="3 thresholds for 1 axes"):
        prune(clusters_of_two(), np.ones(6), (1, 2, 3))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 8), st.integers(1, 3), st.floats(0, 5), st.integers(0, 10_000))
def test_what_stays_is_above_and_what_goes_is_below(k, axes, threshold, seed):
    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), generator.integers(-1, k, 30)])
    before = Clustering(labels, generator.normal(size=(k, 3)))
    scores = generator.uniform(0, 5, size=(len(labels), axes))
    good = [bool((scores[labels == c].mean(axis=0) >= threshold).all()) for c in range(k)]
    if not any(good):
        with pytest.raises(MixingError, match="lower the threshold"):
            prune(before, scores, threshold)
        return
    after, report = prune(before, scores, threshold)
    assert [c in report.kept for c in range(k)] == good
    assert np.array_equal(after.labels_N >= 0, np.isin(labels, report.kept))
    assert report.documents_dropped == sum((labels == c).sum() for c in report.dropped)


def test_mutant_a_silent_no_op_is_noticed(monkeypatch):
    monkeypatch.setattr(pruning, "select", lambda clustering, kept: clustering)
    with pytest.raises(RuntimeError, match="other documents than those"):
        prune(clusters_of_two(), np.array([5, 5, 5, 5, 1, 1.0]))


@pytest.mark.parametrize("threshold", [np.nan, np.inf, None, "3", [np.nan]])
def test_a_threshold_is_a_number(threshold):
    found = kmeans(np.eye(4), 2, 0)
    with pytest.raises(MixingError, match=r"threshold is .*; it must be a finite number"):
        prune(found, np.ones(4), threshold)


@pytest.mark.parametrize("scores", [None, "abcd", ["a"] * 4, [1.0]])
def test_there_is_a_score_for_each_document(scores):
    with pytest.raises(MixingError, match=r"Scores (are|have)"):
        prune(kmeans(np.eye(4), 2, 0), scores)


@pytest.mark.parametrize("folds", [0, 1, 1.5, None])
def test_folds_are_two_at_least(folds):
    with pytest.raises(MixingError, match=f"folds is {folds!r}; it must be a whole number of at least 2"):
        quality_scores(np.eye(9), np.eye(9), 0, folds)
