"""One seed of the tiny study, for the tests of runs and of what is made of them."""

import pytest

from nemo_lab.studies.retro_search.runs import SeedResult, one_seed
from tests.studies.retro_search.tiny_study import TINY


@pytest.fixture(scope="session")
def result() -> SeedResult:
    return one_seed(TINY, 7, keep=3, ablations=10)
