"""Shared by the tests of reasoning: one torch thread, and `tiny_policy` importable by tests and worker scripts."""

import sys
from pathlib import Path

from tests.one_thread import one_thread  # noqa: F401  a fixture for every test of the folder

sys.path.insert(0, str(Path(__file__).parent))
