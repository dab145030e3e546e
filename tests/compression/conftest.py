"""Shared by the tests of compression: one torch thread, the tiny models importable by every test, a tiny library."""

import sys
from pathlib import Path

import pytest

from tests.one_thread import one_thread  # noqa: F401  a fixture for every test of the folder

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def puzzle_lab(tmp_path_factory):
    """A folder with a tiny Llama, trials and a record; its texts; the folder of each layer of its library."""
    import tiny_puzzle

    from nemo_lab.progress import quiet
    from nemo_lab.studies.puzzle_nas import runs, trials

    folder, texts, settings = tmp_path_factory.mktemp("runs"), tiny_puzzle.texts(), tiny_puzzle.Settings()
    with quiet():
        tiny_puzzle.llama().save_pretrained(folder / "llama")
    for part in range(2):
        runs.library_part(folder / "llama", settings, texts, folder / f"part{part}", part, 2)
    trials.local_trials(folder / "llama", settings, texts, folder / "trials", [1, 2])
    runs.recorded(folder / "llama", settings, texts, folder)
    return folder, texts, [folder / f"part{layer % 2}" for layer in range(3)]
