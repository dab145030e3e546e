"""`python -m nemo_lab.training`: trains, goes on, and answers mistakes with one sentence and status 2."""

import json

import pandas as pd
import pytest
import torch
from tiny_lm import HYBRID, hybrid_run

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import __main__ as command
from nemo_lab.training import load_packed, read_history
from nemo_lab.training.__main__ import main
from tests.recorders import record


def arguments(data, path, folder):
    return ["--data", str(data), "--config", str(path), "--folder", str(folder)]


def test_it_trains_and_a_second_call_finds_all_done(tmp_path, capsys):
    data, path, _ = hybrid_run(tmp_path)
    assert main(arguments(data, path, tmp_path / "run")) == 0
    history = read_history(tmp_path / "run")
    assert [row["step"] for row in history] == list(range(1, 13))
    first = capsys.readouterr().out
    assert f"{history[-1]['loss']:.6f}"[:6] in first
    assert main(arguments(data, path, tmp_path / "run")) == 0
    assert capsys.readouterr().out == first


def test_the_seed_of_the_configuration_reaches_weights_and_data(tmp_path, monkeypatch):
    data, path, _ = hybrid_run(tmp_path, seed=7)
    trained = record(monkeypatch, command, "train", pd.DataFrame({"loss": [1.0]}))
    assert main(arguments(data, path, tmp_path / "run")) == 0
    assert trained.only("settings").seed == 7
    wanted = HybridLM(HybridConfig(**HYBRID), seed=7)
    assert torch.equal(trained.only("model").head.weight, wanted.head.weight)
    assert trained.only("data").fingerprint == load_packed(data).fingerprint
    assert trained.only("folder") == tmp_path / "run"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model": HYBRID | {"d_modle": 3}, "train": {}}, "lack steps, batch_size, peak_lr"),
        ({"model": {"d_modle": 3}}, 'exactly two objects, "model" and "train"'),
        ([], "exactly two objects"),
        ({"model": {"d_modle": 3}, "train": None}, "did you mean 'd_model'"),
        ({"model": {"pattern": "MX"}, "train": None}, "pattern 'MX'"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path, capsys, config, said):
    data, path, good = hybrid_run(tmp_path)
    if isinstance(config, dict) and config.get("train", {}) is None:
        config["train"] = good["train"]
    path.write_text(json.dumps(config))
    assert main(arguments(data, path, tmp_path / "run")) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_files_that_are_not_there_or_not_json_are_named(tmp_path, capsys):
    data, path, _ = hybrid_run(tmp_path)
    assert main(arguments(tmp_path / "absent", path, tmp_path / "run")) == 2
    assert "absent does not exist" in capsys.readouterr().err
    assert main(arguments(data, data, tmp_path / "run")) == 2
    assert "cannot be read as JSON" in capsys.readouterr().err
