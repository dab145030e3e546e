"""One seed of the tiny study, for the tests of its runs."""

from collections.abc import Callable

import pytest

from nemo_lab.reasoning.policy import Policy
from nemo_lab.studies.retro_search import runs
from nemo_lab.studies.retro_search.runs import SeedResult, one_seed
from tests.studies.retro_search.tiny_study import TINY


@pytest.fixture(scope="session")
def run_again() -> Callable[[], SeedResult]:
    """Runs seed 7; the strong model is taught once, which is most of the time and has tests of its own."""
    taught: dict[tuple, Policy] = {}
    teach = runs.teach

    def teach_once(plan, *given) -> Policy:
        if given not in taught:  # with `on_step` among them, a new function each time, it is taught anew
            taught[given] = teach(plan, *given)
        return taught[given].with_state(taught[given].state())

    def run() -> SeedResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runs, "teach", teach_once)
            return one_seed(TINY, 7, keep=3, ablations=10)

    return run


@pytest.fixture(scope="session")
def result(run_again: Callable[[], SeedResult]) -> SeedResult:
    return run_again()
