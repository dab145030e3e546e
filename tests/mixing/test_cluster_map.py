"""The table says what is in a cluster, the map puts every name where its documents are and none on another."""

import hashlib
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba

from nemo_lab.mixing.cluster_map import METHODS, _spread, describe, draw_map, project, source_mix, top_words
from nemo_lab.mixing.clusters import Clustering, kmeans
from nemo_lab.mixing.pools import MixingError

TEXTS = [
    "the sea and a ship",
    "ship ahoy, the sea\nis calm",
    "proof of a lemma",
    "a lemma, its proof",
    "äöü spam",
    "sea",
]
SOURCES = ["novels", "novels", "mathematics", "mathematics", "mail", "dictionary"]
LABELS = np.array([0, 0, 1, 1, -1, 0])


@pytest.fixture
def vectors():
    return np.array([[1, 0.1], [0.9, 0], [0, 1], [0.1, 0.9], [-1, -1], [0.2, 0.2]], dtype=float)


@pytest.fixture
def ax():
    mpl.use("agg")
    figure, ax = plt.subplots(figsize=(9, 6.5))
    yield ax
    plt.close(figure)


def test_the_table_counts_names_and_quotes(vectors):
    table = describe(Clustering(LABELS, np.array([[0.9, 0], [0, 0.9]])), TEXTS, SOURCES, vectors)
    assert table.columns.tolist() == ["name", "documents", "bytes", "share", "words", "sources", "example"]
    assert table["name"].tolist() == ["C1 novels", "C2 mathematics"]
    assert table["documents"].tolist() == [3, 2]
    assert table["bytes"].tolist() == [sum(len(TEXTS[i].encode()) for i in inside) for inside in ([0, 1, 5], [2, 3])]
    assert table["share"].sum() == pytest.approx(1)
    assert table["words"].tolist() == ["sea, ship", "lemma, proof"]
    assert table["sources"].tolist() == ["novels 67 %, dictionary 33 %", "mathematics 100 %"]
    assert table["example"].tolist() == ["ship ahoy, the sea is calm", "proof of a lemma"], "nearest to the centroid"


@pytest.mark.parametrize("short", ["texts", "sources", "vectors"])
def test_as_many_of_each_as_documents(vectors, short):
    given_ = {"texts": TEXTS, "sources": SOURCES, "vectors": vectors}
    given_[short] = given_[short][:5]
    with pytest.raises(MixingError, match="for 6 documents; give one of each"):
        describe(Clustering(LABELS, np.eye(2)), given_["texts"], given_["sources"], given_["vectors"])


def test_top_words_are_those_of_the_group_and_not_of_all_or_of_one_long_text():
    groups = [["whale whale deep water"] + ["whale deep"] * 5, ["proof deep"] * 6 + ["xyzzy " * 500]]
    assert top_words(groups, 1) == ["whale", "proof"]
    assert "xyzzy" not in top_words(groups, 9)[1], "a word of one text"
    assert top_words([["the and of"], ["12 3"]], 3) == ["", ""], "no word at all"
    assert top_words([["zebra apple", "apple zebra"], ["none"]], 2)[0] == "apple, zebra", "equal ones in order"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "b c", "d, e"]), min_size=1, max_size=300))
def test_the_source_mix_names_the_largest_first(sources):
    text = source_mix(sources)
    shares = [float(part) for part in re.findall(r"(\d+) %", text)]
    assert shares == sorted(shares, reverse=True)
    assert abs(sum(shares) - 100) <= 3
    assert text.startswith(max(sorted(set(sources)), key=sources.count))


def test_the_map_keeps_planted_groups_together():
    generator = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 40)
    points = 3 * np.eye(10)[truth] + 0.3 * generator.normal(size=(160, 10))
    for method in METHODS:
        flat = project(points, seed=0, method=method, perplexity=20)
        assert flat.shape == (160, 2)
        near = np.argsort(((flat[:, None] - flat[None]) ** 2).sum(axis=2), axis=1)[:, 1]
        assert (truth[near] == truth).mean() > 0.95, method


PROJECTED = """
import hashlib, numpy as np
from nemo_lab.mixing.cluster_map import project
points = np.random.default_rng(0).normal(size=(60, 70))
print(hashlib.sha256(project(points, seed=5).tobytes()).hexdigest())
"""


def test_the_same_seed_gives_the_same_map_in_another_process():
    points = np.random.default_rng(0).normal(size=(60, 70))
    here = hashlib.sha256(project(points, seed=5).tobytes()).hexdigest()
    done = subprocess.run([sys.executable, "-c", PROJECTED], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout.strip() == here


def test_few_documents_and_mistakes():
    assert project(np.eye(3), method="tsne").shape == (3, 2)
    assert project(np.arange(5.0)[:, None], method="pca").shape == (5, 2)
    with pytest.raises(MixingError, match="at least three documents"):
        project(np.eye(2))
    with pytest.raises(MixingError, match="Unknown method 'umap'; valid: tsne, pca"):
        project(np.eye(5), method="umap")


def crowd(k: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    generator = np.random.default_rng(0)
    labels = np.concatenate([np.repeat(np.arange(k), 20), np.full(30, -1)])
    centres = generator.uniform(-6, 6, size=(k + 1, 2))
    return (
        centres[labels] + generator.normal(size=(len(labels), 2)),
        labels,
        [f"C{i + 1} some corpus" for i in range(k)],
    )


@pytest.mark.parametrize("k", [1, 10, 24])
def test_every_cluster_has_its_name_look_and_place(ax, k):
    points, labels, names = crowd(k)
    draw_map(ax, points, labels, names)
    assert sorted(text.get_text() for text in ax.texts) == sorted(names)
    looks = {
        (tuple(c.get_facecolor()[0][:3]), str(c.get_paths()[0].vertices.round(3).tolist())) for c in ax.collections[1:]
    }
    assert len(looks) == k, "colour and marker together tell clusters apart"
    colours = {text.get_text(): to_rgba(text.get_color()) for text in ax.texts}
    for cluster, drawn in enumerate(ax.collections[1:]):
        assert colours[names[cluster]][:3] == pytest.approx(drawn.get_facecolor()[0][:3])
        assert len(drawn.get_offsets()) == 20
    assert len(ax.collections[0].get_offsets()) == 30, "dropped documents are grey"


@pytest.mark.parametrize("k", [12, 24])
def test_no_name_lies_on_another(ax, k):
    points, labels, names = crowd(k)
    draw_map(ax, points, labels, names)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    overlaps = [
        min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 3
        for i, a in enumerate(boxes)
        for b in boxes[:i]
    ]
    assert not any(overlaps)


def test_highlighting_greys_the_others(ax):
    points, labels, names = crowd(6)
    draw_map(ax, points, labels, names, highlight=[4, 1])
    assert sorted(text.get_text() for text in ax.texts) == [names[1], names[4]]
    assert len(ax.collections[0].get_offsets()) == len(labels) - 40


def test_a_map_of_nothing_but_dropped_documents_and_of_wrong_shapes(ax):
    draw_map(ax, np.zeros((3, 2)), np.full(3, -1), [])
    assert not ax.texts
    with pytest.raises(MixingError, match="do not fit"):
        draw_map(ax, np.zeros((3, 2)), np.array([0, 1, 2]), ["a", "b"])
    with pytest.raises(MixingError, match="do not fit"):
        draw_map(ax, np.zeros((3, 3)), np.array([0, 0, 0]), ["a"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=12))
def test_boxes_are_pushed_apart_and_lone_ones_stay(corners):
    corners = sorted(corners, key=lambda corner: corner[1])
    boxes = [(x, y, x + 1, y + 0.4) for x, y in corners]
    middles = _spread(boxes)
    for i, (x, y, _, _) in enumerate(boxes):
        beside = [j for j, other in enumerate(boxes) if j != i and abs(other[0] - x) < 1]
        if not beside:
            assert middles[i] == pytest.approx(y + 0.2)
        assert all(abs(middles[i] - middles[j]) > 0.39 for j in beside)


def test_it_reads_the_clusters_of_kmeans(ax):
    generator = np.random.default_rng(0)
    points = np.eye(5)[np.repeat(np.arange(5), 30)] + 0.05 * generator.normal(size=(150, 5))
    found = kmeans(points, 5, seed=0)
    kinds = [f"source {k}" for k in np.repeat(np.arange(5), 30)]
    table = describe(found, [f"text about {kind}" for kind in kinds], kinds, points)
    draw_map(ax, project(points), found.labels_N, table["name"])
    assert {text.get_text().split(" ", 1)[1] for text in ax.texts} == set(kinds)


@pytest.mark.parametrize("perplexity", [0, -1, np.nan, None])
def test_a_perplexity_is_positive(perplexity):
    with pytest.raises(MixingError, match=f"perplexity is {perplexity!r}; it must be a finite number above 0"):
        project(np.eye(4), perplexity=perplexity)


@pytest.mark.parametrize("vectors", [None, "ab", [["a"]], [[np.nan]]])
def test_what_is_projected_is_a_matrix_of_numbers(vectors):
    with pytest.raises(MixingError, match=r"The vectors (are|have)"):
        project(vectors)
