"""Freed memory stays with the process: a repeated allocation faults no pages in again."""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, resource, sys, torch
from nemo_lab.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory() and keep_freed_memory()
else:  # what glibc does at first; later it adapts, in ways that depend on what else was allocated
    assert ctypes.CDLL(None).mallopt(-3, 131072) == 1
def work():
    return [torch.ones(500_000) for _ in range(100)]
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True, timeout=600
    )
    return int(result.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_keeping_freed_memory_avoids_page_faults() -> None:
    assert faults("keep") < faults("leave") / 10
