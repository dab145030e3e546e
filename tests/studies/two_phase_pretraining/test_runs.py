"""A run of a comparison of blends: what reaches the training and the judging of its model."""

from dataclasses import replace

import numpy as np
import tiny_plan
import torch

from nemo_lab.mixing.blends import BlendSchedule, Phase, Source
from nemo_lab.modeling import HybridLM
from nemo_lab.studies.two_phase_pretraining import runs
from tests.recorders import record

SOURCES = tuple(Source(name, 1e6, 1.0) for name in ("up", "down", "noise"))
SCHEDULE = BlendSchedule(SOURCES, (Phase(0.5, (0.6, 0.2, 0.2)), Phase(0.5, (0.1, 0.8, 0.1))), 1000)


def scored(monkeypatch, order: str, seed: int):
    """The recorded training and judging of one run."""
    plan = tiny_plan.plan()
    trained = record(monkeypatch, runs, "train")
    judged = record(monkeypatch, runs, "bits_per_byte_by_domain", {"x": 1.5})
    found = runs.score_schedule(
        SCHEDULE,
        order,
        seed,
        pools=plan.pools,
        config=plan.config,
        settings=replace(plan.settings, seed=99),
        tokenizer=plan.held_out.tokenizer,
        held_out="held out",
    )
    assert found == {"x": 1.5}
    return plan, trained, judged


def test_the_seed_makes_weights_rows_and_order(monkeypatch):
    plan, trained, judged = scored(monkeypatch, "scheduled", 7)
    assert trained.only("settings") == replace(plan.settings, seed=7)
    wanted = SCHEDULE.blend(plan.pools, plan.settings.steps, plan.settings.batch_size, 7, "scheduled")
    blend = trained.only("data")
    for step in range(plan.settings.steps):
        assert torch.equal(blend(step).tokens_BL, wanted(step).tokens_BL)
    model = trained.only("model")
    assert torch.equal(model.head.weight, HybridLM(plan.config, seed=7).head.weight)
    call = judged.calls[0]
    assert call["model"] is model
    assert call["tokenizer"] is plan.held_out.tokenizer
    assert (call["dataset"], call["length"], call["precision"]) == ("held out", plan.pools.length, "fp32")


def test_arms_of_a_seed_begin_alike_and_differ_in_their_order_alone(monkeypatch):
    found = {}
    for order in ("scheduled", "reversed", "random"):
        plan, trained, judged = scored(monkeypatch, order, 7)
        found[order] = trained.only("data"), trained.only("model"), judged.only("dataset")
    tables = {order: blend.table_SB for order, (blend, _, _) in found.items()}
    half = plan.settings.steps // 2
    assert np.array_equal(tables["reversed"], np.concatenate([tables["scheduled"][half:], tables["scheduled"][:half]]))
    counts = {order: np.bincount(table.ravel()).tolist() for order, table in tables.items()}
    assert counts["scheduled"] == counts["reversed"] == counts["random"]
    assert not np.array_equal(tables["random"], tables["scheduled"])
    assert len({blend.seed for blend, _, _ in found.values()}) == 1
    weights = [model.head.weight for _, model, _ in found.values()]
    assert all(torch.equal(weights[0], weight) for weight in weights)
    _, other, _ = scored(monkeypatch, "random", 8)
    assert not np.array_equal(other.only("data").table_SB, tables["random"])
