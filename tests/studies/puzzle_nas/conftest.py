"""A tiny library that the tests of notebook 08's study share."""

import pytest
import tiny_puzzle

from nemo_lab.progress import quiet
from nemo_lab.studies.puzzle_nas import runs, trials


@pytest.fixture(scope="session")
def puzzle_lab(tmp_path_factory):
    """A folder with a tiny Llama, trials and a record; its texts; the folder of each layer of its library."""
    folder, texts, settings = tmp_path_factory.mktemp("runs"), tiny_puzzle.texts(), tiny_puzzle.Settings()
    with quiet():
        tiny_puzzle.llama().save_pretrained(folder / "llama")
    for part in range(2):
        runs.library_part(folder / "llama", settings, texts, folder / f"part{part}", part, 2)
    trials.local_trials(folder / "llama", settings, texts, folder / "trials", [1, 2])
    runs.recorded(folder / "llama", settings, texts, folder)
    return folder, texts, [folder / f"part{layer % 2}" for layer in range(3)]
