"""The notebook's experiments on a tiny parent: what is compared is what it says, and controls are null."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tiny_pruning import TINY, make_model

from nemo_lab.compression.importance import MAMBA_SCORES, Importance, measure_importance, random_importance
from nemo_lab.compression.layers import MEASURES, layer_scores
from nemo_lab.compression.ranking import HEAD_RANKINGS, keep_best
from nemo_lab.compression.slicing import Kept, slice_model
from nemo_lab.modeling import HybridConfig, HybridLM, costs
from nemo_lab.studies.pruning_distillation import runs
from nemo_lab.studies.pruning_distillation.plans import PLANS
from nemo_lab.studies.pruning_distillation.recovery import make_child
from nemo_lab.training import TrainSettings, batch, pack
from tests.recorders import record, spy

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


def test_each_place_is_scored_by_its_own_ranking() -> None:
    """A row that is not its own place's would compare a ranking with itself."""
    target = TINY.with_(ssm_heads=4)
    table = runs.score_places(PARENT, score, [target])
    own = {
        name: score(slice_model(PARENT.model, keep_best(PARENT.importance, TINY, target, mamba=name)))
        for name in MAMBA_SCORES
    }
    assert {name: table[name] for name in own} == {name: [one] for name, one in own.items()}
    assert len(set(own.values())) > 1, "with equal scores this test would see nothing"


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


# --- what reaches what is compared: seeds, texts, rankings, controls


def same_tensors(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[place], other[place]) for place in one)


def same(one: Kept, other: Kept) -> bool:
    """Whether two children keep the same parts, in the same order."""
    by_layer = all(same_tensors(getattr(one, axis), getattr(other, axis)) for axis in ("neurons", "heads", "channels"))
    return by_layer and one.layers == other.layers and torch.equal(one.embedding, other.embedding)


def inverted(parent: runs.Parent) -> runs.Parent:
    """The parent with what mattered most mattering least."""

    def turned(named: dict) -> dict:
        return {name: {at: 1 / (score + 1e-6) for at, score in of.items()} for name, of in named.items()}

    was = parent.importance
    return replace(parent, importance=Importance(-was.embedding, turned(was.neurons), turned(was.mamba)))


def test_seed_and_texts_of_a_parent_reach_what_they_should(monkeypatch) -> None:
    trained = record(monkeypatch, runs, "train")
    measured = record(monkeypatch, runs, "measure_importance", "importance")
    layers = record(monkeypatch, runs, "layer_scores", "layers")
    settings = TrainSettings(steps=4, batch_size=4, peak_lr=3e-3, seed=2)
    parent = runs.train_parent(TINY, 7, ROWS, settings, BATCHES, lambda model: ("score of", model, model.training))
    assert trained.only("settings") == replace(settings, seed=7)
    assert trained.only("data") is ROWS
    assert trained.only("model") is measured.only("model") is layers.only("model") is parent.model
    assert measured.only("batches") is layers.only("batches") is BATCHES
    assert torch.equal(parent.model.head.weight, HybridLM(TINY, seed=7).head.weight)
    assert parent == runs.Parent(parent.model, "importance", "layers", ("score of", parent.model, False))


def test_the_seed_orders_the_rows_of_calibration() -> None:
    for seed in (0, 7):
        found = runs.calibration_batches(ROWS, 3, 4, seed)
        wanted = [batch(ROWS, 4, seed, step) for step in range(3)]
        assert all(torch.equal(a.tokens_BL, b.tokens_BL) for a, b in zip(found, wanted, strict=True))
    first, other = (runs.calibration_batches(ROWS, 1, 4, seed)[0].tokens_BL for seed in (0, 7))
    assert not torch.equal(first, other)


def test_a_sweep_keeps_what_matters_most(monkeypatch) -> None:
    sliced = spy(monkeypatch, runs, "slice_model")
    runs.sweep(PARENT, score, "ssm_heads", (4, 2))
    wanted = [keep_best(PARENT.importance, TINY, TINY.with_(ssm_heads=n)) for n in (4, 2)]
    assert all(same(one, other) for one, other in zip(sliced.all("kept"), wanted, strict=True))
    assert all(model is PARENT.model for model in sliced.all("model"))


def test_each_ranking_of_heads_is_scored_by_its_own_name(monkeypatch) -> None:
    sliced = spy(monkeypatch, runs, "slice_model")
    found = runs.group_gap(PARENT, score, 4)
    target, kept = TINY.with_(ssm_heads=4), dict(zip(found, sliced.all("kept"), strict=True))
    for name in HEAD_RANKINGS:
        assert same(kept[name], keep_best(PARENT.importance, TINY, target, heads=name)), name
    runs.group_gap(inverted(PARENT), score, 4)
    assert same(kept["random"], sliced.calls[-1]["kept"]), "the control looks at the parent's importance"
    assert not same(kept["within"], sliced.calls[len(kept)]["kept"])


def test_each_place_is_scored_by_its_own_activations(monkeypatch) -> None:
    sliced = spy(monkeypatch, runs, "slice_model")
    targets = [TINY.with_(ssm_heads=4), TINY.with_(ssm_head_dim=3)]
    table = runs.score_places(PARENT, score, targets)
    wanted = [keep_best(PARENT.importance, TINY, target, mamba=name) for name in MAMBA_SCORES for target in targets]
    given = sliced.all("kept")
    assert all(same(one, other) for one, other in zip(given, wanted, strict=False))
    scores = [score(slice_model(PARENT.model, kept)) for kept in wanted]
    assert [value for name in MAMBA_SCORES for value in table[name]] == scores
    chance = [[keep_best(random_importance(TINY, seed), TINY, t) for seed in range(3)] for t in targets]
    means = [np.mean([score(slice_model(PARENT.model, kept)) for kept in draws]) for draws in chance]
    assert table["random"] == pytest.approx(means)
    assert not same(chance[0][0], chance[0][1])
    assert runs.score_places(inverted(PARENT), score, targets)["random"] == table["random"]


def test_depth_is_ordered_by_the_measure_named_and_at_random(monkeypatch) -> None:
    places = len(TINY.pattern)
    layers = {name: [float((at + shift) % places) for at in range(places)] for shift, name in enumerate(MEASURES)}
    parent = replace(PARENT, layers=layers)
    iterative = record(monkeypatch, runs, "remove_iteratively", lambda model, rows, count, measure: (0, 1))
    removed = spy(monkeypatch, runs, "removed_layers")
    found = runs.depth_orders(parent, score, BATCHES, 2)
    gone = dict(zip([*list(found)[:-1], *range(4)], removed.all("removed"), strict=True))
    for shift, name in enumerate(MEASURES):
        assert {(at + shift) % places for at in gone[f"{name}, once"]} == {0, 1}, name
    assert [f"{name}, iterative" for name in iterative.all("measure")] == list(found)[len(MEASURES) : -1]
    assert all(rows is BATCHES for rows in iterative.all("batches"))
    drawn = [gone[number] for number in range(4)]
    assert all(len(set(order)) == 2 for order in drawn)
    assert len({tuple(sorted(order)) for order in drawn}) > 1
    runs.depth_orders(replace(parent, layers={name: of[::-1] for name, of in layers.items()}), score, BATCHES, 2)
    assert removed.all("removed")[-4:] == drawn, "the control looks at the parent's scores"


def test_the_control_of_random_heads_does_not_look_at_the_parent_s_heads() -> None:
    parent = parent_of(WIDE)
    target = round(0.62 * costs.parameter_count(WIDE))
    same_neurons = replace(inverted(parent).importance, neurons=parent.importance.neurons)
    other = replace(parent, importance=replace(same_neurons, embedding=parent.importance.embedding))
    control, blind = (runs.random_heads_recipe(one, "heads", target).kept for one in (parent, other))
    assert same(control, blind)
    ours, turned = (runs.equal_size_recipes(one, target) for one in (parent, other))
    method, against = (next(one.kept for one in found if one.name == "heads") for found in (ours, turned))
    assert not same_tensors(method.heads, against.heads)
    assert same_tensors(method.neurons, control.neurons), "nothing but the heads differs"
    groups = [(heads // (WIDE.ssm_heads // WIDE.ssm_groups)).bincount().tolist() for heads in control.heads.values()]
    assert any(len(set(counts)) > 1 for counts in groups), "heads of the control are drawn over all groups"


def test_plans_are_made_by_the_measure_asked_for(monkeypatch) -> None:
    parent = parent_of(WIDE)
    target = round(0.62 * costs.parameter_count(WIDE))
    planned = spy(monkeypatch, runs, "planned_child")
    runs.equal_size_recipes(parent, target, "cosine")
    runs.random_heads_recipe(parent, "heads", target, "hidden mse")
    *recipes, control = planned.calls
    assert all(call["layer_scores"] is parent.layers["cosine"] for call in recipes)
    assert all(call["importance"] is parent.importance for call in recipes)
    assert control["layer_scores"] is parent.layers["hidden mse"]
    assert (control["plan"].name, control["heads"]) == ("heads", "across")


def test_losses_are_compared_on_one_child() -> None:
    kept = keep_best(PARENT.importance, TINY, TINY.with_(ssm_heads=4))
    assert all(recipe.kept is kept for recipe in runs.loss_recipes(kept, ("kl", "ce")))


def test_candidates_are_judged_by_agreement_with_the_parent(monkeypatch) -> None:
    rows = runs.calibration_batches(ROWS, 1, 2, seed=5)
    shares = iter([0.2, 0.9, 0.5, 0.7])
    judged = record(monkeypatch, runs, "greedy_scores", lambda child, parent, batches: (0.99, next(shares)))
    found = runs.budgeted(PARENT, (10, 20), costs.weight_bytes, 0.75 * costs.weight_bytes(TINY), rows, 4, 2)
    assert [(recipe.name, agreed) for _, recipe, agreed in found] == [("candidate 1", 0.9), ("candidate 3", 0.7)]
    assert all(parent is PARENT.model for parent in judged.all("parent"))
    assert all(batches is rows for batches in judged.all("batches"))
    assert judged.all("child")[1].config == found[0][0].config
    wanted = keep_best(PARENT.importance, TINY, found[0][0].config, found[0][0].kept(len(TINY.pattern)))
    assert same(found[0][1].kept, wanted)
