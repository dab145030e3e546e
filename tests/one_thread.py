"""A fixture for folders whose tests compare bit for bit; their conftest imports it."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Bit-for-bit comparisons between processes need the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
