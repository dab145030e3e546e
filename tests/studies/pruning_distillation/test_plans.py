"""Plans reach their size by the axes they name, or say why they cannot."""

import pytest
from tiny_pruning import make_model

from nemo_lab.compression.importance import random_importance
from nemo_lab.compression.slicing import slice_model
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, costs
from nemo_lab.studies.pruning_distillation.plans import (
    PLANS,
    PruningPlan,
    feasible,
    layers_to_remove,
    planned_child,
    planned_config,
)

PARENT = HybridConfig(
    pattern="M-M*-M-M*-",
    vocab_size=512,
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
SCORES = [9.0, 8.0, 3.0, 1.0, 2.0, 5.0, 4.0, 6.0, 0.5, 7.0]
TARGET = round(0.62 * costs.parameter_count(PARENT))


def test_every_feasible_plan_gives_a_child_of_the_size_by_its_own_axes() -> None:
    plans = feasible(PLANS, PARENT, TARGET, SCORES)
    assert [plan.name for plan in plans] == [plan.name for plan in PLANS]
    model, importance = make_model(PARENT), random_importance(PARENT, 0)
    for plan in plans:
        child = slice_model(model, planned_child(plan, PARENT, TARGET, importance, SCORES))
        assert child.parameter_count() == pytest.approx(TARGET, rel=0.01), plan
        c = child.config
        assert (len(c.pattern) < 10) == (plan.layers < 1)
        assert (c.d_model < 64) == (plan.embedding < 1)
        assert (c.ssm_heads < 24) == (plan.heads < 1)
        assert (c.ssm_head_dim < 8) == (plan.channels < 1)
        assert c.d_ff <= 384


def test_both_sides_of_the_papers_comparison_have_equally_many_plans() -> None:
    assert sum(plan.traditional for plan in PLANS) == sum(plan.prunes_heads for plan in PLANS) == 5
    assert len({plan.name for plan in PLANS}) == len(PLANS)


def test_the_lowest_layers_go_but_one_of_each_kind_stays() -> None:
    assert layers_to_remove(PruningPlan("d", layers=7 / 10), PARENT.pattern, SCORES) == (
        2,
        4,
        8,
    )  # 3 is the last attention
    assert layers_to_remove(PruningPlan("d"), PARENT.pattern, SCORES) == ()
    low = [0.0] * 10
    left = layers_to_remove(PruningPlan("d", layers=0.1), PARENT.pattern, low)
    assert sorted(PARENT.pattern[i] for i in range(10) if i not in left) == ["*", "-", "M"]


def test_what_cannot_be_reached_is_said() -> None:
    with pytest.raises(LabError, match=r"would need \d+ of 384 FFN neurons"):
        planned_config(PruningPlan("half", heads=0.5, embedding=0.5), PARENT, TARGET, ())
    with pytest.raises(LabError, match="cannot reach 1,000 parameters"):
        planned_config(PruningPlan("FFN"), PARENT, 1000, ())
    assert feasible([PruningPlan("FFN"), PruningPlan("half", heads=0.5, embedding=0.5)], PARENT, TARGET, SCORES) == [
        PruningPlan("FFN")
    ]
