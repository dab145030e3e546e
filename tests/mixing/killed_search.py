"""Searches in the folder given and kills itself with SIGKILL after so many proxies.

usage: killed_search.py FOLDER N
"""

import os
import signal
import sys
from pathlib import Path

import tiny_plan
import torch

from nemo_lab.mixing import proxies
from nemo_lab.mixing.search import SearchSettings, climb

SEARCH = SearchSettings((6, 3, 2), candidates=200)


def search(folder):
    """The search that is killed here and run to its end in the test."""
    plan = tiny_plan.plan()

    def run(mixtures, first):
        return proxies.train_proxies(plan, mixtures, seed=3, first=first, folder=folder, n_jobs=1)

    return climb(run, plan.pools.natural_K, "up", SEARCH, seed=3)


def main(folder, limit):
    torch.set_num_threads(1)
    write = proxies.write_text

    def write_or_die(path, text):
        if len(list(folder.glob("*.json"))) == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        write(path, text)

    proxies.write_text = write_or_die
    search(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
