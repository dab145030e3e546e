"""The cleaner against a real model behind a real server: SmolLM2 is small, inventive, slow and busy, and dies."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_lab.corpora.packages.chat_models import chat_model_folder
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.curation.rewriting.cleaner import EndpointCleaner
from nemo_lab.curation.rewriting.endpoint import Endpoint, EndpointError
from nemo_lab.curation.rewriting.fidelity import Bounds, compare, faithful

TEXT = "The sum of 12 and 30 is 42, as everybody knows.\n\nLet $x^2 + y^2 = r^2$ hold for all points of the plane."


class Server:
    """The process and its address."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.curation.serve_smollm2"]
        self.process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=300)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    try:
        chat_model_folder("smollm2")
    except PackageError as error:
        pytest.skip(str(error))
    started = Server()
    yield started
    started.stop()


def test_the_model_answers(server: Server) -> None:
    answer = Endpoint(server.url, max_tokens=24).ask("What is the capital of France?")
    assert "Paris" in answer


@pytest.mark.parametrize("max_tokens", [8, 64])
def test_a_page_survives_a_small_model(server: Server, max_tokens: int) -> None:
    """Cut short after 8 tokens the answer cannot be the page; after 64 it may be or not, and then the rules' stands."""
    model = EndpointCleaner(Endpoint(server.url, max_tokens=max_tokens))
    cleaned = model.clean(TEXT)
    assert sum(model.counts.values()) == 1
    assert set(model.counts) <= ({"unfaithful"} if max_tokens == 8 else {"unfaithful", "model"})
    assert faithful(compare(TEXT, cleaned), Bounds())
    if "unfaithful" in model.counts:
        assert cleaned == TEXT


def test_slow_and_then_busy(server: Server) -> None:
    """A question that is given up still occupies the server, which refuses the next one until it is done."""
    impatient = EndpointCleaner(Endpoint(server.url, max_tokens=200, seconds=0.3))
    assert impatient.clean(TEXT) == TEXT
    assert impatient.counts == {"slow": 1}
    once = EndpointCleaner(Endpoint(server.url, max_tokens=4, tries=1))
    assert once.clean(TEXT) == TEXT
    assert once.counts == {"rate limited": 1}
    patient = EndpointCleaner(Endpoint(server.url, max_tokens=4, tries=1000))
    assert patient.clean(TEXT) == TEXT
    assert patient.counts == {"unfaithful": 1}, "answered in the end"


def test_a_server_that_dies(server: Server) -> None:
    """Killed in the middle of an answer: that page and the next have the rules' version."""
    dying = Server()
    model = EndpointCleaner(Endpoint(dying.url, max_tokens=2000))
    threading.Thread(target=lambda: (time.sleep(0.2), dying.stop()), daemon=True).start()
    assert model.clean(TEXT) == TEXT
    assert model.clean(TEXT) == TEXT
    assert model.counts == {"down": 2}
    with pytest.raises(EndpointError, match="down"):
        Endpoint(dying.url).ask("Are you there?")
    assert Endpoint(server.url, max_tokens=4).ask("Are you there?"), "the other one is"
