"""Proxies a minute: both sides do the same work, which their scores show."""

import numpy as np
import pytest

from nemo_lab.errors import LabError
from nemo_lab.mixing import peers
from nemo_lab.mixing.samplers import sample_mixtures

TINY = peers.Sizes(proxies=2, steps=3, batch_size=2, length=32, vocab_size=300, pairs=1)


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
        peers.measure("ours", peers.Sizes(vocab_size=3))
