"""Proxies learn what their mixture teaches, repeat exactly, and survive being killed."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny_plan
from killed_search import search

from nemo_lab.mixing import proxies
from nemo_lab.mixing.pools import Blend, MixingError, draw_table
from nemo_lab.mixing.proxies import TABLE, train_proxies
from nemo_lab.modeling import HybridLM
from nemo_lab.training import train

UP, DOWN, NOISE = np.eye(3)
WORKER = Path(__file__).with_name("killed_search.py")


def test_a_proxy_is_good_at_what_its_mixture_teaches():
    table = train_proxies(tiny_plan.plan(), np.stack([UP, DOWN, NOISE]), n_jobs=1)
    assert table["up"].idxmin() == 0
    assert table["down"].idxmin() == 1
    assert table["number"].tolist() == [0, 1, 2]
    assert table[["weight.up", "weight.down", "weight.noise"]].to_numpy().tolist() == np.eye(3).tolist()


def test_processes_change_nothing_and_seeds_do():
    plan, mixtures = tiny_plan.plan(), np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
    alone = train_proxies(plan, mixtures, seed=4, n_jobs=1)
    assert train_proxies(plan, mixtures, seed=4, n_jobs=2).equals(alone)
    assert not np.isclose(train_proxies(plan, mixtures, seed=5, n_jobs=1)["up"], alone["up"]).any()


def test_finished_proxies_are_not_trained_again(tmp_path, monkeypatch):
    plan = tiny_plan.plan()
    first = train_proxies(plan, np.stack([UP, DOWN]), folder=tmp_path, n_jobs=1)

    def fail(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(proxies, "mixture_model", fail)
    assert train_proxies(plan, np.stack([UP, DOWN]), folder=tmp_path, n_jobs=1).equals(first)
    with pytest.raises(AssertionError, match="trained again"):
        train_proxies(plan, NOISE[None], folder=tmp_path, n_jobs=1)
    longer = tiny_plan.plan(settings=replace(tiny_plan.SETTINGS, steps=13))
    with pytest.raises(AssertionError, match="trained again"):
        train_proxies(longer, UP[None], folder=tmp_path, n_jobs=1)


def test_the_table_holds_every_proxy_once(tmp_path):
    plan = tiny_plan.plan()
    train_proxies(plan, np.stack([UP, DOWN]), folder=tmp_path, n_jobs=1)
    train_proxies(plan, np.stack([UP, DOWN]), folder=tmp_path, n_jobs=1)
    train_proxies(plan, NOISE[None], first=2, folder=tmp_path, n_jobs=1)
    table = pd.read_parquet(tmp_path / TABLE)
    assert table["number"].tolist() == [0, 1, 2]
    assert not list(tmp_path.glob(".*"))


def test_kill_and_resume_give_the_table_of_an_undisturbed_search(tmp_path):
    whole = search(tmp_path / "whole")
    command = [sys.executable, str(WORKER), str(tmp_path / "killed"), "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((tmp_path / "killed").glob("*.json"))) == 8, "killed in the middle of the second round"
    resumed = search(tmp_path / "killed")
    assert resumed.table.equals(whole.table)
    assert np.array_equal(resumed.best_predicted_K, whole.best_predicted_K)
    files = [(tmp_path / name / TABLE).read_bytes() for name in ("whole", "killed")]
    assert files[0] == files[1]


def test_checkpoints_are_used_and_cleared(tmp_path):
    plan = tiny_plan.plan(settings=replace(tiny_plan.SETTINGS, checkpoint_every=5))
    with_them = train_proxies(plan, UP[None], folder=tmp_path, n_jobs=1)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".parquet"]
    assert with_them.equals(train_proxies(tiny_plan.plan(), UP[None], n_jobs=1))


def test_warm_start_begins_with_the_base_and_scratch_does_not(tmp_path):
    scratch = tiny_plan.plan()
    base = HybridLM(scratch.config, seed=9)
    table = draw_table(UP, 40, 8, 0)
    train(base, Blend(scratch.pools, table), replace(scratch.settings, steps=40), folder=tmp_path, progress=False)
    warm = replace(scratch, base=tmp_path)
    scores = [train_proxies(plan, UP[None], n_jobs=1)["up"][0] for plan in (scratch, warm)]
    assert scores[1] < 0.7 * scores[0]
    assert warm.fingerprint != scratch.fingerprint


def test_tokens_are_counted():
    assert tiny_plan.plan().tokens == 12 * 8 * tiny_plan.LENGTH


def test_mistakes_are_named(tmp_path):
    plan = tiny_plan.plan()
    with pytest.raises(MixingError, match="2 weights for 3 sources"):
        train_proxies(plan, np.array([[0.5, 0.5]]))
    with pytest.raises(MixingError, match="no mixture to train"):
        train_proxies(plan, np.empty((0, 3)))
    with pytest.raises(MixingError, match="holds no checkpoint"):
        _ = replace(plan, base=tmp_path).fingerprint
    train_proxies(plan, UP[None], folder=tmp_path, n_jobs=1)
    next(tmp_path.glob("*.json")).write_text("[1]")
    with pytest.raises(MixingError, match="delete it"):
        train_proxies(plan, UP[None], folder=tmp_path, n_jobs=1)
