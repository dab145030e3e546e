"""What every test runs under: no network hub, one thread a process, a cache of its own, the same random numbers."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import setuptools  # noqa: F401  torch's timer refuses to work where distutils was imported before it
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # transformers asks the hub for kernels otherwise
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes side by side on two cores
for _name in ("NEMO_LAB_SCALE", "NEMO_LAB_RECORD"):  # a developer's shell must not decide a test
    os.environ.pop(_name, None)

# A test that fails fails again, and not because the machine was busy.
settings.register_profile("lab", derandomize=True, deadline=None)
settings.load_profile("lab")


def _seed() -> None:
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  what a test draws by the old interface
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _same_draws_in_each_module() -> None:
    """What fixtures of a module draw does not depend on the tests before it."""
    _seed()


@pytest.fixture(autouse=True)
def _same_draws_in_each_test() -> None:
    """A test draws the same numbers alone and behind any others."""
    _seed()


@pytest.fixture(autouse=True)
def _same_number_of_threads() -> Iterator[None]:
    """Two threads that a test leaves behind make every later one on two busy cores several times slower."""
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def lab_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `$NEMO_LAB_HOME` for one test."""
    home = tmp_path / "lab-home"
    monkeypatch.setenv("NEMO_LAB_HOME", str(home))
    return home
