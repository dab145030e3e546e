"""A folder of a checkpoint, written once for the tests of a file."""

from pathlib import Path

import pytest

from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.huggingface import save_hf
from tests.modeling.random_model import TINY


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_hf(HybridLM(TINY), tmp_path_factory.mktemp("hf") / "good")
