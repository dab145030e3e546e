"""A GRPO run in the folder given that kills itself with SIGKILL in the middle of a step.

usage: killed_grpo.py FOLDER STEP
"""

import os
import signal
import sys
from pathlib import Path

import tiny_policy
import torch

from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings

SETTINGS = GRPOSettings(steps=8, prompts=2, group=4, max_new_tokens=5, peak_lr=3e-3, checkpoint_every=2)


def run(folder, reward):
    """The run that is killed here and run to its end in the test."""
    policy = tiny_policy.tiny_policy(seed=3)
    return policy, grpo(policy, lambda step, attempt: [Prompt("a"), Prompt(f"{step}")], reward, SETTINGS, folder=folder)


def vowels(prompt, text, ended):
    """Something to climb."""
    return float(sum(letter in "aeiou" for letter in text))


def main(folder, limit):
    torch.set_num_threads(1)
    calls = 0

    def vowels_or_die(prompt, text, ended):
        nonlocal calls
        calls += 1
        if calls == limit * SETTINGS.prompts * SETTINGS.group + 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return vowels(prompt, text, ended)

    run(folder, vowels_or_die)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
