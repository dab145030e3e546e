"""What every test runs under: no network hub, one thread a process, a cache of its own."""

import os
from pathlib import Path

import pytest
import setuptools  # noqa: F401  torch's timer refuses to work where distutils was imported before it

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # transformers asks the hub for kernels otherwise
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes side by side on two cores
for _name in ("NEMO_LAB_SCALE", "NEMO_LAB_RECORD"):  # a developer's shell must not decide a test
    os.environ.pop(_name, None)


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `$NEMO_LAB_HOME` for one test."""
    home = tmp_path / "lab-home"
    monkeypatch.setenv("NEMO_LAB_HOME", str(home))
    return home
