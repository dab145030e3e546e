"""Two processes with sharded parameters give the curve and the checkpoint of one, with the real model."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_lm import TinyLM, hybrid_run, tiny_data

from nemo_lab.files import read_tensors
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.training import TrainingError, distributed, read_history, settings_from, train
from nemo_lab.training.checkpoints import latest

WORKER = Path(__file__).with_name("distributed_worker.py")


def two_processes(*arguments):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, str(WORKER), *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def one_process(config, folder, on_step=None):
    model = HybridLM(HybridConfig(**config["model"]), seed=0)
    return train(model, tiny_data(), settings_from(config["train"]), folder=folder, on_step=on_step)


def interrupt_at_7(row):
    if row["step"] == 7:
        raise KeyboardInterrupt


def test_two_processes_go_on_from_one_processs_checkpoint_and_end_where_it_would_have(tmp_path):
    data, path, config = hybrid_run(tmp_path, accumulate=2)
    alone = one_process(config, tmp_path / "alone")
    with pytest.raises(KeyboardInterrupt):
        one_process(config, tmp_path / "shared", interrupt_at_7)
    assert latest(tmp_path / "shared").name == "step-00000005"

    two_processes("--data", data, "--config", path, "--folder", tmp_path / "shared")
    history = read_history(tmp_path / "shared")
    assert [row["tokens"] for row in history] == alone["tokens"].tolist()
    np.testing.assert_allclose([row["loss"] for row in history], alone["loss"], atol=1e-4)
    np.testing.assert_allclose([row["grad_norm"] for row in history], alone["grad_norm"], rtol=1e-3)
    for name in ("model.safetensors", "optimizer.safetensors"):
        mine, theirs = (read_tensors(latest(tmp_path / f) / name) for f in ("shared", "alone"))
        assert mine.keys() == theirs.keys()
        for key, tensor in theirs.items():
            torch.testing.assert_close(mine[key], tensor, atol=1e-4, rtol=1e-3, msg=key)


def test_without_torchrun_everything_is_the_identity():
    model = TinyLM()
    assert distributed.wrap(model) is model
    assert (distributed.rank(), distributed.world(), distributed.own_rows(6)) == (0, 1, slice(0, 6))
    tensor = torch.ones(2)
    assert distributed.total(tensor) is tensor
    assert distributed.scattered(tensor, torch.zeros(2)) is tensor
    distributed.finish()


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: 4)
    with pytest.raises(TrainingError, match="6 rows cannot be shared equally by 4 processes"):
        distributed.own_rows(6)
