"""A small package in place of nemo_lab."""

import pytest

from tests.sources.made_package import FILES


@pytest.fixture
def package(tmp_path):
    """A small package in place of nemo_lab."""
    root = tmp_path / "nemo_lab"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
