"""Shared by the tests of compression: one torch thread, and the tiny models importable by every test."""

import sys
from pathlib import Path

from tests.one_thread import one_thread  # noqa: F401  a fixture for every test of the folder

sys.path.insert(0, str(Path(__file__).parent))
