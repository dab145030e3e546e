"""Scores against a plain recomputation, with planted parts that must come out on top or at the bottom."""

import pytest
import torch
import torch.nn.functional as F
from tiny_pruning import TINY, make_model, make_rows

from nemo_lab.compression.importance import MAMBA_SCORES, NEURON_SCORES, measure_importance, random_importance
from nemo_lab.errors import LabError
from nemo_lab.modeling.mamba2 import causal_conv_silu, gated_rms_norm
from nemo_lab.modeling.ssd import ssd_recurrent

ROWS = make_rows()._replace(document_BL=None)  # the plain recurrence knows no documents


def inputs(model):
    """The normalised input of every layer, and of the head."""
    with torch.no_grad():
        x, found = model.embedding(ROWS.tokens_BL), []
        for block in model.blocks:
            found.append(block.norm(x))
            x = block(x)
        return [*found, model.norm(x)]


def aggregate(s_BLC: torch.Tensor) -> torch.Tensor:
    return s_BLC.abs().mean(1).square().sum(0).sqrt()


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found.double(), expected.double(), rtol=1e-5, atol=1e-7)


def test_every_score_is_what_its_definition_says() -> None:
    model = make_model()
    found, u = measure_importance(model, [ROWS]), inputs(model)
    close(found.embedding, sum(aggregate(one) for one in u))
    for i, kind in enumerate(TINY.pattern):
        mixer = model.blocks[i].mixer
        if kind == "-":
            before = (u[i] @ mixer.up_proj.weight.T).detach()
            after = F.relu(before).square()
            close(found.neurons["before"][i], aggregate(before))
            close(found.neurons["after"][i], aggregate(after))
            variance = after.flatten(0, 1).var(0, unbiased=False)
            close(found.neurons["flap"][i], variance * mixer.down_proj.weight.detach().square().sum(0))
        if kind == "*":
            q, k, v = mixer.project(u[i], None)
            y_BQLD = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            close(found.attention[i], aggregate(y_BQLD.norm(dim=-1).transpose(1, 2).detach()))
        if kind == "M":
            D, y = TINY.d_inner, inner(mixer, u[i]).detach()
            for name, rows in (("z", slice(0, D)), ("x", slice(D, 2 * D))):
                score = aggregate((u[i] @ mixer.in_proj.weight[rows].T).detach())
                close(found.mamba[name][i], score.view(TINY.ssm_heads, TINY.ssm_head_dim))
            close(found.mamba["out"][i].flatten(), aggregate(y))
            GN = TINY.ssm_groups * TINY.ssm_state
            both = (u[i] @ mixer.in_proj.weight[2 * D : 2 * D + 2 * GN].T).detach().split(GN, -1)
            close(found.states[i].flatten(), aggregate(both[0]) * aggregate(both[1]))
            variance = y.flatten(0, 1).var(0, unbiased=False)
            close(found.mamba["flap"][i].flatten(), variance * mixer.out_proj.weight.detach().square().sum(0))


def inner(mixer, u_BLd):
    """What enters out_proj, by the recurrence, token-major."""
    c = mixer.config
    z, xBC, dt = (u_BLd @ mixer.in_proj.weight.T).split([c.d_inner, c.conv_channels, c.ssm_heads], -1)
    mixed = causal_conv_silu(xBC.movedim(2, 0), mixer.conv_weight, mixer.conv_bias, None).movedim(0, 2)
    x, B, C = mixed.split([c.d_inner, c.ssm_groups * c.ssm_state, c.ssm_groups * c.ssm_state], -1)
    y, _ = ssd_recurrent(
        x.unflatten(-1, (c.ssm_heads, -1)),
        F.softplus(dt + mixer.dt_bias),
        -mixer.A_log.exp(),
        B.unflatten(-1, (c.ssm_groups, -1)),
        C.unflatten(-1, (c.ssm_groups, -1)),
        mixer.D,
    )
    return gated_rms_norm(y.flatten(2), z, mixer.norm_weight, c.ssm_groups, c.norm_eps)


def test_batches_add_up_and_hooks_go_away() -> None:
    model = make_model()
    whole = measure_importance(model, [ROWS])
    halves = measure_importance(model, [(*(t[part] for t in ROWS[:2]), None) for part in (slice(0, 1), slice(1, 3))])
    for name in MAMBA_SCORES:
        close(whole.mamba[name][0], halves.mamba[name][0])
    close(whole.neurons["flap"][1], halves.neurons["flap"][1])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_dead_neuron_head_and_channel_score_zero() -> None:
    model = make_model()
    with torch.no_grad():
        model.blocks[1].mixer.up_proj.weight[7] = 0
        model.blocks[0].mixer.in_proj.weight[TINY.d_inner : 2 * TINY.d_inner].view(8, 6, 24)[3] = 0
        for block in [*model.blocks, model]:
            block.norm.weight[5] = 0
    found = measure_importance(model, [ROWS])
    for name in NEURON_SCORES:
        assert found.neurons[name][1].argmin() == 7
    assert found.mamba["x"][0][3].abs().max() == 0
    assert found.mamba["x"][0].sum(1).argmin() == 3
    assert found.embedding.argmin() == 5


def test_random_scores_depend_on_the_seed_alone() -> None:
    a, b, c = (random_importance(TINY, seed) for seed in (1, 1, 2))
    assert torch.equal(a.mamba["x"][0], b.mamba["x"][0])
    assert not torch.equal(a.mamba["x"][0], c.mamba["x"][0])
    assert not torch.equal(a.mamba["x"][0], a.mamba["x"][4])


def test_no_text_is_an_error() -> None:
    with pytest.raises(LabError, match="no calibration text"):
        measure_importance(make_model(), [])


@pytest.mark.parametrize("batches", [None, 5, "rows", [None], [1], ROWS, [(1, 2, 3)]])
def test_what_holds_no_batches_is_one_sentence(batches):
    with pytest.raises(LabError, match=r"(batches are|Batch \d is) .*, expected"):
        measure_importance(make_model(), batches)


def test_what_is_measured_is_a_model():
    with pytest.raises(LabError, match="model is a NoneType, expected a HybridLM"):
        measure_importance(None, [ROWS])
