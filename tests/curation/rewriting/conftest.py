"""Servers on this machine for the tests that ask one: a made one, and a small model."""

import threading
from collections.abc import Iterator

import pytest

from nemo_lab.corpora.packages.chat_models import chat_model_folder
from nemo_lab.corpora.packages.clients import PackageError
from tests.curation.rewriting.smollm2 import SmolLM2
from tests.curation.rewriting.stub_server import Stub


@pytest.fixture
def server() -> Iterator[Stub]:
    """A server that answers as the test says."""
    with Stub() as stub:
        threading.Thread(target=stub.serve_forever, args=(0.01,), daemon=True).start()
        yield stub
        stub.shutdown()


@pytest.fixture(scope="module")
def smollm2() -> Iterator[SmolLM2]:
    """A small model behind a server: inventive, slow and busy."""
    try:
        chat_model_folder("smollm2")
    except PackageError as error:
        pytest.skip(str(error))
    started = SmolLM2()
    yield started
    started.stop()
