"""The notebook's experiments on a tiny parent: what is compared is what it says, and controls are null."""

from functools import partial

import pytest
import torch
from tiny_pruning import TINY, make_model

from nemo_lab.compression import pruning_runs as runs
from nemo_lab.compression.importance import measure_importance
from nemo_lab.compression.layers import layer_scores
from nemo_lab.compression.plans import PLANS
from nemo_lab.compression.recovery import make_child
from nemo_lab.compression.slicing import slice_model
from nemo_lab.modeling import HybridConfig, HybridLM, costs
from nemo_lab.training import TrainSettings, pack

ROWS = pack([[1 + (3 * i + j * j) % 30 for j in range(40)] for i in range(8)], 16, eos=0)
BATCHES = runs.calibration_batches(ROWS, 2, 4)
WIDE = HybridConfig(
    pattern="M-M*-M-M*-",
    vocab_size=31,
    d_model=64,
    d_ff=384,
    n_heads=4,
    n_kv_heads=2,
    head_dim=16,
    ssm_heads=24,
    ssm_head_dim=8,
    ssm_state=16,
    ssm_groups=3,
    chunk=32,
)


def score(model: HybridLM) -> float:
    with torch.no_grad():
        return float(sum(model.loss(*one) for one in BATCHES))


def parent_of(config: HybridConfig = TINY) -> runs.Parent:
    model = make_model(config).float()
    return runs.Parent(model, measure_importance(model, BATCHES), layer_scores(model, BATCHES), score(model))


PARENT = parent_of()


def test_a_trained_parent_brings_its_scores() -> None:
    settings = TrainSettings(steps=4, batch_size=4, peak_lr=3e-3, precision="fp32")
    parent = runs.train_parent(TINY, 3, ROWS, settings, BATCHES, score)
    assert parent.score == score(parent.model) < score(HybridLM(TINY, seed=3))
    again = runs.train_parent(TINY, 3, ROWS, settings, BATCHES, score)
    assert torch.equal(again.importance.mamba["x"][0], parent.importance.mamba["x"][0])
    assert parent.layers.keys() == PARENT.layers.keys()


def test_sweeps_prune_one_axis_and_start_at_the_parent() -> None:
    for axis, sizes in (("ssm_heads", (8, 4)), ("ssm_head_dim", (6, 3)), ("d_ff", (20, 5)), ("d_model", (24, 8))):
        found = runs.sweep(PARENT, score, axis, sizes)
        assert found[0] == pytest.approx(PARENT.score, rel=1e-6)
        assert found[1] != pytest.approx(PARENT.score, rel=1e-4), axis
    sizes = runs.sweep(PARENT, lambda model: float(model.config.ssm_heads), "ssm_heads", (6, 2))
    assert sizes == [6.0, 2.0]


def test_with_one_group_both_rankings_are_the_same_and_with_two_they_need_not_be() -> None:
    one = parent_of(TINY.with_(ssm_groups=1))
    gap = runs.group_gap(one, score, 4)
    assert gap["within"] == gap["across"] != gap["random"]
    for place in (0, 4):  # one strong group: a global ranking takes all its heads
        PARENT.importance.mamba["x"][place][:4] += 100
    gap = runs.group_gap(PARENT, score, 4)
    assert gap["within"] != gap["across"]


def test_places_and_orders_are_complete() -> None:
    table = runs.score_places(PARENT, score, [TINY.with_(ssm_heads=4), TINY])
    assert set(table) == {"x", "z", "out", "flap", "random"}
    assert all(values[1] == pytest.approx(PARENT.score, rel=1e-6) for values in table.values())
    orders = runs.depth_orders(PARENT, score, BATCHES, 2)
    assert len(orders) == 9
    assert all(value > 0 for value in orders.values())


def test_recipes_are_of_equal_size_and_the_control_differs_in_heads_alone() -> None:
    parent = parent_of(WIDE)
    target = round(0.62 * costs.parameter_count(WIDE))
    recipes = {recipe.name: recipe for recipe in runs.equal_size_recipes(parent, target)}
    assert list(recipes) == [plan.name for plan in PLANS]
    for recipe in recipes.values():
        assert make_child(parent.model, recipe).parameter_count() == pytest.approx(target, rel=0.01)
    control = runs.random_heads_recipe(parent, "heads", target)
    child, other = (make_child(parent.model, one) for one in (recipes["heads"], control))
    assert child.config == other.config
    assert torch.equal(child.embedding.weight, other.embedding.weight)
    assert not torch.equal(child.blocks[0].mixer.in_proj.weight, other.blocks[0].mixer.in_proj.weight)


def test_losses_start_from_the_same_child_except_the_random_one() -> None:
    kept = runs.equal_size_recipes(parent_of(WIDE), round(0.62 * costs.parameter_count(WIDE)))[0].kept
    recipes = runs.loss_recipes(kept, ("kl", "ce"))
    assert [(r.name, r.objective, r.fresh) for r in recipes] == [
        ("kl", "kl", False),
        ("ce", "ce", False),
        ("random start", "kl", True),
    ]


def test_minipuzzle_keeps_the_budget_and_sorts_by_agreement() -> None:
    size = partial(costs.weight_bytes)
    budget = 0.75 * costs.weight_bytes(TINY)
    found = runs.budgeted(PARENT, (10, 20), size, budget, BATCHES, tried=6, few=3)
    assert len(found) == 3
    agreed = [share for _, _, share in found]
    assert agreed == sorted(agreed, reverse=True)
    for candidate, recipe, _ in found:
        child = slice_model(PARENT.model, recipe.kept)
        assert child.config == candidate.config
        assert costs.weight_bytes(child.config) <= budget
