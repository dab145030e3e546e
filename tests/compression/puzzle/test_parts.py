"""Alternatives before training, against what their formulas say."""

import pytest
import tiny_puzzle
import torch

from nemo_lab.compression.puzzle import parts
from nemo_lab.errors import LabError


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (parts.Option("ffn", 768), "ffn.768"),
        (parts.Option("attention", "linear"), "attention.linear"),
        (parts.Option("attention", parts.NONE), "attention.0"),
    ],
)
def test_an_option_and_its_name(option, name):
    assert option.name == str(option) == name
    assert parts.Option.parse(name) == option
    assert hash(parts.Option.parse(name)) == hash(option)


@pytest.mark.parametrize("name", ["ffn", "ffn.", "768", "ffn.wide", "ffn.-1", "ffn.1.5", "mlp.768", ".768", "ffn.None"])
def test_names_that_are_no_options(name):
    with pytest.raises(LabError, match=r"is no option of ffn; give a whole number|Unknown kind of sub-block"):
        parts.Option.parse(name)


@pytest.mark.parametrize("size", [-1, 1.0, True, None, "3"])
def test_sizes_that_are_none(size):
    with pytest.raises(LabError, match="is no option of attention"):
        parts.Option("attention", size)


def test_walk_is_the_model():
    model, tokens = tiny_puzzle.parent(), tiny_puzzle.rows(2)
    *_, last = parts.walk(model, tokens)
    hidden = model.model.norm(last.stream_NLD + last.out_NLD)
    torch.testing.assert_close(model.lm_head(hidden), model(tokens).logits, atol=1e-5, rtol=1e-5)
    assert [(visit.layer, visit.kind) for visit in parts.walk(model, tokens)][:3] == [
        (0, "attention"),
        (0, "ffn"),
        (1, "attention"),
    ]


def test_the_parents_own_size_is_the_parent():
    model, x = tiny_puzzle.parent(), torch.randn(2, 5, 36)
    layer, context = model.model.layers[1], parts.start_of(model, tiny_puzzle.rows(2, 5))[1]
    made = parts.untrained(layer.self_attn, parts.Option("attention", 3), model.config)
    same = parts.forward(made, "attention", x, context)
    assert torch.equal(same, parts.forward(layer.self_attn, "attention", x, context))
    whole = parts.untrained(layer.mlp, parts.Option("ffn", 24), model.config, torch.rand(24))
    torch.testing.assert_close(whole(x), layer.mlp(x))


def test_pooled_heads_of_equal_heads_change_nothing():
    model, x = tiny_puzzle.parent(), torch.randn(2, 5, 36)
    attention, context = model.model.layers[0].self_attn, parts.start_of(model, tiny_puzzle.rows(2, 5))[1]
    with torch.no_grad():
        for projection in (attention.k_proj, attention.v_proj):
            projection.weight.copy_(projection.weight[:4].repeat(3, 1))
    made = parts.untrained(attention, parts.Option("attention", 1), model.config)
    assert made.k_proj.weight.shape == (4, 36)
    torch.testing.assert_close(
        parts.forward(made, "attention", x, context), parts.forward(attention, "attention", x, context)
    )


def test_linear_attention_is_attention_to_oneself():
    """On a row of one token every token attends to itself alone, and the two agree."""
    model, x = tiny_puzzle.parent(), torch.randn(7, 1, 36)
    attention, context = model.model.layers[0].self_attn, parts.start_of(model, tiny_puzzle.rows(7, 1))[1]
    made = parts.untrained(attention, parts.Option("attention", "linear"), model.config)
    torch.testing.assert_close(made(x), parts.forward(attention, "attention", x, context), atol=1e-5, rtol=1e-4)


def test_linear_ffn_is_down_times_up():
    model, x = tiny_puzzle.parent(), torch.randn(4, 36)
    mlp = model.model.layers[0].mlp
    made = parts.untrained(mlp, parts.Option("ffn", "linear"), model.config)
    torch.testing.assert_close(made(x), mlp.down_proj(mlp.up_proj(x)), atol=1e-5, rtol=1e-4)


def test_channels_that_write_most_are_kept():
    hidden, down = torch.randn(50, 6), torch.randn(3, 6)
    by_hand = torch.stack([hidden[:, i].abs().mean() * down[:, i].norm() for i in range(6)])
    torch.testing.assert_close(parts.channel_contributions(hidden, down), by_hand)
    model = tiny_puzzle.parent()
    mlp = model.model.layers[2].mlp
    contributions = torch.zeros(24).index_fill(0, torch.tensor([5, 1, 20]), 1.0)
    made = parts.untrained(mlp, parts.Option("ffn", 3), model.config, contributions)
    assert torch.equal(made.down_proj.weight, mlp.down_proj.weight[:, [1, 5, 20]])
    assert torch.equal(made.gate_proj.weight, mlp.gate_proj.weight[[1, 5, 20]])


def test_parts_that_cannot_be_made():
    model = tiny_puzzle.parent()
    layer = model.model.layers[0]
    with pytest.raises(LabError, match="cannot be pooled"):
        parts.untrained(layer.self_attn, parts.Option("attention", 9), model.config)
    with pytest.raises(LabError, match="contributions of at least"):
        parts.untrained(layer.mlp, parts.Option("ffn", 30), model.config, torch.rand(24))
    with pytest.raises(LabError, match="there is nothing to initialise"):
        parts.untrained(layer.mlp, parts.Option("ffn", 0), model.config)
