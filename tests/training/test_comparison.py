"""One run of a comparison: numbers that depend on the seed and the data, and on nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.studies.hybrid_architecture.recall import RecallTask, score_recall
from nemo_lab.training import TrainSettings, comparison, pack
from nemo_lab.training.comparison import score_language
from tests.recorders import record

CONFIG = HybridConfig(
    pattern="M*-",
    vocab_size=64,
    d_model=32,
    d_ff=32,
    n_heads=2,
    n_kv_heads=1,
    head_dim=16,
    ssm_heads=2,
    ssm_head_dim=16,
    ssm_state=8,
    ssm_groups=1,
    chunk=16,
)
SETTINGS = TrainSettings(steps=3, batch_size=2, peak_lr=1e-2, seed=77)


@pytest.fixture
def tokenizer() -> Tokenizer:
    """One token a letter."""
    vocabulary = {"<|endoftext|>": 0} | {letter: i + 1 for i, letter in enumerate("abcdefghij ")}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return made


def test_language_scores_are_reproducible_and_depend_on_the_seed(tokenizer: Tokenizer) -> None:
    random = np.random.default_rng(0)
    rows = pack((random.integers(1, 11, 40).tolist() for _ in range(9)), length=32, eos=0)
    held_out = {"text": ["abcd", "jihg", "ababab"], "corpus": ["x", "y", "x"]}
    first, again, other = (score_language(CONFIG, seed, rows, SETTINGS, tokenizer, held_out) for seed in (0, 0, 1))
    assert set(first) == {"x", "y", "mean", "tokens_per_second"}
    assert first["mean"] == pytest.approx((first["x"] + first["y"]) / 2)
    assert [first[key] for key in "xy"] == [again[key] for key in "xy"]
    assert first["mean"] != other["mean"]


def test_recall_is_learned_by_a_hybrid() -> None:
    task = RecallTask(pairs=2, keys=4, values=4)
    settings = TrainSettings(steps=150, batch_size=32, peak_lr=5e-3, warmup_steps=10, precision="fp32")
    config = CONFIG.with_(pattern="M-*-", vocab_size=task.vocab_size, init_std=0.15)
    untrained = score_recall(config, 0, task, TrainSettings(steps=1, batch_size=2, peak_lr=1e-9))
    assert untrained < 0.6 < score_recall(config, 0, task, settings)


# --- what reaches a run


def settings_of(recorder) -> TrainSettings:
    assert recorder.only("settings") == replace(SETTINGS, seed=5), "the seed of the run, not that of the settings"
    return recorder.only("settings")


def test_the_seed_makes_weights_and_order_and_all_models_are_judged_alike(tokenizer: Tokenizer, monkeypatch) -> None:
    rows = pack(([1 + k] * 40 for k in range(9)), length=32, eos=0)
    history = pd.DataFrame({"tokens": [30, 60], "seconds": [1.0, 4.0]})
    trained = record(monkeypatch, comparison, "train", history)
    judged = record(monkeypatch, comparison, "bits_per_byte_by_domain", {"x": 1.0, "y": 3.0})
    held_out = {"text": ["a"], "corpus": ["x"]}
    found = score_language(CONFIG, 5, rows, SETTINGS, tokenizer, held_out)
    assert found == {"x": 1.0, "y": 3.0, "mean": 2.0, "tokens_per_second": 15.0}
    settings_of(trained)
    assert trained.only("data") is rows
    model = trained.only("model")
    assert torch.equal(model.head.weight, HybridLM(CONFIG, seed=5).head.weight)
    call = judged.calls[0]
    assert call["model"] is model
    assert call["tokenizer"] is tokenizer
    assert call["dataset"] is held_out
    assert (call["length"], call["precision"]) == (32, SETTINGS.precision)
