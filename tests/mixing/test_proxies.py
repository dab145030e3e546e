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
import torch
from killed_search import search

from nemo_lab.mixing import proxies
from nemo_lab.mixing.pools import Blend, MixingError, draw_table
from nemo_lab.mixing.proxies import TABLE, train_proxies
from nemo_lab.modeling import HybridLM
from nemo_lab.training import train
from tests.recorders import record, spy

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


# --- what reaches a proxy


def test_the_seed_of_a_proxy_reaches_weights_rows_and_updates(monkeypatch):
    trained = record(monkeypatch, proxies, "train")
    plan = tiny_plan.plan(settings=replace(tiny_plan.SETTINGS, seed=99))
    weights = np.array([0.5, 0.3, 0.2])
    for seed in (7, 8):
        proxies.mixture_model(plan, weights, seed)
    assert [settings.seed for settings in trained.all("settings")] == [7, 8]
    for seed, blend, model in zip((7, 8), trained.all("data"), trained.all("model"), strict=True):
        assert np.array_equal(blend.table_SB, draw_table(weights, 12, 8, seed))
        assert blend.seed == seed
        assert torch.equal(model.head.weight, HybridLM(plan.config, seed=seed).head.weight)


def test_proxies_are_scored_on_the_held_out_text(monkeypatch):
    judged = record(monkeypatch, proxies, "bits_per_byte_by_domain", {"up": 1.0, "down": 2.0})
    made = record(monkeypatch, proxies, "mixture_model", "model")
    plan = tiny_plan.plan()
    table = train_proxies(plan, np.stack([UP, DOWN]), seed=7, first=4, n_jobs=1)
    assert table["number"].tolist() == [4, 5]
    assert set(table["seed"]) == set(made.all("seed")) == {7}
    assert [weights.tolist() for weights in made.all("weights_K")] == [UP.tolist(), DOWN.tolist()]
    for call in judged.calls:
        assert call["model"] == "model"
        assert call["dataset"] == {"text": plan.held_out.texts, "set": plan.held_out.names}
        assert (call["tokenizer"], call["column"]) == (plan.held_out.tokenizer, "set")
        assert (call["length"], call["precision"]) == (tiny_plan.LENGTH, "fp32")


def test_the_common_start_is_trained_on_natural_shares_without_a_decay(monkeypatch, tmp_path):
    built = record(monkeypatch, proxies, "artifact", tmp_path)
    plan = tiny_plan.uneven(base=tmp_path, settings=replace(tiny_plan.SETTINGS, checkpoint_every=5))
    assert proxies.base_model(plan, 40, seed=7) == tmp_path
    made = spy(monkeypatch, proxies, "mixture_model")
    trained = record(monkeypatch, proxies, "train")
    built.only("build")(tmp_path)
    assert np.array_equal(made.only("weights_K"), plan.pools.natural_K)
    assert made.only("seed") == 7
    assert made.only("plan").base is None
    wanted = replace(plan.settings, steps=40, warmup_steps=4, schedule="constant", seed=7, checkpoint_every=0)
    assert trained.only("settings") == wanted
    assert (tmp_path / "model.safetensors").is_file()
    assert built.only("settings")["seed"] == 7


@pytest.mark.parametrize("sets", [None, {}, "text", {"a": "one text"}, {"a": [None]}])
def test_held_out_texts_come_by_set(sets):
    with pytest.raises(MixingError, match=r"expected (texts by|a list of texts|text)"):
        proxies.held_out_from(sets, None)


@pytest.mark.parametrize("mixtures", [None, 5, []])
def test_a_proxy_has_a_mixture(mixtures):
    with pytest.raises(MixingError, match="There is no mixture to train a proxy on"):
        train_proxies(tiny_plan.plan(), mixtures)


def test_proxies_of_a_search_have_its_seed(monkeypatch, tmp_path):
    trained = record(monkeypatch, proxies, "train_proxies", "table")
    plan, mixtures = tiny_plan.plan(), np.eye(3)
    assert proxies.runner(plan, 7, tmp_path, n_jobs=3, backend="threading")(mixtures, 12) == "table"
    call = trained.calls[0]
    assert call["mixtures_MK"] is mixtures
    wanted = {"seed": 7, "first": 12, "folder": tmp_path, "n_jobs": 3, "backend": "threading"}
    assert call | wanted == call
