"""Shared by the tests of the lab: a home of its own, and no word of a scale or a record from outside."""

from pathlib import Path

import pytest


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `$NEMO_LAB_HOME`; scale and record are as if never set."""
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NEMO_LAB_RECORD", raising=False)
    monkeypatch.delenv("NEMO_LAB_SCALE", raising=False)
    return tmp_path / "home"
