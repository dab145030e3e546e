"""One start of the tiny study, for the tests of starts, arms and tables."""

import pytest

from nemo_lab.studies.crossthink_rl import start as crossthink
from tests.studies.crossthink_rl.tiny_start import TINY


@pytest.fixture(scope="session")
def start() -> crossthink.Start:
    return crossthink.start_model(TINY, 100)
