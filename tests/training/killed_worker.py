"""Trains in the folder given and kills itself with SIGKILL: at an update, or while it writes a checkpoint.

usage: killed_worker.py FOLDER update N | killed_worker.py FOLDER checkpoint N
"""

import os
import signal
import sys

import torch
from tiny_lm import TinyConfig, TinyLM, tiny_data

from nemo_lab.training import TrainSettings, checkpoints, train

SETTINGS = TrainSettings(steps=30, batch_size=4, peak_lr=0.02, warmup_steps=3, checkpoint_every=5)
MODEL = TinyConfig(dropout=0.1)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_inside_checkpoint(number):
    """Die after the tensors of that checkpoint are written and before it is complete."""
    write = checkpoints.write_text

    def write_or_die(path, text):
        if path.parent.name.endswith(f"{number:08d}") and path.name == "history.jsonl":
            path.write_text(text[: len(text) // 2])
            die()
        write(path, text)

    checkpoints.write_text = write_or_die


def main():
    folder, where, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    if where == "checkpoint":
        die_inside_checkpoint(number)
        train(TinyLM(MODEL), tiny_data(), SETTINGS, folder=folder)
    train(TinyLM(MODEL), tiny_data(), SETTINGS, folder=folder, on_step=lambda r: r["step"] == number and die())


if __name__ == "__main__":
    main()
