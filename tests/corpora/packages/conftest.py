"""A machine of its own for each test of fetching."""

import pytest

from tests.corpora.packages.world import World


@pytest.fixture
def world(tmp_path, monkeypatch, lab_home):
    """A machine of our own: its clients are scripts that we write, its manifest has one package."""
    return World(tmp_path, monkeypatch)
