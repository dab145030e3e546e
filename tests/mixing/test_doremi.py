"""DoReMi: the update is the paper's, and weight goes where there is something left to learn."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_plan
import torch
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.mixing import doremi as module
from nemo_lab.mixing.doremi import SMOOTHING, doremi, update_weights
from nemo_lab.mixing.pools import Blend, draw_table
from nemo_lab.modeling import HybridLM
from nemo_lab.training import TrainingError
from nemo_lab.training.loop import prediction_nats
from tests.interrupted import updates
from tests.recorders import spy

UNIFORM = np.full(3, 1 / 3)


@given(excess=st.lists(st.floats(0, 20), min_size=3, max_size=3), steps=st.integers(1, 30))
def test_weights_stay_on_the_simplex_and_above_the_smoothing(excess, steps):
    alpha = UNIFORM
    for _ in range(steps):
        alpha = update_weights(alpha, np.array(excess), UNIFORM)
    assert alpha.sum() == pytest.approx(1)
    assert alpha.min() >= SMOOTHING / 3 - 1e-12
    assert np.argmax(alpha) in np.flatnonzero(np.isclose(excess, max(excess)))


def test_the_update_by_hand():
    alpha = update_weights(np.array([0.5, 0.25, 0.25]), np.array([0.0, np.log(2), 0.0]), UNIFORM)
    assert alpha == pytest.approx((1 - 1e-3) * np.array([0.4, 0.4, 0.2]) + 1e-3 / 3)


def test_losses_are_means_by_source():
    plan = tiny_plan.plan()
    model, reference = HybridLM(plan.config, seed=0), HybridLM(plan.config, seed=1)
    blend = Blend(plan.pools, draw_table(np.array([0.5, 0.5, 0]), 1, 8, 0))
    nats_K, excess_K, present_K = module._losses(model, reference, blend, 0, "fp32")
    batch = blend(0)
    ours, theirs = (prediction_nats(m, batch, "fp32") for m in (model, reference))
    counted = batch.targets_BL != -100
    for source in (0, 1):
        mine = counted & torch.from_numpy(blend.table_SB[0] == source)[:, None]
        assert nats_K[source].item() == pytest.approx(ours[mine].mean().item(), rel=1e-5)
        assert excess_K[source].item() == pytest.approx((ours - theirs).clamp(min=0)[mine].mean().item(), rel=1e-4)
    assert present_K.tolist() == [True, True, False]


def test_it_spends_its_budget_and_repeats():
    plan = tiny_plan.plan()
    found, again = doremi(plan, 6, seed=1), doremi(plan, 6, seed=1)
    assert found.tokens == 6 * plan.tokens
    assert found.path_SK.shape == (36, 3)
    assert found.weights_K.sum() == pytest.approx(1)
    assert np.array_equal(found.path_SK, again.path_SK)


def test_weight_goes_to_what_the_reference_knows_and_the_model_does_not(monkeypatch):
    """A reference that is good at counting up alone leaves excess loss there."""
    plan = tiny_plan.plan()
    known = module.mixture_model(tiny_plan.plan(), np.array([1.0, 0, 0]), 0)
    monkeypatch.setattr(module, "mixture_model", lambda *_: known)
    assert np.argmax(doremi(plan, 1, seed=1).weights_K) == 0


def test_reference_and_second_model_differ_in_their_seed_and_share_the_uniform_baseline(monkeypatch):
    plan = tiny_plan.uneven()
    reference = spy(monkeypatch, module, "mixture_model")
    second, drawn = spy(monkeypatch, module, "new_model"), spy(monkeypatch, module, "draw_table")
    blended, updated = spy(monkeypatch, module, "Blend"), spy(monkeypatch, module, "update_weights")
    found = doremi(plan, 2, seed=7)
    assert reference.only("seed") == 7
    assert np.array_equal(reference.only("weights_K"), UNIFORM)
    assert second.only("seed") == drawn.only("seed") == blended.only("seed") == 8
    assert np.array_equal(drawn.only("weights"), UNIFORM)
    assert all(np.array_equal(baseline, UNIFORM) for baseline in updated.all("baseline_K"))
    assert np.array_equal(updated.all("alpha_K")[0], UNIFORM)
    assert all(np.array_equal(a, b) for a, b in zip(updated.all("alpha_K")[1:], found.path_SK, strict=False))
    assert np.array_equal(found.weights_K, found.path_SK.mean(0))


def saving(**changes):
    return tiny_plan.plan(settings=replace(tiny_plan.SETTINGS, checkpoint_every=5, **changes))


def test_an_interrupted_search_goes_on_bit_for_bit(tmp_path):
    with updates(module, before=14):
        doremi(saving(), 4, seed=1, folder=tmp_path)
    with updates(module) as taken:
        found = doremi(saving(), 4, seed=1, folder=tmp_path)
    assert taken == list(range(11, 25))
    whole = doremi(saving(), 4, seed=1)
    assert np.array_equal(found.path_SK, whole.path_SK)
    assert np.array_equal(doremi(saving(), 4, seed=1, folder=tmp_path).path_SK, whole.path_SK)


def test_a_folder_of_another_search_is_refused(tmp_path):
    doremi(saving(), 2, seed=1, folder=tmp_path)
    with pytest.raises(TrainingError, match=r"settings.peak_lr=0.03, now it is 0.02"):
        doremi(saving(peak_lr=0.02), 2, seed=1, folder=tmp_path)
    with pytest.raises(TrainingError, match=r"has data="):
        doremi(saving(), 2, seed=2, folder=tmp_path)


def test_the_second_model_knows_its_reference(tmp_path):
    plan = saving()
    ours, other = (module.mixture_model(plan, plan.pools.uniform_K, seed) for seed in range(2))
    module._ascend(plan, ours, 3, tmp_path / "weights")
    with pytest.raises(TrainingError, match=r"has reference="):
        module._ascend(plan, other, 3, tmp_path / "weights")
