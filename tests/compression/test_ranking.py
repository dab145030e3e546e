"""Ranking of heads, channels, neurons and layers, against sorting by hand."""

from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_pruning import TINY

from nemo_lab.compression import ranking
from nemo_lab.compression.importance import random_importance
from nemo_lab.errors import LabError

scores = st.lists(st.integers(0, 9), min_size=8, max_size=8).map(lambda x: torch.tensor(x, dtype=torch.float32))


@given(scores, st.integers(1, 8))
def test_top_keeps_the_highest_in_ascending_order_and_earlier_of_equals(score, count) -> None:
    expected = sorted(sorted(range(8), key=lambda i: (-float(score[i]), i))[:count])
    assert ranking.top(score, count).tolist() == expected


@given(scores, st.sampled_from([1, 2, 4]), st.integers(1, 8))
@settings(max_examples=80)
def test_heads_are_ranked_inside_their_group(score, groups, multiple) -> None:
    count = groups * min(multiple, 8 // groups)
    kept = ranking.heads_within_groups(score, groups, count)
    each, share = 8 // groups, count // groups
    for g in range(groups):
        mine = [h for h in kept.tolist() if h // each == g]
        assert mine == kept.tolist()[g * share : (g + 1) * share]
        assert mine == sorted(mine, key=lambda h: (-float(score[h]), h))
        left = [float(score[h]) for h in range(g * each, (g + 1) * each) if h not in mine]
        assert all(float(score[h]) >= max(left, default=0) for h in mine)
    if groups == 1:
        assert torch.equal(kept, ranking.heads_across_groups(score, 1, count))


def test_global_ranking_breaks_groups_where_one_is_stronger() -> None:
    score = torch.tensor([9.0, 8, 7, 6, 1, 2, 3, 4])
    assert ranking.heads_within_groups(score, 2, 4).tolist() == [0, 1, 7, 6]
    assert ranking.heads_across_groups(score.flip(0), 2, 4).tolist() == [7, 6, 5, 4]
    assert ranking.heads_in_place(score.flip(0), 2, 4).tolist() == [4, 5, 6, 7]


def test_heads_are_scored_on_the_channels_that_stay() -> None:
    """Head 0 is strong in channel 0 only, which the other heads vote away (eq. 20-23)."""
    importance = random_importance(TINY, 0)
    score = torch.ones(8, 6)
    score[:, 1:3] = 5.0
    score[0] = torch.tensor([8.0, 0, 0, 0, 0, 0])
    importance.mamba["x"][0] = score
    kept = ranking.keep_best(importance, TINY, TINY.with_(ssm_head_dim=2, ssm_heads=6))
    assert kept.channels[0].tolist() == [1, 2]
    assert kept.heads[0].tolist() == [1, 2, 3, 4, 5, 6]  # the first of equals in each group


def test_keep_best_keeps_what_it_says() -> None:
    importance = random_importance(TINY, 4)
    target = TINY.with_(d_model=10, d_ff=7, ssm_heads=4, ssm_head_dim=3)
    kept = ranking.keep_best(importance, TINY, target, (0, 1, 4), mamba="flap", neurons="before")
    assert kept.layers == (0, 1, 4)
    assert set(kept.heads) == set(kept.channels) == {0, 4}
    assert kept.embedding.tolist() == ranking.top(importance.embedding, 10).tolist()
    assert kept.neurons[1].tolist() == ranking.top(importance.neurons["before"][1], 7).tolist()


def test_query_heads_go_inside_their_group_or_with_it_and_key_value_heads_are_merged() -> None:
    score = torch.tensor([1.0, 5, 4, 2, 3, 3, 0, 9])  # eight heads, two a group
    queries, keys = ranking.attention_heads(score, 4, 4, 4)
    assert (queries.tolist(), keys.tolist()) == ([1, 2, 4, 7], [[0], [1], [2], [3]])
    queries, keys = ranking.attention_heads(score, 4, 4, 2)
    assert (queries.tolist(), keys.tolist()) == ([0, 1, 6, 7], [[0], [3]])  # lengths 5.1, 4.5, 4.2, 9
    queries, keys = ranking.attention_heads(score, 4, 8, 2)
    assert (queries.tolist(), keys.tolist()) == (list(range(8)), [[0, 1], [2, 3]])
    for heads, kv_heads, words in ((4, 1, "prune whole groups .n_heads=2."), (8, 3, "merged evenly into 3")):
        with pytest.raises(LabError, match=words):
            ranking.attention_heads(score, 4, heads, kv_heads)


def test_each_group_ranks_its_own_states() -> None:
    score = torch.tensor([[1.0, 3, 2], [9, 7, 8]])
    assert ranking.states_of_groups(score, 2).tolist() == [[1, 2], [0, 2]]


OTHER = {
    "vocab_size": 30,
    "head_dim": 4,
    "ssm_groups": 1,
    "conv_width": 3,
    "chunk": 16,
    "rope_theta": 10.0,
    "norm_eps": 1e-6,
    "init_std": 0.1,
    "time_step_min": 2e-3,
    "time_step_max": 0.2,
    "time_step_floor": 1e-3,
    "dt_min": 0.1,
}


def test_every_field_of_a_target_is_cut_or_refused_by_name() -> None:
    assert {*OTHER, *ranking.AXES, "pattern"} == set(asdict(TINY))
    for name, value in OTHER.items():
        with pytest.raises(LabError, match=f"^{name} is {value} in the target and .* in the parent"):
            ranking.keep_best(random_importance(TINY, 0), TINY, TINY.with_(**{name: value}))
    for name in ranking.AXES:
        wider = TINY.with_(n_heads=8, n_kv_heads=4) if "n_" in name else TINY.with_(**{name: 48})
        with pytest.raises(LabError, match=f"^{'n_heads' if 'n_' in name else name}: .* cannot be kept"):
            ranking.keep_best(random_importance(TINY, 0), TINY, wider)


@pytest.mark.parametrize(
    ("pattern", "target", "layers", "words"),
    [
        ("M-M-", {"n_kv_heads": 1}, None, r"n_kv_heads is 1 in the target, but 'M-M-' has no layer '\*'"),
        ("M*M*", {"d_ff": 7}, None, "d_ff is 7 in the target"),
        ("-*-*", {"ssm_state": 3}, None, "ssm_state is 3 in the target"),
        ("M-*-", {"pattern": "M-*"}, None, "pattern is 'M-\\*' in the target, but the layers that stay make"),
        ("M-*-", {"pattern": "M*-"}, (0, 1, 2), "pattern is 'M\\*-' in the target"),
    ],
)
def test_what_no_layer_has_and_layers_that_do_not_fit_are_refused(pattern, target, layers, words) -> None:
    parent = TINY.with_(pattern=pattern)
    with pytest.raises(LabError, match=words):
        ranking.keep_best(random_importance(parent, 0), parent, parent.with_(**target), layers)


def test_scores_that_were_not_measured_are_asked_for() -> None:
    old = replace(random_importance(TINY, 0), attention={}, states={})
    for target, what in (({"n_heads": 2}, "attention heads in layer 2"), ({"ssm_state": 2}, "states in layer 0")):
        with pytest.raises(LabError, match=f"no scores of {what}"):
            ranking.keep_best(old, TINY, TINY.with_(**target))


def test_layers_go_by_kind() -> None:
    pattern, score = "M-M*-M", [0.5, 0.1, 0.2, 0.9, 0.3, 0.4]
    assert ranking.lowest_by_kind(pattern, score, {"M": 2, "-": 1}) == (1, 2, 5)
    assert ranking.without(pattern, (1, 2, 5)) == "M*-"
    with pytest.raises(LabError, match=r"2 layers '\*' cannot be removed"):
        ranking.lowest_by_kind(pattern, score, {"*": 2})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ranking.top(torch.ones(3), 4), "4 of 3 cannot be kept"),
        (lambda: ranking.heads_within_groups(torch.ones(8), 2, 3), "3 of 8 heads cannot be shared by 2"),
        (lambda: ranking.keep_best(random_importance(TINY, 0), TINY, TINY, mamba="y"), "Unknown score or ranking 'y'"),
        (lambda: ranking.keep_best(random_importance(TINY, 0), TINY, TINY.with_(d_ff=21)), "21 of 20"),
    ],
)
def test_mistakes_are_named(call, words) -> None:
    with pytest.raises(LabError, match=words):
        call()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"importance": None}, "importance is None, expected what `measure_importance` returns"),
        ({"layers": [99]}, r"layers are \[99\], expected numbers from 0 to 5"),
        ({"layers": 5}, "layers are 5"),
        ({"target": {"d_ff": 3}}, "target is .* of type dict"),
        ({"mamba": None}, "Unknown score or ranking None"),
        ({"heads": ["within"]}, "Unknown score or ranking"),
    ],
)
def test_what_cannot_be_kept_is_one_sentence(change, words):
    with pytest.raises(LabError, match=words):
        ranking.keep_best(**{"importance": random_importance(TINY, 0), "parent": TINY, "target": TINY} | change)


@pytest.mark.parametrize("rank", [ranking.top, lambda s, n: ranking.heads_across_groups(s, 2, n)])
def test_a_number_of_parts_is_whole_and_there(rank):
    for count in (1.5, None, "2"):
        with pytest.raises(LabError, match=f"count is {count!r}; it must be a whole number"):
            rank(torch.ones(4), count)
    for count in (0, 5):
        with pytest.raises(LabError, match=f"{count} of 4 cannot be kept; choose 1 to 4"):
            rank(torch.ones(4), count)


def test_each_layer_has_a_score():
    with pytest.raises(LabError, match="There are 1 scores for the 3 layers of 'M-M'"):
        ranking.lowest_by_kind("M-M", [1.0], {"M": 1})
