"""Rows of heads, channels and states, and merged key-value heads, by hand."""

import torch
from tiny_pruning import TINY

from nemo_lab.compression.rows import conv_rows, in_place, in_proj_rows, merged, query_rows, state_rows


def test_rows_of_in_proj_and_convolution_by_hand() -> None:
    """Two heads of three channels, one group of one state: [z 0-5 | x 6-11 | B 12 | C 13 | dt 14-15]."""
    config = TINY.with_(ssm_heads=2, ssm_head_dim=3, ssm_state=1, ssm_groups=1)
    h, p = torch.tensor([1]), torch.tensor([0, 2])
    assert in_proj_rows(config, h, p).tolist() == [3, 5, 9, 11, 12, 13, 15]
    assert conv_rows(config, h, p).tolist() == [3, 5, 6, 7]


def test_states_are_kept_in_b_and_c_of_their_group() -> None:
    """Two groups of three states: [B 0-2 3-5 | C 6-8 9-11]."""
    config = TINY.with_(ssm_state=3)
    assert state_rows(config, torch.tensor([[0, 2], [2, 1]])).tolist() == [0, 2, 5, 4, 6, 8, 11, 10]
    assert state_rows(config, None).tolist() == list(range(12))


def test_rows_of_queries() -> None:
    assert query_rows(TINY.with_(head_dim=2), torch.tensor([3, 0])).tolist() == [6, 7, 0, 1]


def test_heads_are_merged_to_their_mean_and_one_alone_stays_itself() -> None:
    weight = torch.tensor([[1.0], [2.0], [3.0], [6.0], [5.0], [8.0]])  # three heads of two channels
    assert merged(weight, torch.tensor([[0, 2]]), 2).flatten().tolist() == [3, 5]
    assert torch.equal(merged(weight, torch.tensor([[0], [1], [2]]), 2), weight)
    assert in_place(weight, torch.tensor([[0, 2]]), 2).flatten().tolist() == [3, 5, 0, 0, 3, 5]
