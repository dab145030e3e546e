"""Clusters with planted truth: blobs are found, near ones merge, and new documents go where old ones went."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from nemo_lab.mixing.clusters import LINKAGES, Clustering, _tree, assign, kmeans, merge, nearest, select
from nemo_lab.mixing.pools import MixingError


def blobs(centres: np.ndarray, sizes: list[int], spread: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around centres, and which centre each belongs to; in random order."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    points = centres[truth] + spread * generator.normal(size=(len(truth), centres.shape[1]))
    order = generator.permutation(len(truth))
    return points[order].astype(np.float32), truth[order]


@pytest.fixture(scope="module")
def eight():
    return blobs(np.eye(8), [50, 40, 35, 30, 25, 20, 15, 10])


def same_groups(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two labelings group the same documents together, whatever the numbers."""
    return len(set(zip(first.tolist(), second.tolist(), strict=True))) == len(set(first)) == len(set(second))


# --- k-means


def test_planted_blobs_are_found_exactly(eight):
    points, truth = eight
    found = kmeans(points, 8, seed=0)
    assert same_groups(found.labels_N, truth)
    assert found.sizes_K.tolist() == [50, 40, 35, 30, 25, 20, 15, 10], "numbered from the largest"
    means = np.stack([points[found.labels_N == cluster].mean(axis=0) for cluster in range(8)])
    np.testing.assert_allclose(found.centroids_KD, means, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 60), st.integers(0, 2**31 - 1))
def test_every_document_is_in_its_nearest_cluster(documents, numbers, k, seed):
    points = np.random.default_rng(seed).normal(size=(documents, numbers)).astype(np.float32)
    k = min(k, documents)
    found = kmeans(points, k, seed=seed, iterations=5, restarts=1)
    distances = ((points[:, None, :].astype(float) - found.centroids_KD[None]) ** 2).sum(axis=2)
    chosen = distances[np.arange(documents), found.labels_N]
    np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-5)
    assert found.k <= k
    assert found.sizes_K.min() >= 1
    assert found.sizes_K.tolist() == sorted(found.sizes_K.tolist(), reverse=True)
    assert np.array_equal(assign(points, found), found.labels_N)


SEEDED = """
import hashlib, numpy as np
from nemo_lab.mixing.clusters import kmeans
points = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
found = kmeans(points, 20, seed=3)
print(hashlib.sha256(found.labels_N.tobytes() + found.centroids_KD.tobytes()).hexdigest())
"""


def test_a_seed_decides_also_in_another_process_with_more_threads(monkeypatch):
    answers = set()
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        done = subprocess.run([sys.executable, "-c", SEEDED], capture_output=True, text=True, timeout=600, check=True)
        assert done.stderr == "", "FAISS warns where it has few documents a cluster"
        answers.add(done.stdout)
    assert len(answers) == 1


def test_other_seeds_start_elsewhere_and_threads_are_put_back():
    import faiss

    before = faiss.omp_get_max_threads()
    points = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    one, two = (kmeans(points, 10, seed=seed, iterations=1, restarts=1) for seed in (0, 1))
    assert not same_groups(one.labels_N, two.labels_N)
    assert faiss.omp_get_max_threads() == before


def test_documents_that_coincide_make_fewer_clusters():
    points = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    found = kmeans(points, 9, seed=0)
    assert found.k == 3
    assert same_groups(found.labels_N, np.repeat(np.arange(3), 5))


@pytest.mark.parametrize(
    ("points", "k", "message"),
    [
        (np.eye(3), 4, "k is 4, expected 1 to 3, the number of documents"),
        (np.eye(3), 0, "k is 0"),
        (np.empty((0, 3)), 1, r"shape \(0, 3\)"),
        (np.ones(3), 1, r"shape \(3,\), expected documents x numbers"),
        (np.full((3, 2), np.nan), 1, "finite"),
    ],
)
def test_what_cannot_be_clustered_is_one_sentence(points, k, message):
    with pytest.raises(MixingError, match=message):
        kmeans(points, k, seed=0)


def test_nearest_in_blocks_is_nearest_at_once(monkeypatch):
    generator = np.random.default_rng(0)
    points, cells = generator.normal(size=(9000, 3)), generator.normal(size=(5, 3))
    plain = ((points[:, None] - cells[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert np.array_equal(nearest(points, cells), plain)


# --- clusterings


def test_labels_without_a_centroid_and_clusters_without_a_document_are_refused():
    with pytest.raises(MixingError, match="Labels must be -1"):
        Clustering(np.array([0, 2]), np.eye(2))
    with pytest.raises(MixingError, match=r"have \[2, 0\] documents"):
        Clustering(np.array([0, 0]), np.eye(2))
    with pytest.raises(MixingError, match="each must have one"):
        Clustering(np.array([-1, -1]), np.empty((0, 2)))


def test_selecting_drops_the_documents_and_cells_of_the_others(eight):
    points, _ = eight
    found = kmeans(points, 8, seed=0)
    few = select(found, [5, 1])
    assert few.k == 2
    assert np.array_equal(few.labels_N == 0, found.labels_N == 5)
    assert np.array_equal(few.labels_N < 0, ~np.isin(found.labels_N, [1, 5]))
    np.testing.assert_array_equal(few.centroids_KD, found.centroids_KD[[5, 1]])
    assert np.array_equal(assign(points, few), few.labels_N), "a document like the dropped ones is dropped too"


def test_new_documents_go_to_their_blob(eight):
    points, truth = eight
    final = merge(kmeans(points, 30, seed=0), k_final=8)
    more, more_truth = blobs(np.eye(8), [9] * 8, seed=1)
    number = {t: int(np.bincount(final.labels_N[truth == t]).argmax()) for t in range(8)}
    assert assign(more, final).tolist() == [number[t] for t in more_truth]


def test_vectors_of_another_model_are_refused(eight):
    found = kmeans(eight[0], 8, seed=0)
    with pytest.raises(MixingError, match="have 5 numbers, those of the clusters 8"):
        assign(np.ones((2, 5)), found)


# --- merging


def test_cells_of_one_blob_merge_and_blobs_do_not(eight):
    points, truth = eight
    cells = kmeans(points, 40, seed=0)
    assert cells.k == 40
    final = merge(cells, k_final=8)
    assert same_groups(final.labels_N, truth)
    assert final.sizes_K.tolist() == [50, 40, 35, 30, 25, 20, 15, 10]
    means = np.stack([points[final.labels_N == cluster].mean(axis=0) for cluster in range(8)])
    np.testing.assert_allclose(final.centroids_KD, means, atol=1e-3)
    assert np.array_equal(assign(points, final), final.labels_N)


@pytest.mark.parametrize("linkage", LINKAGES)
def test_a_height_between_the_gaps_finds_the_pairs(linkage):
    """Pairs of centres 0.4 apart, other centres sqrt(2) or more: one height separates them in every linkage.

    By documents the height counts them too: two groups of 20 are at sqrt(20) times the distance.
    """
    corners = np.eye(4)
    centres = np.concatenate([corners, corners * 1.4])
    points, truth = blobs(centres, [20] * 8, spread=0.01)
    height = 0.8 * (20**0.5 if linkage == "ward_by_documents" else 1)
    found = merge(kmeans(points, 8, seed=0), height=height, linkage=linkage)
    assert same_groups(found.labels_N, truth % 4)


def test_wards_height_is_a_distance_for_two_centroids_and_more_for_groups():
    pair = kmeans(np.array([[0, 0], [1.4, 0]]), 2, seed=0)
    assert (merge(pair, height=1.5).k, merge(pair, height=1.3).k) == (1, 2)
    groups = Clustering(np.arange(4), np.array([[0, 0], [0, 0.1], [1.2, 0], [1.2, 0.1]]))
    assert merge(groups, height=1.5, linkage="ward").k == 2, "sqrt(2·2·2/4) · 1.2 = 1.7"
    assert merge(groups, height=1.5, linkage="average").k == 1
    assert merge(groups, height=1.71, linkage="ward").k == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_ward_by_documents_is_scipys_ward_of_every_document_at_its_centroid(k, seed):
    from scipy.cluster.hierarchy import fcluster, ward

    generator = np.random.default_rng(seed)
    centroids, sizes = generator.normal(size=(k, 3)), generator.integers(1, 20, size=k)
    ours = _tree(centroids, sizes, "ward_by_documents")
    plain = ward(np.repeat(centroids, sizes, axis=0))
    np.testing.assert_allclose(ours[:, 2], plain[-(k - 1) :, 2], rtol=1e-9)
    height = float(np.median(ours[:, 2])) * 1.0001
    first = np.cumsum(sizes) - sizes
    assert same_groups(fcluster(ours, height, "distance"), fcluster(plain, height, "distance")[first])


def test_by_documents_a_lone_outlier_joins_before_two_blobs_do():
    points, _ = blobs(np.array([[0, 0], [1, 0.0]]), [50, 50], spread=0.01)
    points = np.concatenate([points, [[0, 1.5]]]).astype(np.float32)
    cells = kmeans(points, 3, seed=0)
    assert merge(cells, k_final=2).sizes_K.tolist() == [100, 1]
    assert merge(cells, k_final=2, linkage="ward_by_documents").sizes_K.tolist() == [51, 50]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000), st.sampled_from(LINKAGES))
def test_merging_is_a_coarser_partition_of_the_same_documents(documents, k, k_final, seed, linkage):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(documents, 3)).astype(np.float32)
    cells = kmeans(points, min(k, documents), seed=0, iterations=3, restarts=1)
    kept = select(cells, sorted(generator.choice(cells.k, generator.integers(1, cells.k + 1), replace=False)))
    final = merge(kept, k_final=min(k_final, kept.k), linkage=linkage)
    assert final.k == min(k_final, kept.k)
    assert np.array_equal(final.labels_N < 0, kept.labels_N < 0), "dropped stays dropped"
    for cell in range(kept.k):
        assert len(set(final.labels_N[kept.labels_N == cell])) == 1
    assert final.sizes_K.tolist() == sorted(final.sizes_K.tolist(), reverse=True)
    assert np.array_equal(assign(points, final), final.labels_N)


def test_equal_heights_still_give_the_number_asked_for():
    square = Clustering(np.arange(4), np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]))
    assert [merge(square, k_final=k).k for k in (1, 2, 3, 4)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a height .* or k_final"),
        ({"height": 1.0, "k_final": 2}, "either a height"),
        ({"k_final": 9}, "k_final is 9, expected 1 to 8"),
        ({"k_final": 0}, "k_final is 0"),
        ({"k_final": 2, "linkage": "wards"}, "Unknown linkage 'wards', did you mean 'ward'"),
    ],
)
def test_a_merge_that_cannot_be_is_one_sentence(eight, arguments, message):
    with pytest.raises(MixingError, match=message):
        merge(kmeans(eight[0], 8, seed=0), **arguments)


def test_mutant_merging_at_random_is_noticed(eight):
    """The check of planted blobs fails when the linkage does not look at the centroids."""
    points, truth = eight
    cells = kmeans(points, 40, seed=0)
    blind = Clustering(
        cells.labels_N,
        np.random.default_rng(0).permutation(cells.centroids_KD),
        cells.cells_MD,
        cells.cluster_of_cell_M,
    )
    assert adjusted_rand_score(truth, merge(blind, k_final=8).labels_N) < 0.5
    assert adjusted_rand_score(truth, merge(cells, k_final=8).labels_N) == 1


@pytest.mark.parametrize("vectors", [None, "ab", 5, [], [["a"]], [[np.nan]], [1.0, 2.0]])
def test_vectors_are_a_matrix_of_numbers(vectors):
    with pytest.raises(MixingError, match=r"The vectors (are|have)"):
        kmeans(vectors, 1, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 1.5}, "k is 1.5; it must be a whole number"),
        ({"k": "2"}, "k is '2'"),
        ({"seed": None}, "seed is None"),
        ({"iterations": 0}, "iterations is 0"),
        ({"restarts": 0}, "restarts is 0"),
    ],
)
def test_numbers_of_kmeans_are_whole(change, words):
    with pytest.raises(MixingError, match=words):
        kmeans(np.eye(4), **{"k": 2, "seed": 0} | change)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"height": np.nan}, "height is nan; it must be a finite number at least 0"),
        ({"height": -1}, "height is -1"),
        ({"height": "1.5"}, "height is '1.5'"),
        ({"k_final": 1.5}, "k_final is 1.5"),
        ({"k_final": "2"}, "k_final is '2'"),
    ],
)
def test_merging_stops_at_a_number(how, words):
    with pytest.raises(MixingError, match=words):
        merge(kmeans(np.eye(4), 3, 0), **how)
