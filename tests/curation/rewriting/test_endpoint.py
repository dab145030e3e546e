"""What can be asked, and what is said where there is no answer."""

import math

import pytest

from nemo_lab.curation.rewriting.endpoint import Endpoint, EndpointError
from nemo_lab.errors import LabError
from tests.curation.rewriting.smollm2 import SmolLM2
from tests.curation.rewriting.stub_server import Stub


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:80", "ftp://a/b", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(LabError, match="expected an address"):
        Endpoint(url)


def test_the_error_says_what_happened(server: Stub) -> None:
    server.behave = lambda text, count: (404, {}, b"")
    with pytest.raises(EndpointError, match="refused: status 404"):
        Endpoint(server.url).ask("TEXT:\nx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": None}, "url is None, expected text"),
        ({"model": None}, "model is None, expected text"),
        ({"key": "secret\n"}, "a sign that no header takes"),
        ({"tries": 0}, "tries is 0; it must be a whole number of at least 1"),
        ({"tries": 1.5}, "tries is 1.5"),
        ({"seconds": 0}, "seconds is 0; it must be a finite number above 0"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"pause": -1}, "pause is -1; it must be a finite number at least 0"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"top_p": 0}, "top_p is 0; it must be a finite number above 0 and at most 1"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(LabError, match=words):
        Endpoint(**{"url": "http://127.0.0.1:9/v1"} | change)  # type: ignore[arg-type]


def test_the_model_answers(smollm2: SmolLM2) -> None:
    answer = Endpoint(smollm2.url, max_tokens=24).ask("What is the capital of France?")
    assert "Paris" in answer
