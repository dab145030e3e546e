"""Shared by the tests of studies: one torch thread, and the small models that the methods' tests use."""

import sys
from pathlib import Path

from tests.one_thread import one_thread  # noqa: F401  a fixture for every test of the folder

for _folder in ("compression", "mixing", "reasoning", "training"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))
