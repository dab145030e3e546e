"""Slices of every tensor: equal to masks, sized as computed, right in Hugging Face, and refused where wrong."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_pruning import TINY, make_model, make_rows

from nemo_lab.compression.importance import random_importance
from nemo_lab.compression.ranking import keep_best
from nemo_lab.compression.slicing import Kept, mask_model, removed_layers, slice_model
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM, costs
from nemo_lab.modeling.huggingface import from_hf, save_hf, to_hf
from nemo_lab.precision import RECIPES, plain_state, to_fp8

MAMBA = [i for i, kind in enumerate(TINY.pattern) if kind == "M"]
ROWS = make_rows()


def logits(model: HybridLM) -> torch.Tensor:
    with torch.no_grad():
        return model(ROWS.tokens_BL, ROWS.document_BL)


def equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-9, atol=1e-11)


def heads(order) -> Kept:
    return Kept(heads={i: torch.tensor(order) for i in MAMBA})


widths = st.builds(
    dict,
    d_model=st.integers(1, 24),
    d_ff=st.integers(1, 20),
    ssm_heads=st.sampled_from([2, 4, 6, 8]),
    ssm_head_dim=st.integers(1, 6),
    ssm_state=st.integers(1, 5),
)
attention = st.sampled_from([{}, {"n_kv_heads": 1}, {"n_heads": 2}, {"n_heads": 2, "n_kv_heads": 1}])


@given(widths, attention, st.sets(st.integers(0, 5), min_size=1), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_slice_equals_its_mask_and_has_the_computed_size(width, heads, layers, seed) -> None:
    model, target = make_model(seed=seed), TINY.with_(**width | heads)
    kept = keep_best(random_importance(TINY, seed), TINY, target, sorted(layers))
    child = slice_model(model, kept)
    pattern = "".join(TINY.pattern[i] for i in sorted(layers))
    expected = target.with_(pattern=pattern)
    if "-" not in pattern:
        expected = expected.with_(d_ff=TINY.d_ff)
    if "M" not in pattern:
        names = ("ssm_heads", "ssm_head_dim", "ssm_state")
        expected = expected.with_(**{name: getattr(TINY, name) for name in names})
    if "*" not in pattern:
        expected = expected.with_(n_heads=TINY.n_heads, n_kv_heads=TINY.n_kv_heads)
    assert child.config == expected
    assert child.parameter_count() == costs.parameter_count(expected)
    masked = mask_model(model, kept)
    assert masked.parameter_count() == model.parameter_count()
    assert equal(logits(child), logits(masked))


def test_zeros_alone_are_not_a_slice_where_a_norm_shrinks() -> None:
    model = make_model()
    for width, same in (
        ({"ssm_heads": 6}, False),
        ({"d_model": 20}, False),
        ({"ssm_head_dim": 4}, False),
        ({"d_ff": 15}, True),
        ({"ssm_state": 3}, True),
        ({"n_heads": 2}, True),
        ({"n_heads": 2, "n_kv_heads": 1}, True),
    ):
        kept = keep_best(random_importance(TINY, 0), TINY, TINY.with_(**width))
        child = slice_model(model, kept)
        assert equal(logits(child), logits(mask_model(model, kept))), width
        assert equal(logits(child), logits(mask_model(model, kept, norms=False))) == same, width


def test_a_slice_owns_its_weights_and_leaves_the_parent_alone() -> None:
    model = make_model()
    before = logits(model)
    child = slice_model(model, Kept())
    assert torch.equal(logits(child), before)
    with torch.no_grad():
        for parameter in child.parameters():
            parameter.zero_()
    assert torch.equal(logits(model), before)
    assert all(p.requires_grad for p in child.parameters())
    logits_of_masked = logits(mask_model(model, Kept(layers=(0,))))
    assert not equal(logits_of_masked, before)
    assert torch.equal(logits(model), before)


DEEP = TINY.with_(pattern="M*-*", n_heads=8, n_kv_heads=4, ssm_state=6)


@pytest.mark.parametrize("theta", [0.0, 100.0])
def test_a_target_like_the_parent_gives_the_same_function(theta) -> None:
    config = DEEP.with_(rope_theta=theta)
    model = make_model(config)
    child = slice_model(model, keep_best(random_importance(config, 3), config, config))
    assert child.config == config
    assert equal(logits(child), logits(model))


@pytest.mark.parametrize("theta", [0.0, 100.0])
@pytest.mark.parametrize(
    "width",
    [
        {"n_kv_heads": 1},
        {"n_kv_heads": 2},
        {"n_heads": 4},
        {"n_heads": 4, "n_kv_heads": 2},
        {"n_heads": 2, "n_kv_heads": 1},
        {"n_heads": 2, "n_kv_heads": 1, "ssm_state": 1, "d_model": 20, "d_ff": 3},
    ],
)
def test_attention_heads_and_states_are_really_cut(width, theta) -> None:
    """With positions and without: the slice is the masked parent, another function, and as wide as asked."""
    config = DEEP.with_(rope_theta=theta)
    model = make_model(config, seed=1)
    kept = keep_best(random_importance(config, 1), config, config.with_(**width))
    child = slice_model(model, kept)
    assert child.config == config.with_(**width)
    assert equal(logits(child), logits(mask_model(model, kept)))
    assert (logits(child) - logits(model)).norm() > 1e-3 * logits(model).norm()


def test_equal_key_value_heads_are_merged_without_loss_and_dead_parts_go_unnoticed() -> None:
    model = make_model(DEEP)
    with torch.no_grad():
        for i in (1, 3):
            mixer = model.blocks[i].mixer
            for weight in (mixer.k_proj.weight, mixer.v_proj.weight):
                heads = weight.view(2, 2, DEEP.head_dim, DEEP.d_model)
                heads[:, 1] = heads[:, 0]
        mixer = model.blocks[0].mixer
        C = mixer.in_proj.weight[2 * DEEP.d_inner + 12 : 2 * DEEP.d_inner + 24]  # the six states of two groups
        C[[1, 9]] = 0
        mixer.conv_bias[DEEP.d_inner + 12 :][[1, 9]] = 0
    merged = slice_model(model, keep_best(random_importance(DEEP, 0), DEEP, DEEP.with_(n_kv_heads=2)))
    assert equal(logits(merged), logits(model))
    states = {0: torch.tensor([[0, 2, 3, 4, 5], [5, 4, 0, 1, 2]])}
    assert equal(logits(slice_model(model, Kept(states=states))), logits(model))


@given(st.permutations(range(4)), st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_permuting_heads_inside_groups_is_exact(first, second) -> None:
    model = make_model()
    order = [*first, *(4 + h for h in second)]
    assert equal(logits(slice_model(model, heads(order))), logits(model))


def test_permuting_heads_across_groups_is_another_function_and_refused() -> None:
    model = make_model()
    swapped = heads([4, 1, 2, 3, 0, 5, 6, 7])
    with pytest.raises(LabError, match="leave the groups"):
        slice_model(model, swapped)
    broken = logits(slice_model(model, swapped, across_groups=True))
    assert (broken - logits(model)).norm() > 1e-2 * logits(model).norm()


def test_whole_groups_may_change_places_with_their_b_and_c() -> None:
    """Derived, not in the paper: B and C of the groups permuted too, the function is the same."""
    model = make_model()
    moved = slice_model(model, heads([4, 5, 6, 7, 0, 1, 2, 3]), across_groups=True)
    N, D = TINY.ssm_state, TINY.d_inner
    with torch.no_grad():
        for i in MAMBA:
            mixer = moved.blocks[i].mixer
            for tensor, start in ((mixer.in_proj.weight, 2 * D), (mixer.conv_weight, D), (mixer.conv_bias, D)):
                shared = tensor[start : start + 4 * N]
                shared.copy_(shared.clone().view(2, 2, N, -1).flip(1).reshape(shared.shape))
    assert equal(logits(moved), logits(model))


def test_permuting_every_other_axis_is_exact() -> None:
    generator = torch.Generator().manual_seed(3)
    order = {name: torch.randperm(n, generator=generator) for name, n in (("e", 24), ("f", 20), ("p", 6))}
    kept = Kept(embedding=order["e"], neurons={1: order["f"]}, channels={0: order["p"]})
    assert equal(logits(slice_model(make_model(), kept)), logits(make_model()))


def test_removing_a_layer_is_skipping_it() -> None:
    model = make_model()
    x = model.embedding(ROWS.tokens_BL)
    for i, block in enumerate(model.blocks):
        x = x if i in (1, 2) else block(x, ROWS.document_BL)
    child = removed_layers(model, (2, 1))
    assert child.config.pattern == "M-M-"
    assert equal(logits(child), model.head(model.norm(x)))


def test_a_checkpoint_of_transformers_is_sliced_and_goes_back(tmp_path) -> None:
    model = make_model().float()
    folder = save_hf(model, tmp_path / "parent")
    kept = keep_best(random_importance(TINY, 1), TINY, TINY.with_(d_model=16, ssm_heads=4, d_ff=8), (0, 1, 2, 3))
    child = slice_model(from_hf(folder), kept)
    theirs = to_hf(child)
    with torch.no_grad():
        ours, hf = child(ROWS.tokens_BL), theirs(ROWS.tokens_BL).logits
    torch.testing.assert_close(ours, hf, rtol=1e-4, atol=1e-5)
    back = from_hf(save_hf(child, tmp_path / "child"))
    assert back.config == child.config
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), child.parameters(), strict=True))
    assert theirs.num_parameters() == costs.parameter_count(child.config) < model.parameter_count()


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (Kept(layers=()), "layers: expected a non-empty"),
        (Kept(layers=(0, 0)), "must be different numbers from 0 to 5"),
        (Kept(embedding=torch.tensor([24])), "from 0 to 23"),
        (Kept(embedding=torch.tensor([0.5])), "whole numbers"),
        (Kept(neurons={0: torch.tensor([1])}), "layer 0, which is no '-' layer"),
        (Kept(neurons={1: torch.tensor([1])}), "different numbers of neurons"),
        (heads([0, 1, 4]), "which its 2 groups cannot share"),
        (heads([0, 1, 2, 4]), "leave the groups"),
        (heads([0, 4, 1, 5]), "leave the groups"),
        (Kept(queries={2: torch.tensor([0, 1, 2, 4])}), "queries of layer 2: .* from 0 to 3"),
        (Kept(queries={2: torch.tensor([0, 2, 1, 3])}), "would read other key-value heads"),
        (Kept(queries={2: torch.tensor([0, 1, 2])}), "would read other key-value heads|does not divide"),
        (Kept(keys={2: torch.tensor([[1], [0]])}), "would read other key-value heads"),
        (Kept(keys={2: torch.tensor([[1]])}), "would read other key-value heads"),
        (Kept(keys={2: torch.tensor([0, 1])}), "keys of layer 2: expected a table"),
        (Kept(keys={2: torch.tensor([[0, 0]])}), "keys of layer 2: .* different numbers"),
        (Kept(keys={0: torch.tensor([[0]])}), r"layer 0, which is no '\*' layer"),
        (Kept(states={0: torch.tensor([[0, 1]])}), "states of layer 0: expected a table .* 2 rows"),
        (Kept(states={0: torch.tensor([[0, 1], [0, 5]])}), "states of group 1 of layer 0: .* from 0 to 4"),
        (Kept(states={0: torch.tensor([[0], [0]])}), "different numbers of states"),
    ],
)
def test_what_cannot_be_sliced_is_refused(kept, words) -> None:
    with pytest.raises(LabError, match=words):
        slice_model(make_model(), kept)


@pytest.mark.parametrize("removed", [(99,), (-1,), (0, 6)])
def test_removing_what_is_no_layer_is_refused(removed) -> None:
    with pytest.raises(LabError, match="cannot be removed: the layers are numbered from 0 to 5"):
        removed_layers(make_model(), removed)


def test_indices_that_are_no_tensor_are_named() -> None:
    with pytest.raises(LabError, match="embedding: expected a non-empty vector of whole numbers"):
        slice_model(make_model(), Kept(embedding=[0, 1]))


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_in_fp8_is_cut_like_the_same_model_without(name) -> None:
    """Delayed scaling has trained a step, so that its scales are in the state."""
    plain = HybridLM(TINY, seed=2)
    ours = copy.deepcopy(plain)
    to_fp8(ours, RECIPES[name].with_(first_bf16=2, last_bf16=2))
    rows = make_rows()
    ours.loss(rows.tokens_BL, rows.targets_BL).backward()
    ours.zero_grad()
    kept = Kept(layers=(0, 1, 2, 4), embedding=torch.arange(16), neurons={1: torch.arange(5, 15)})
    child, expected = slice_model(ours, kept), slice_model(plain, kept)
    assert child.state_dict().keys() == expected.state_dict().keys()
    assert all(torch.equal(child.state_dict()[key], value) for key, value in expected.state_dict().items())
    masked, zeroed = plain_state(mask_model(ours, kept)), mask_model(plain, kept).state_dict()
    assert masked.keys() == zeroed.keys()
    assert all(torch.equal(masked[key], value) for key, value in zeroed.items())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: slice_model(None, Kept()), "model and kept are NoneType and Kept, expected a HybridLM and Kept"),
        (lambda: slice_model(make_model(), None), "model and kept are HybridLM and NoneType"),
        (lambda: mask_model(make_model(), None), "model and kept are HybridLM and NoneType"),
        (lambda: slice_model(make_model(), Kept(layers=("a",))), "expected whole numbers"),
        (lambda: removed_layers(make_model(), None), "removed is None, expected the numbers of layers"),
    ],
)
def test_what_cannot_be_cut_is_one_sentence(call, words):
    with pytest.raises(LabError, match=words):
        call()
