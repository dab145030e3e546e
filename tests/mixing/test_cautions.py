"""Cautions are said where a mixture says less than it seems to, and nowhere else."""

import numpy as np
import pytest

from nemo_lab.mixing.cautions import goal_sample, lion_share, small_sources, ties


@pytest.mark.parametrize(
    ("counts", "warned"),
    [({"a": 3, "b": 40}, ["a"]), ({"a": 9, "b": 10}, ["a"]), ({"a": 10, "b": 11}, []), ({"a": 0, "b": 1}, ["a", "b"])],
)
def test_sources_of_few_documents_are_named(counts, warned):
    corpus = [name for name, count in counts.items() for _ in range(count)]
    found = small_sources([*counts, *counts], corpus)
    assert [line.split("'")[1] for line in found] == warned
    for name, line in zip(warned, found, strict=True):
        assert (f"has {counts[name]} documents" if counts[name] else "no document of the source") in line
    assert small_sources([], corpus) == [], "the lab's own corpora are not asked about"


def test_the_sample_of_a_goal_is_stated_in_texts_and_bytes():
    texts = ["é" * 100] * 40
    said, beware = goal_sample(texts[:2], texts, 500)
    assert said == "2 of 40 texts of the goal are used, 400 of 8,000 bytes (this scale reads about 500)."
    assert "few texts (2)" in beware
    assert "larger scale" in beware
    assert "give more of them" in goal_sample(texts[:3], texts[:3], 10**6)[1]
    assert len(goal_sample(texts[:9], texts, 1)) == 2
    assert len(goal_sample(texts[:10], texts, 1)) == 1


@pytest.mark.parametrize(
    ("weights", "named"),
    [([0.989, 0.011], "C1"), ([0.04, 0.02, 0.94], "C3"), ([0.9, 0.1], None), ([0.5, 0.5], None), ([1.0], None)],
)
def test_an_answer_of_one_cluster_is_said(weights, named):
    found = lion_share(np.array(weights), ["C1", "C2", "C3"][: len(weights)])
    assert len(found) == (named is not None)
    if named:
        assert f"{max(weights):.1%} of the weight lies on one cluster, {named}:" in found[0]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([2.0, 2.0, 2.0, 3.0, 4.0, 5.0], "3 of 6 proxies scored exactly like another, the best among them."),
        ([1.0, 2.0, 2.0, 3.0, 3.0], "4 of 5 proxies scored exactly like another. Each reads 64 rows"),
        ([2.0, 2.0], "2 of 2 proxies"),
    ],
)
def test_ties_are_counted(scores, words):
    (found,) = ties(np.array(scores), 64)
    assert words in found


@pytest.mark.parametrize("scores", [[1.0], [1.0, 1.0 + 1e-12], [3.0, 2.0, 1.0]])
def test_scores_that_differ_are_no_ties(scores):
    assert ties(np.array(scores), 64) == []
