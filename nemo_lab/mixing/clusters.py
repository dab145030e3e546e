"""CLIMB's clusters: k-means cells of documents, dropped or merged (arXiv 2504.13161, section 2.1).

    found = kmeans(vectors_ND, k=64, seed=0)                       # the paper: K_init = 1000, FAISS
    kept, report = prune(found, scores_N, threshold=3.0)           # `pruning`; the paper: 240 stay
    final = merge(kept, k_final=12)                                # the paper: distance 1.5, 21 stay
    labels_M = assign(more_MD, final)                              # new documents; -1: would have been dropped

The k-means cells are never forgotten. Pruning and merging only say which cluster a cell belongs to (-1 for
none), so a new document finds its nearest cell and with it its cluster, by the very rule that the documents of
the search were put there; a document like the dropped ones is dropped too.

Relative to the paper: its merging 'by Euclidean distance 1.5' is in NVIDIA's tutorial a Ward linkage cut at
height 1.5. The two are not the same: the Ward height of two groups of n and m centroids is sqrt(2nm / (n + m))
times the distance of their means, hence equal for single centroids and larger for groups. Here vectors have
length 1 and no two centroids are 1.5 apart, so a plain distance of 1.5 merges everything; `merge` takes a
height for either linkage, or a number of clusters. `ward_by_documents` is ours: a centroid weighs as many
points as it has documents, so each step adds least to the k-means error. Where cells are small this matters: from
64 cells of 1,048 documents to 12 clusters over five seeds, Ward left a cluster of 1 to 5 documents, which no
mixture can be drawn from; by documents the smallest had 22 to 33, at the same agreement with the sources.

Shapes: N documents, D numbers of a vector, K clusters, M k-means cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nemo_lab.errors import check_number, check_whole, one_of
from nemo_lab.mixing.pools import MixingError

Floats = npt.NDArray[np.floating]
Labels = npt.NDArray[np.int64]
LINKAGES = ("ward", "ward_by_documents", "average", "complete", "single")
DROPPED = -1


@dataclass(frozen=True, eq=False)
class Clustering:
    """Which cluster each document is in, -1 for none, and where the clusters lie.

    Without cells, each cluster is a cell of its own.
    """

    labels_N: Labels
    centroids_KD: Floats
    cells_MD: Floats = field(default_factory=lambda: np.empty((0, 0)))
    cluster_of_cell_M: Labels = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __post_init__(self) -> None:
        """Make the cells where none are given; refuse labels without a centroid and clusters without a document."""
        if not self.cells_MD.size:
            object.__setattr__(self, "cells_MD", self.centroids_KD)
            object.__setattr__(self, "cluster_of_cell_M", np.arange(self.k))
        for labels in (self.labels_N, self.cluster_of_cell_M):
            if labels.ndim != 1 or (labels.size and not DROPPED <= labels.min() <= labels.max() < self.k):
                raise MixingError(f"Labels must be -1 (dropped) to {self.k - 1} for {self.k} clusters.")
        if not self.k or not self.sizes_K.all():
            raise MixingError(f"The clusters have {self.sizes_K.tolist()} documents; each must have one at least.")

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centroids_KD)

    @property
    def sizes_K(self) -> npt.NDArray[np.int64]:
        """Documents of each cluster."""
        return np.bincount(self.labels_N[self.labels_N >= 0], minlength=self.k)


def kmeans(embeddings_ND: Floats, k: int, seed: int, iterations: int = 50, restarts: int = 5) -> Clustering:
    """Return the best of `restarts` runs of FAISS's k-means from k-means++ starts, numbered from the largest.

    Every document is used in every iteration. Clusters without a document, which only arise where documents
    coincide, are left out. The same seed gives the same clusters: FAISS runs on one thread.

    Raises:
        MixingError: a matrix that is none, or k is not between 1 and the number of documents.
    """
    import faiss

    vectors_ND = check_vectors(embeddings_ND)
    for name, value in (("iterations", iterations), ("restarts", restarts)):
        check_whole(name, value, kind=MixingError)
    check_whole("seed", seed, 0, kind=MixingError)
    if not 1 <= check_whole("k", k, 0, kind=MixingError) <= len(vectors_ND):
        raise MixingError(f"k is {k}, expected 1 to {len(vectors_ND)}, the number of documents.")
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        runs = faiss.Kmeans(
            vectors_ND.shape[1],
            k,
            niter=iterations,
            nredo=restarts,
            seed=seed,
            init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
            min_points_per_centroid=1,
            max_points_per_centroid=len(vectors_ND),
        )
        runs.train(vectors_ND)
    finally:
        faiss.omp_set_num_threads(threads)
    centroids_KD = np.asarray(runs.centroids)
    labels_N = nearest(vectors_ND, centroids_KD)
    order = [cell for cell in _by_size(labels_N, k) if (labels_N == cell).any()]
    return Clustering(_renumbered(labels_N, order, k), centroids_KD[order])


def assign(embeddings_ND: Floats, clustering: Clustering) -> Labels:
    """Return the cluster of each document, -1 where its nearest k-means cell was dropped, [N]."""
    vectors_ND = check_vectors(embeddings_ND)
    if vectors_ND.shape[1] != clustering.cells_MD.shape[1]:
        raise MixingError(
            f"The vectors have {vectors_ND.shape[1]} numbers, those of the clusters {clustering.cells_MD.shape[1]}; "
            "embed with the same model."
        )
    return clustering.cluster_of_cell_M[nearest(vectors_ND, clustering.cells_MD)]


def nearest(vectors_ND: Floats, cells_MD: Floats) -> Labels:
    """Return the index of the nearest row of `cells_MD` for each vector; of equally near ones the first."""
    lengths_M = (cells_MD.astype(np.float64) ** 2).sum(axis=1)
    found = [
        np.argmin(lengths_M - 2 * (block.astype(np.float64) @ cells_MD.T.astype(np.float64)), axis=1)
        for block in np.array_split(vectors_ND, max(1, len(vectors_ND) // 4096))
    ]
    return np.concatenate(found)


def select(clustering: Clustering, kept: Sequence[int] | Labels) -> Clustering:
    """Return only the clusters `kept`, in this order; the documents and cells of the others are dropped."""
    return Clustering(
        _renumbered(clustering.labels_N, kept, clustering.k),
        clustering.centroids_KD[kept],
        clustering.cells_MD,
        _renumbered(clustering.cluster_of_cell_M, kept, clustering.k),
    )


def merge(
    clustering: Clustering, *, height: float | None = None, k_final: int | None = None, linkage: str = "ward"
) -> Clustering:
    """Join clusters whose centroids are near, bottom up, and number them from the largest.

    Args:
        clustering: K clusters.
        height: join while the linkage's height is at most this; the paper's figure is 1.5. For `average`,
            `complete` and `single` it is a Euclidean distance between centroids, for the others see above.
        k_final: or join until so many are left.
        linkage: how the distance of two groups of centroids is defined; the tutorial: `ward`.

    Raises:
        MixingError: neither or both of height and k_final, or a k_final that is not between 1 and K.
    """
    from scipy.cluster.hierarchy import cut_tree, fcluster

    if (height is None) == (k_final is None):
        raise MixingError("Give either a height at which the merging stops or k_final, the clusters to be left.")
    if height is not None:
        check_number("height", height, least=0, kind=MixingError)
    if k_final is not None and not 1 <= check_whole("k_final", k_final, 0, kind=MixingError) <= clustering.k:
        raise MixingError(f"k_final is {k_final}, expected 1 to {clustering.k}, the clusters there are.")
    if linkage not in LINKAGES:
        raise MixingError(one_of("linkage", linkage, LINKAGES))
    if clustering.k == 1:
        return clustering
    links = _tree(clustering.centroids_KD.astype(np.float64), clustering.sizes_K, linkage)
    if k_final is not None:
        group_K = cut_tree(links, n_clusters=k_final)[:, 0]
    else:
        group_K = fcluster(links, height, criterion="distance") - 1
    return _joined(clustering, group_K)


def _tree(centroids_KD: Floats, sizes_K: npt.NDArray[np.int64], linkage: str) -> Floats:
    """Return scipy's linkage matrix: in each row the two groups that join, the height, the centroids inside."""
    from scipy.cluster.hierarchy import linkage as tree

    if linkage == "ward_by_documents":
        return _ward_by_documents(centroids_KD, sizes_K.astype(float))
    return tree(centroids_KD, linkage)


def _ward_by_documents(centroids_KD: Floats, sizes_K: Floats) -> Floats:
    """Return Ward's linkage of points that weigh `sizes_K`, which scipy's has no argument for."""
    k, means_KD, weight_K = len(centroids_KD), centroids_KD.copy(), sizes_K.copy()
    name_K, inside_K = np.arange(k), np.ones(k)
    cost_KK = np.full((k, k), np.inf)  # of joining row and column; filled below the diagonal
    for row in range(1, k):
        cost_KK[row, :row] = _ward_costs(means_KD[:row], weight_K[:row], means_KD[row], weight_K[row])
    joins = []
    for step in range(k - 1):
        into, gone = divmod(int(np.argmin(cost_KK)), k)
        pair, height = [gone, into], float(cost_KK[into, gone]) ** 0.5
        inside_K[into] = inside_K[pair].sum()
        joins.append([*np.sort(name_K[pair]), height, inside_K[into]])
        means_KD[into] = np.average(means_KD[pair], axis=0, weights=weight_K[pair])
        weight_K[into], name_K[into] = weight_K[pair].sum(), k + step
        cost_KK[gone], cost_KK[:, gone] = np.inf, np.inf
        fresh_K = _ward_costs(means_KD, weight_K, means_KD[into], weight_K[into])
        for part, costs in ((cost_KK[into, :into], fresh_K[:into]), (cost_KK[into + 1 :, into], fresh_K[into + 1 :])):
            part[:] = np.where(np.isfinite(part), costs, np.inf)
    return np.array(joins, dtype=float)


def _ward_costs(means_KD: Floats, weight_K: Floats, mean_D: Floats, weight: float) -> Floats:
    """Return 2nm / (n + m) times the squared distance: twice what joining adds to the k-means error."""
    return 2 * weight_K * weight / (weight_K + weight) * ((means_KD - mean_D) ** 2).sum(axis=1)


def _joined(clustering: Clustering, group_K: Labels) -> Clustering:
    """Return the clustering in which clusters of one group are one, its centroid the mean of its documents."""
    sizes_K = clustering.sizes_K
    weights_GK = (group_K[None, :] == np.arange(group_K.max() + 1)[:, None]) * sizes_K
    centroids_GD = weights_GK @ clustering.centroids_KD / weights_GK.sum(axis=1, keepdims=True)
    labels_N = _through(group_K, clustering.labels_N)
    order = _by_size(labels_N, len(centroids_GD))
    cluster_of_cell_M = _through(group_K, clustering.cluster_of_cell_M)
    return Clustering(
        _renumbered(labels_N, order, len(centroids_GD)),
        centroids_GD[order].astype(clustering.centroids_KD.dtype),
        clustering.cells_MD,
        _renumbered(cluster_of_cell_M, order, len(centroids_GD)),
    )


def _through(new: Labels, labels: Labels) -> Labels:
    """Replace each label by its entry of `new`; what is dropped stays dropped."""
    return np.where(labels < 0, DROPPED, new[labels])


def _renumbered(labels: Labels, order: Sequence[int] | Labels, k: int) -> Labels:
    """Give the cluster `order[i]` the number i; clusters that are not in `order` are dropped."""
    new = np.full(k, DROPPED, dtype=np.int64)
    new[order] = np.arange(len(order))
    return _through(new, labels)


def _by_size(labels_N: Labels, k: int) -> list[int]:
    """Return the clusters from the largest; of equal ones first the one whose document comes first."""
    sizes_K = np.bincount(labels_N[labels_N >= 0], minlength=k)
    first_K = np.full(k, len(labels_N))
    np.minimum.at(first_K, labels_N[labels_N >= 0], np.flatnonzero(labels_N >= 0))
    return np.lexsort((first_K, -sizes_K)).tolist()


def check_vectors(vectors: Floats) -> npt.NDArray[np.float32]:
    """Return vectors as a matrix of float32 that FAISS takes.

    Raises:
        MixingError: not a matrix, no row, or a number that is not finite.
    """
    try:
        vectors_ND = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise MixingError(f"The vectors are {vectors!r:.60}, expected a matrix of numbers.") from error
    if vectors_ND.ndim != 2 or not vectors_ND.size or not np.isfinite(vectors_ND).all():
        raise MixingError(
            f"The vectors have shape {vectors_ND.shape}, expected documents x numbers, at least one of each, finite."
        )
    return vectors_ND
