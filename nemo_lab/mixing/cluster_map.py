"""What is in a cluster, and where it lies: a table and a map that people can read.

    table = describe(final, texts, sources, vectors_ND)     # a row a cluster: size, words, sources, an example
    points_N2 = project(vectors_ND, seed=0)                 # t-SNE; the picture only, nothing is computed on it
    draw_map(ax, points_N2, final.labels_N, table["name"])

Relative to the paper: CLIMB shows its clusters by topic tables (appendix) and by weights; a map is our addition.
t-SNE keeps neighbours together and invents the distances between groups: read who is beside whom, not how far.

Shapes: N documents, D numbers of a vector, K clusters, V words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nemo_lab.charsets import utf8_bytes
from nemo_lab.errors import check_number, one_of
from nemo_lab.mixing.clusters import Clustering, Floats, Labels, check_vectors
from nemo_lab.mixing.pools import MixingError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

METHODS = ("tsne", "pca")
# Okabe-Ito colours without yellow, which white paper swallows; the markers tell apart what shares a colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
_MARKERS = ("o", "^", "s", "D", "v", "P")
_FADED = "#C8C8C8"
_EXAMPLE = 120  # characters shown of the example
_WORD = r"(?u)\b[^\W\d_]{3,}\b"


def describe(
    clustering: Clustering,
    texts: Sequence[str],
    sources: Sequence[str],
    embeddings_ND: Floats,
    words: int = 6,
) -> pd.DataFrame:
    """Return a row for each cluster, indexed by its number.

    The columns: `name` (C1 is cluster 0, with its main source), `documents`, `bytes`, `share` of all bytes that
    were not dropped, `words` (those with the highest TF-IDF, clusters as documents), `sources` ("novels 93 %,
    dictionary 4 %", by documents) and `example`, the start of the document nearest to the centroid.

    Raises:
        MixingError: texts, sources and vectors are not as many as the clustering has documents.
    """
    import pandas as pd

    documents = len(clustering.labels_N)
    if not len(texts) == len(sources) == len(embeddings_ND) == documents:
        raise MixingError(
            f"There are {len(texts)} texts, {len(sources)} sources and {len(embeddings_ND)} vectors for "
            f"{documents} documents; give one of each for every document."
        )
    members = [np.flatnonzero(clustering.labels_N == cluster) for cluster in range(clustering.k)]
    rows = [
        _row(cluster, inside, texts, sources, np.asarray(embeddings_ND)[inside], clustering.centroids_KD[cluster])
        for cluster, inside in enumerate(members)
    ]
    table = pd.DataFrame(rows)
    table.insert(3, "share", table["bytes"] / table["bytes"].sum())
    table.insert(4, "words", top_words([[texts[index] for index in inside.tolist()] for inside in members], words))
    return table


def _row(
    cluster: int,
    inside: Labels,
    texts: Sequence[str],
    sources: Sequence[str],
    vectors_ND: Floats,
    centroid_D: Floats,
) -> dict[str, Any]:
    own = [sources[index] for index in inside.tolist()]
    central = int(inside[np.argmin(((vectors_ND - centroid_D) ** 2).sum(axis=1))])
    return {
        "name": f"C{cluster + 1} {_frequent(own)[0][0]}",
        "documents": len(inside),
        "bytes": utf8_bytes(texts[i] for i in inside.tolist()),
        "sources": source_mix(own),
        "example": " ".join(texts[central].split())[:_EXAMPLE],
    }


def source_mix(sources: Sequence[str], shown: int = 3) -> str:
    """Return the most frequent sources with their shares: "novels 93 %, dictionary 4 %"; under 1 % not named."""
    shares = [(name, n / len(sources)) for name, n in _frequent(sources)[:shown]]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares if share >= 0.01)


def _frequent(sources: Sequence[str]) -> list[tuple[str, int]]:
    return sorted(Counter(sources).items(), key=lambda item: (-item[1], item[0]))


def top_words(groups: Sequence[Sequence[str]], words: int) -> list[str]:
    """Return for each group of texts its words of highest TF-IDF, groups as documents, English stop words out.

    Words have three letters or more and stand in at least two texts of all; equal ones in the alphabet's order.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    counter = CountVectorizer(token_pattern=_WORD, stop_words="english", binary=True)
    try:
        found = counter.fit_transform([text for group in groups for text in group])
    except ValueError:  # there is no word in any text
        return [""] * len(groups)
    belongs = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    often = np.flatnonzero(np.asarray(found.sum(axis=0)).ravel() >= min(2, found.shape[0]))
    # How many texts of a group hold the word: a long text that repeats a name must not decide for its cluster.
    counts_KV = np.stack([np.asarray(found[belongs == k][:, often].sum(axis=0)).ravel() for k in range(len(groups))])
    weights_KV = TfidfTransformer(sublinear_tf=True).fit_transform(counts_KV).toarray() if len(often) else counts_KV
    names_V = counter.get_feature_names_out()[often]
    order_KV = np.argsort(-weights_KV, axis=1, kind="stable")[:, :words]
    return [", ".join(names_V[row[weights_K[row] > 0]]) for row, weights_K in zip(order_KV, weights_KV, strict=True)]


def project(embeddings_ND: Floats, seed: int = 0, method: str = "tsne", perplexity: float = 30) -> Floats:
    """Return two coordinates for each document, [N, 2]; the same seed gives the same picture.

    Args:
        embeddings_ND: the vectors; they are reduced to 50 principal components first.
        seed: of t-SNE; PCA needs none.
        method: "tsne" or "pca".
        perplexity: about how many neighbours t-SNE keeps together; at most a third of the documents are.

    Raises:
        MixingError: an unknown method, or fewer than three documents.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    check_vectors(embeddings_ND)
    vectors_ND = np.asarray(embeddings_ND, dtype=np.float64)
    check_number("perplexity", perplexity, above=0, kind=MixingError)
    if method not in METHODS:
        raise MixingError(one_of("method", method, METHODS))
    if vectors_ND.ndim != 2 or len(vectors_ND) < 3:
        raise MixingError(f"The vectors have shape {vectors_ND.shape}, expected at least three documents x numbers.")
    components = 2 if method == "pca" else 50
    reduced_ND = PCA(min(components, *vectors_ND.shape), svd_solver="full").fit_transform(vectors_ND)
    if method == "pca":
        return np.pad(reduced_ND, ((0, 0), (0, 2 - reduced_ND.shape[1])))
    near = min(perplexity, (len(vectors_ND) - 1) / 3)
    return TSNE(init="pca", perplexity=near, random_state=seed, n_jobs=1).fit_transform(reduced_ND)


def draw_map(
    ax: Axes,
    points_N2: Floats,
    labels_N: Labels,
    names_K: Sequence[str],
    highlight: Collection[int] | None = None,
) -> None:
    """Draw the documents as points and each cluster's name at its median; dropped documents are grey.

    Args:
        ax: where to draw.
        points_N2: from `project`.
        labels_N: a clustering's labels, -1 for dropped.
        names_K: one for each cluster.
        highlight: only these clusters in colour and with names, the others grey; None: all.

    Raises:
        MixingError: the shapes do not fit.
    """
    names = list(names_K)
    if np.shape(points_N2) != (len(labels_N), 2) or labels_N.max(initial=-1) >= len(names):
        raise MixingError(
            f"Points {np.shape(points_N2)}, {len(labels_N)} labels up to {labels_N.max(initial=-1)} and {len(names)} "
            "names do not fit."
        )
    shown = set(range(len(names)) if highlight is None else highlight)
    grey = points_N2[~np.isin(labels_N, list(shown))]
    ax.scatter(grey[:, 0], grey[:, 1], s=5, color=_FADED, linewidths=0, zorder=1)
    for cluster in sorted(shown & set(labels_N.tolist())):
        mine = points_N2[labels_N == cluster]
        look: dict[str, Any] = {"color": _colour(cluster), "marker": _marker(cluster), "alpha": 0.75}
        ax.scatter(mine[:, 0], mine[:, 1], s=11, linewidths=0, zorder=2, **look)
    ax.set(xticks=[], yticks=[])  # the coordinates of t-SNE mean nothing
    ax.spines[:].set_visible(False)
    ax.margins(0.06)
    medians = {k: np.median(points_N2[labels_N == k], axis=0) for k in shown & set(labels_N.tolist())}
    _write_names(ax, medians, names)


def _colour(cluster: int) -> str:
    return _COLOURS[cluster % len(_COLOURS)]


def _marker(cluster: int) -> str:
    return _MARKERS[cluster // len(_COLOURS) % len(_MARKERS)]


def _write_names(ax: Axes, medians: dict[int, Floats], names: Sequence[str]) -> None:
    """Write each name at its cluster's median, moved up or down just so far that no two overlap."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    look: dict[str, Any] = {"fontsize": 8.5, "weight": "bold", "ha": "center", "va": "center", "zorder": 3}
    upward = sorted(medians, key=lambda k: (float(medians[k][1]), k))
    texts = [
        ax.text(medians[k][0], medians[k][1], names[k], color=_colour(k), path_effects=halo, **look) for k in upward
    ]
    figure: Any = ax.get_figure(root=True)
    figure.draw_without_rendering()  # the layout decides how large a text is in the axes' units
    to_data = ax.transData.inverted()
    boxes = [to_data.transform_bbox(text.get_window_extent()) for text in texts]
    for text, height in zip(texts, _spread([(b.x0, b.y0, b.x1, b.y1) for b in boxes]), strict=True):
        text.set_y(height)


def _spread(boxes: Sequence[tuple[float, float, float, float]], rounds: int = 200) -> list[float]:
    """Return the heights of the middles of boxes (x0, y0, x1, y1) after pushing overlapping ones apart."""
    middles = [(y0 + y1) / 2 for _, y0, _, y1 in boxes]
    tall = max((y1 - y0 for _, y0, _, y1 in boxes), default=0.0)
    pairs = [
        (low, high)
        for low in range(len(boxes))
        for high in range(low + 1, len(boxes))
        if boxes[low][0] < boxes[high][2] and boxes[high][0] < boxes[low][2]
    ]
    for _ in range(rounds):
        for low, high in pairs:
            gap = tall - (middles[high] - middles[low])
            if gap > 1e-9:
                middles[low], middles[high] = middles[low] - gap / 2, middles[high] + gap / 2
    return middles
