"""Proxies a minute: both sides do the same work, which their scores show."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.mixing import proxies
from nemo_lab.mixing.samplers import sample_mixtures
from nemo_lab.studies.performance import proxies as peers
from tests.recorders import record, spy

TINY = peers.ProxySizes(proxies=2, steps=3, batch_size=2, length=32, vocab_size=300, pairs=1)


def test_both_sides_train_the_same_proxies():
    plan = peers.random_plan(TINY)
    mixtures = sample_mixtures("flat", plan.pools.natural_K, 2, 0)
    ours, theirs = peers.run_ours(plan, mixtures), peers.run_hf(plan, mixtures)
    assert ours == pytest.approx(theirs, abs=0.01)
    assert abs(ours[0] - ours[1]) > 1e-6
    untrained = plan.held_out.score(peers.HFProxy(plan), plan.settings, plan.pools.length)["held out"]
    assert untrained - max(ours) > 0.03, "training changed the scores by more than the two sides differ"


def test_a_process_of_its_own_says_what_it_did():
    result = peers.measure("ours", TINY)
    assert result["side"] == "ours"
    assert result["proxies_per_minute"] == pytest.approx(120 / result["seconds"])
    assert np.isfinite(result["scores"]).all()


def test_mistakes_are_named():
    with pytest.raises(LabError, match="side 'theirs'"):
        peers.measure("theirs", TINY)
    with pytest.raises(LabError, match="failed with status"):
        peers.measure("ours", peers.ProxySizes(vocab_size=3))


def test_both_sides_begin_with_the_same_weights_and_read_the_same_batches(monkeypatch):
    """So that equal scores mean equal work: at this size scores of other seeds are nearly as close."""
    plan = peers.random_plan(TINY)
    mixtures = sample_mixtures("flat", plan.pools.natural_K, 2, 0)
    started, drawn, blended = (spy(monkeypatch, peers, name) for name in ("new_model", "draw_table", "Blend"))
    theirs = peers.run_hf(plan, mixtures)
    assert set(started.all("seed")) == set(drawn.all("seed")) == set(blended.all("seed")) == {0}
    assert [weights.tolist() for weights in drawn.all("weights")] == mixtures.tolist()
    trained = record(monkeypatch, peers, "train_proxies", pd.DataFrame({"held out": theirs}))
    assert peers.run_ours(plan, mixtures) == theirs
    assert trained.only("seed") == 0
    assert trained.only("mixtures_MK") is mixtures
    assert (trained.only("plan"), trained.only("folder")) == (plan, None)


def test_the_two_updates_are_one():
    """Trained on either side, a proxy learns as much on the batch that it began with."""
    plan = peers.random_plan(replace(TINY, steps=4))
    weights = plan.pools.natural_K
    theirs = peers.HFProxy(plan)
    before = peers.new_model(plan, 0)
    peers.train_hf(theirs, plan, weights)
    ours = proxies.mixture_model(plan, weights, 0)
    batch = peers.Blend(plan.pools, peers.draw_table(weights, 4, TINY.batch_size, 0), 0)(0)
    with torch.no_grad():
        losses = [float(model.loss(*batch, reduction="none").mean()) for model in (before, ours, theirs)]
    assert losses[0] - losses[1] > 0.01
    assert losses[1] == pytest.approx(losses[2], abs=0.1 * (losses[0] - losses[1]))
