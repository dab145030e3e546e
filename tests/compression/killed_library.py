"""Builds and scores a library in the folder given and kills itself with SIGKILL in the middle of a layer.

usage: killed_library.py FOLDER library|scores
"""

import os
import signal
import sys
from pathlib import Path

import tiny_puzzle
import torch

from nemo_lab.compression.puzzle import library, scores


def build(folder):
    """What is killed here and run to its end in the test."""
    parent = tiny_puzzle.parent()
    library.build_library(parent, tiny_puzzle.rows(), tiny_puzzle.RECIPE, folder, progress=False)
    reference = scores.Reference.of(parent, tiny_puzzle.rows(4, seed=2))
    scores.score_library(parent, reference, tiny_puzzle.RECIPE, folder, progress=False)
    return scores.read_scores([folder] * 4)


def main(folder, stage):
    torch.set_num_threads(1)
    module, name = {"library": (library, "refit"), "scores": (scores, "compare")}[stage]
    real, calls = getattr(module, name), []

    def dies(*arguments):
        calls.append(name)
        if len(calls) == 14:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(module, name, dies)
    build(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
