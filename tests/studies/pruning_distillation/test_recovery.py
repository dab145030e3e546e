"""Runs of children: what they start from, what they are compared with, and how tokens are counted."""

import copy
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tiny_pruning import TINY, make_model

from nemo_lab.compression.importance import random_importance
from nemo_lab.compression.ranking import keep_best
from nemo_lab.compression.slicing import slice_model
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM, costs
from nemo_lab.studies.pruning_distillation import recovery
from nemo_lab.studies.pruning_distillation.recovery import (
    ChildOutcome,
    ChildRecipe,
    from_scratch,
    make_child,
    recover,
    recover_model,
    tokens_to_reach,
)
from nemo_lab.training import TrainSettings, pack
from nemo_lab.training.packing import batch
from tests.recorders import record, spy

ROWS = pack([[1 + (3 * i + j * j) % 30 for j in range(40)] for i in range(8)], 16, eos=0)
SETTINGS = TrainSettings(steps=6, batch_size=4, peak_lr=3e-3, warmup_steps=2, precision="fp32", validate_every=3)
KEPT = keep_best(random_importance(TINY, 0), TINY, TINY.with_(ssm_heads=4, d_model=16))


def score(model: HybridLM) -> float:
    with torch.no_grad():
        return float(model.loss(*batch(ROWS, 8, 1, 0)))


@pytest.fixture
def parent() -> HybridLM:
    return make_model().float()


def test_recover_scores_before_and_after_and_leaves_the_parent_alone(parent) -> None:
    before = copy.deepcopy(parent.state_dict())
    recipes = [
        ChildRecipe("kl", KEPT),
        ChildRecipe("again", KEPT),
        ChildRecipe("ce", KEPT, objective="ce"),
        ChildRecipe("fresh", KEPT, fresh=True),
        ChildRecipe("long", KEPT, steps=9),
    ]
    kl, again, ce, fresh, long = recover(parent, recipes, ROWS, SETTINGS, score)
    assert all(torch.equal(before[name], tensor) for name, tensor in parent.state_dict().items())
    assert all(p.requires_grad for p in parent.parameters())
    assert kl.zero_shot == ce.zero_shot == score(slice_model(parent, KEPT))
    assert kl.zero_shot != fresh.zero_shot
    assert (kl.recovered, kl.curve) == (again.recovered, again.curve)
    assert kl.recovered != ce.recovered
    assert len(kl.curve) == 2
    assert kl.curve[-1][0] == kl.tokens > kl.curve[0][0] > 0
    assert kl.recovered == kl.curve[-1][1] < kl.zero_shot
    assert len(long.curve) == 3
    assert long.tokens > kl.tokens
    assert kl.parameters == costs.parameter_count(kl.config) < parent.parameter_count()


def test_the_trained_child_is_what_was_scored(parent) -> None:
    outcome, child = recover_model(parent, ChildRecipe("kl", KEPT), ROWS, SETTINGS, score)
    assert score(child) == outcome.recovered
    assert child.config == outcome.config


def test_make_child_knows_slices_fresh_weights_and_broken_groups(parent) -> None:
    broken = keep_best(random_importance(TINY, 3), TINY, TINY.with_(ssm_heads=4), heads="across")
    assert make_child(parent, ChildRecipe("b", broken, across_groups=True)).config.ssm_heads == 4
    fresh = make_child(parent, ChildRecipe("f", KEPT, fresh=True), seed=4)
    assert torch.equal(fresh.head.weight, HybridLM(fresh.config, seed=4).head.weight)


def test_from_scratch_learns_from_the_text_alone() -> None:
    run = from_scratch(TINY, ROWS, SETTINGS, score)
    assert run.recovered < run.zero_shot == score(HybridLM(TINY, seed=0))


def _run(tokens: int, recovered: float) -> ChildOutcome:
    return ChildOutcome("x", TINY, 1, 9.0, recovered, tokens, ((tokens, recovered),))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (3.0, (100.0, "exact")),
        (2.5, (200.0, "exact")),
        (2.0, (400.0, "exact")),
        (1.9, (400.0, "at least")),
        (5.0, (100.0, "at most")),
    ],
)
def test_tokens_to_reach_interpolates_in_the_logarithm(target, expected) -> None:
    found = tokens_to_reach([_run(400, 2.0), _run(100, 3.0)], target)
    assert found == (pytest.approx(expected[0]), expected[1])


def test_no_run_reaches_nothing() -> None:
    with pytest.raises(LabError, match="no run from scratch"):
        tokens_to_reach([], 1.0)


# --- what reaches a run


def history_of(model, data, settings, *, validate, progress) -> pd.DataFrame:
    """What `train` returns, without training; every run is scored twice."""
    scores = [validate(model)["score"] for _ in range(2)]
    return pd.DataFrame({"tokens": [10, 20], "score": scores})


def test_all_children_of_a_parent_have_its_teacher_and_the_same_data_and_order(parent, monkeypatch) -> None:
    trained, wrapped = record(monkeypatch, recovery, "train", history_of), spy(monkeypatch, recovery, "Distilled")
    settings = replace(SETTINGS, seed=7)
    recipes = [
        ChildRecipe("kl", KEPT),
        ChildRecipe("ce", KEPT, objective="ce", steps=1),
        ChildRecipe("fresh", KEPT, fresh=True),
    ]
    recover(parent, recipes, ROWS, settings, score)
    assert trained.all("settings") == [settings, replace(settings, steps=1, warmup_steps=1), settings]
    assert all(data is ROWS for data in trained.all("data"))
    assert wrapped.all("objective") == ["kl", "ce", "kl"]
    teacher = wrapped.all("teacher")[0]
    assert all(one is teacher for one in wrapped.all("teacher"))
    assert teacher.model is not parent, "a parent that a run trained would change what is compared"
    assert teacher.precision == settings.precision
    assert all(torch.equal(own, teacher.model.state_dict()[name]) for name, own in parent.state_dict().items())
    cut, other, fresh = wrapped.all("student")
    sliced = slice_model(parent, KEPT).state_dict()
    for child in (cut, other):
        assert all(torch.equal(tensor, sliced[name]) for name, tensor in child.state_dict().items())
    assert torch.equal(fresh.head.weight, HybridLM(fresh.config, seed=7).head.weight)


def test_a_child_is_scored_on_itself(parent, monkeypatch) -> None:
    record(monkeypatch, recovery, "train", history_of)
    wrapped, scored = spy(monkeypatch, recovery, "Distilled"), []
    outcome, child = recover_model(
        parent, ChildRecipe("kl", KEPT), ROWS, SETTINGS, lambda m: scored.append(m) or len(scored)
    )
    assert all(model is child is wrapped.only("student") for model in scored)
    assert (outcome.zero_shot, outcome.recovered, outcome.curve) == (1, 3, ((10, 2.0), (20, 3.0)))


def test_scratch_has_the_seed_and_no_teacher(monkeypatch) -> None:
    trained = record(monkeypatch, recovery, "train", history_of)
    settings = replace(SETTINGS, seed=7)
    from_scratch(TINY, ROWS, settings, score)
    assert trained.only("settings") is settings
    assert trained.only("data") is ROWS
    model = trained.only("model")
    assert isinstance(model, HybridLM)
    assert torch.equal(model.head.weight, HybridLM(TINY, seed=7).head.weight)
