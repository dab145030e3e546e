"""Checkpoints: a killed run goes on as if nothing had happened, and what does not fit is refused by name."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from killed_worker import MODEL, SETTINGS
from tiny_lm import TinyConfig, TinyLM, tiny_data

from nemo_lab.errors import LabError
from nemo_lab.files import read_tensors
from nemo_lab.training import TrainingError, batch, load_model, read_history, train, with_fingerprint
from nemo_lab.training.checkpoints import latest

WORKER = Path(__file__).with_name("killed_worker.py")
CURVE = ["step", "loss", "lr", "grad_norm", "tokens"]
DATA = tiny_data()


def run(folder=None, model=None, data=DATA, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    return train(model or TinyLM(MODEL), data, settings, folder=folder)


def killed(folder, where, number):
    command = [sys.executable, str(WORKER), str(folder), where, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def frozen():
    model = TinyLM(MODEL)
    model.embedding.requires_grad_(False)
    return model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run that was never disturbed, and its history and weights."""
    torch.set_num_threads(1)
    folder, model = tmp_path_factory.mktemp("finished"), TinyLM(MODEL)
    return folder, run(folder, model), model.state_dict()


def test_sigkill_at_an_update_and_inside_a_checkpoint_leaves_the_same_curve(tmp_path, finished):
    killed(tmp_path, "update", 17)
    assert names(tmp_path) == ["step-00000010", "step-00000015"]
    killed(tmp_path, "checkpoint", 20)
    assert names(tmp_path) == [".partial-step-00000020", "step-00000010", "step-00000015"]
    model = TinyLM(MODEL)
    history = run(tmp_path, model)
    assert names(tmp_path) == ["step-00000025", "step-00000030"]
    _, undisturbed, weights = finished
    for column in CURVE:
        assert history[column].tolist() == undisturbed[column].tolist(), column
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_a_finished_run_returns_its_history_and_weights_at_once(finished):
    folder, history, weights = finished
    model = TinyLM(MODEL, seed=9)
    again = run(folder, model)
    assert again.equals(history)
    assert torch.equal(model.head.weight, weights["head.weight"])
    assert read_history(folder)[-1]["loss"] == history["loss"].iloc[-1]


def test_the_files_are_safetensors_and_json_with_plain_names(finished):
    folder = latest(finished[0])
    assert names(folder) == ["history.jsonl", "model.safetensors", "optimizer.safetensors", "state.json"]
    moments = read_tensors(folder / "optimizer.safetensors")
    assert moments["exp_avg_sq.blocks.0.linear.weight"].shape == (16, 32)
    assert moments["step.head.weight"] == 30
    state = json.loads((folder / "state.json").read_text())
    assert state["run"]["settings"]["peak_lr"] == SETTINGS.peak_lr
    assert state["run"]["model"]["config"] == {"width": 16, "dropout": 0.1}


def test_validation_values_survive_a_resume(tmp_path):
    settings = dataclasses.replace(SETTINGS, steps=6, checkpoint_every=2, validate_every=3)
    arguments = {"folder": tmp_path, "validate": lambda model: {"held_out": 0.1 + 0.2}}
    first = train(TinyLM(MODEL), DATA, settings, **arguments)
    assert train(TinyLM(MODEL), DATA, settings, **arguments).equals(first)
    assert np.isnan(first["held_out"].iloc[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"peak_lr": 0.5}, "settings.peak_lr=0.02, now it is 0.5"),
        ({"steps": 60}, "settings.steps=30, now it is 60"),
        ({"model": TinyLM(TinyConfig(width=32))}, "model.config.dropout=0.1, now it is 0.0"),
        ({"data": tiny_data(seed=1)}, "has data="),
        ({"model": frozen()}, "model.trained="),
    ],
)
def test_another_run_in_the_same_folder_is_refused(finished, changes, said):
    with pytest.raises(TrainingError, match=said):
        run(finished[0], **changes)


def test_how_often_to_save_may_change(finished):
    assert run(finished[0], checkpoint_every=7).equals(finished[1])


def test_weights_load_by_run_folder_or_checkpoint(finished):
    folder, _, weights = finished
    for place in (folder, latest(folder)):
        model = load_model(TinyLM(MODEL, seed=3), place)
        assert torch.equal(model.head.weight, weights["head.weight"])


def test_weights_that_do_not_fit_are_named(finished):
    with pytest.raises(TrainingError, match=r"in another shape blocks\.0\.linear\.bias.* and \d+ more"):
        load_model(TinyLM(TinyConfig(width=8)), finished[0])
    bigger = TinyLM(MODEL)
    bigger.extra = torch.nn.Linear(2, 2)
    with pytest.raises(TrainingError, match=r"lacks extra\.bias, extra\.weight"):
        load_model(bigger, finished[0])
    smaller = TinyLM(MODEL)
    del smaller.head
    with pytest.raises(TrainingError, match=r"has in addition head\.weight"):
        load_model(smaller, finished[0])


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "history.jsonl", "state.json"])
def test_a_truncated_file_is_named(tmp_path, name):
    run(tmp_path, steps=4)
    path = latest(tmp_path) / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(LabError, match=f"{name} .*delete"):
        run(tmp_path, steps=4)


def test_what_is_no_checkpoint_folder_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="holds no checkpoint"):
        load_model(TinyLM(), tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(TrainingError, match="is a file"):
        run(tmp_path / "file")


def test_tied_weights_are_saved_and_come_back(tmp_path):
    model = TinyLM()
    model.head.weight = model.embedding.weight
    history = run(tmp_path, model, steps=6)
    again = TinyLM(seed=4)
    again.head.weight = again.embedding.weight
    assert run(tmp_path, again, steps=6).equals(history)
    assert torch.equal(again.head.weight, model.embedding.weight)


def rows_of(step):
    return batch(DATA, SETTINGS.batch_size, 0, step)


def test_a_function_as_data_is_known_by_its_fingerprint(tmp_path):
    with pytest.raises(TrainingError, match=r"function without a fingerprint.*give with_fingerprint"):
        run(tmp_path, data=rows_of, steps=6)
    first = run(tmp_path, data=with_fingerprint(rows_of, "tiny", 0), steps=6)
    assert run(tmp_path, TinyLM(MODEL, seed=5), with_fingerprint(rows_of, "tiny", 0), steps=6).equals(first)
    assert (run(data=rows_of, steps=6)["loss"] == first["loss"]).all()
    with pytest.raises(TrainingError, match="has data="):
        run(tmp_path, data=with_fingerprint(rows_of, "tiny", 1), steps=6)


def test_a_folder_of_the_first_format_is_refused_and_its_weights_load(tmp_path):
    model = TinyLM(MODEL)
    run(tmp_path, model, steps=4)
    path = latest(tmp_path) / "state.json"
    path.write_text(path.read_text().replace("training checkpoint 2", "training checkpoint 1"))
    with pytest.raises(
        TrainingError, match=r"is a 'nemo-lab training checkpoint 1', which does not say enough.*another"
    ):
        run(tmp_path, steps=4)
    assert torch.equal(load_model(TinyLM(MODEL, seed=3), tmp_path).head.weight, model.head.weight)
    path.write_text(path.read_text().replace("nemo-lab training checkpoint 1", "something else"))
    with pytest.raises(TrainingError, match="is missing or not a"):
        run(tmp_path, steps=4)
