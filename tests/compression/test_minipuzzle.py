"""MiniPuzzle's published numbers among each other, its enumeration against brute force, its scores by hand."""

from itertools import product

import pytest
import torch
from tiny_pruning import TINY, make_model, make_rows

from nemo_lab.compression import minipuzzle
from nemo_lab.errors import LabError
from nemo_lab.modeling import costs
from nemo_lab.modeling.presets import preset

PARENT = preset("nemotron-h-56b").pattern
SCORES = [0.3, 0.1, 0.4, 0.2, 0.6, 0.5]


def test_published_scores_give_the_published_layers_and_model() -> None:
    text, code = preset("nemotron-h-47b-text").pattern, preset("nemotron-h-47b").pattern
    assert minipuzzle.published_check(PARENT, text, code) == {
        "attention removed by ranking": (7, 29, 73, 84, 95),
        "attention removed, published": (7, 29, 73, 84, 95),
        "layers M / * / -": (44, 5, 49),
        "equals the text's 47B": True,
        "differs from the code's 47B at": [74],
    }


def test_published_sets_are_twenty_layers_each_and_of_the_stated_kinds() -> None:
    counts = {1: (8, 6, 6), 2: (10, 5, 5), 3: (8, 6, 6)}
    for number, removed in minipuzzle.PUBLISHED_REMOVED.items():
        assert len(set(removed)) == 20
        assert tuple(sum(PARENT[i] == kind for i in removed) for kind in "M*-") == counts[number]
    assert set(minipuzzle.PUBLISHED_ATTENTION_MSE) == {i for i, kind in enumerate(PARENT) if kind == "*"}


def test_candidates_are_all_that_fit() -> None:
    budget = 0.7 * costs.parameter_count(TINY)
    found = minipuzzle.candidates(TINY, SCORES, (10, 20), costs.parameter_count, budget)
    expected = set()
    for m, f, width in product((0, 1), (0, 1, 2), (10, 20)):  # one of each kind stays, so the only attention layer
        removed = tuple(sorted([0][:m] + [1, 3][:f]))  # of each kind in the order of their scores
        pattern = "".join(k for i, k in enumerate(TINY.pattern) if i not in removed)
        config = TINY.with_(pattern=pattern, d_ff=width)
        if costs.parameter_count(config) <= budget:
            expected.add((removed, config))
    assert {(one.removed, one.config) for one in found} == expected
    assert [one.size for one in found] == sorted((one.size for one in found), reverse=True)
    assert all(len(one.kept(6)) == len(one.config.pattern) for one in found)


def test_a_pattern_without_attention_can_be_searched() -> None:
    parent = TINY.with_(pattern="M-M-")
    found = minipuzzle.candidates(parent, [0.0] * 4, (20,), costs.parameter_count, 1e9)
    assert {one.config.pattern for one in found} == {"M-M-", "-M-", "MM-", "M-"}


def test_greedy_scores_by_hand() -> None:
    model, rows = make_model(), make_rows()
    rows.targets_BL[0, :5] = -100
    with torch.no_grad():
        first = model(rows.tokens_BL, rows.document_BL).argmax(-1)
    right = (first == rows.targets_BL).sum() / (rows.targets_BL != -100).sum()
    assert minipuzzle.greedy_scores(model, model, [rows]) == (pytest.approx(float(right)), 1.0)
    other = make_model(seed=1)
    assert minipuzzle.greedy_scores(other, model, [rows])[1] < 0.5


def test_mistakes_are_named() -> None:
    with pytest.raises(LabError, match="2 scores for the 6 layers"):
        minipuzzle.candidates(TINY, [1, 2], (20,), costs.parameter_count, 1e9)
    smallest = minipuzzle.candidates(TINY, SCORES, (20,), costs.parameter_count, 1e9)[-1].size
    with pytest.raises(LabError, match=f"No child fits 1: the smallest takes {smallest:.4g};"):
        minipuzzle.candidates(TINY, SCORES, (20,), costs.parameter_count, 1)
    with pytest.raises(LabError, match=f"No child fits 1e-07: the smallest takes {smallest / 1e9:.4g};"):
        minipuzzle.candidates(TINY, SCORES, (20,), lambda c: costs.parameter_count(c) / 1e9, 1e-7)
    for widths in ((), (0, 20), (20, 21)):
        with pytest.raises(LabError, match=r"give one at least, all of them from 1 to the parent's 20"):
            minipuzzle.candidates(TINY, SCORES, widths, costs.parameter_count, 1e9)
    with pytest.raises(LabError, match="no text to score"):
        minipuzzle.greedy_scores(make_model(), make_model(), [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": float("nan")}, "budget is nan; it must be a finite number"),
        ({"budget": None}, "budget is None"),
        ({"widths": None}, "widths are None, expected whole numbers"),
        ({"widths": [8.5]}, "width is 8.5"),
        ({"scores": None}, "scores are None, expected a number for each layer"),
        ({"scores": [float("nan")] * 6}, "expected a number for each layer"),
    ],
)
def test_what_has_no_candidates_is_one_sentence(change, words):
    request = {"parent": TINY, "scores": SCORES, "widths": [8], "size": costs.parameter_count, "budget": 1e9}
    with pytest.raises(LabError, match=words):
        minipuzzle.candidates(**request | change)


def test_what_is_no_batch_is_one_sentence():
    with pytest.raises(LabError, match="batches are None"):
        minipuzzle.greedy_scores(make_model(), make_model(), None)
