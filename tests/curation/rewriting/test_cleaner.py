"""A real server on this machine that behaves, is down, slow, busy, wrong or inventive; the page is whole each time."""

import json
import math
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.rewriting.cleaner import NOTHING, EndpointCleaner, chunks
from nemo_lab.curation.rewriting.endpoint import Endpoint, EndpointError
from nemo_lab.errors import LabError

TEXT = "The sum of 12 and 30 is 42, as everybody knows.\n\nLet $x^2 + y^2 = r^2$ hold for all points.\n\n```python\ndef f(x):\n\n    return x\n```"  # noqa: E501


class Stub(ThreadingHTTPServer):
    """Answers as `behave` says: a text, or (status, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict] = []
        self.behave = lambda text, count: text

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
        text = re.split("TEXT:\n", body["messages"][0]["content"], maxsplit=1)[1]
        answer = self.server.behave(text, len(self.server.asked))
        if isinstance(answer, str):
            answer = (200, {}, json.dumps({"choices": [{"message": {"content": answer}}]}).encode())
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Stub]:
    with Stub() as stub:
        threading.Thread(target=stub.serve_forever, args=(0.01,), daemon=True).start()
        yield stub
        stub.shutdown()


def cleaner(server: Stub, **options: object) -> EndpointCleaner:
    pauses: list[float] = []
    made = EndpointCleaner(Endpoint(server.url, **{"seconds": 5.0, **options}), sleep=pauses.append)
    made.pauses = pauses
    return made


def test_a_good_answer_is_taken(server: Stub) -> None:
    model = cleaner(server, model="m", key="k")
    assert model.clean(TEXT + "\n\nnext") == TEXT
    assert model.counts == {"model": 1}
    (asked,) = server.asked
    assert (asked["path"], asked["key"], asked["model"], asked["temperature"]) == (
        "/v1/chat/completions",
        "Bearer k",
        "m",
        0.7,
    )
    assert "next" not in asked["messages"][0]["content"].split("TEXT:\n")[1], "the rules have been there before"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("42", "41"), "unfaithful"),
        (lambda text: text.replace("+", "-"), "unfaithful"),
        (lambda text: "Sure! Here is the cleaned text for you:\n" + text, "unfaithful"),
        (lambda text: "I cannot help with that.", "unfaithful"),
        (lambda text: NOTHING, "unfaithful"),
        (lambda text: text[: len(text) // 4], "unfaithful"),
        (lambda text: "  ", "nonsense"),
        (lambda text: (200, {}, b"<html>not json</html>"), "nonsense"),
        (lambda text: (200, {}, b'{"choices": []}'), "nonsense"),
        (lambda text: (200, {}, b'{"choices": [{"message": {"content": null}}]}'), "nonsense"),
        (lambda text: (200, {}, b"[" * 100_000), "nonsense"),
        (lambda text: (200, {}, b" " * (5 << 20)), "nonsense"),
        (lambda text: (401, {}, b""), "refused"),
        (lambda text: (302, {"Location": "http://127.0.0.1:1/"}, b""), "refused"),
        (lambda text: (429, {}, b""), "rate limited"),
        (lambda text: (503, {}, b""), "server error"),
    ],
)
def test_a_bad_answer_gives_the_rules_version(server: Stub, change: object, reason: str) -> None:
    server.behave = lambda text, count: change(text)
    model = cleaner(server)
    assert model.clean(TEXT) == TEXT
    assert model.counts == {reason: 1}


def test_a_busy_server_is_asked_again(server: Stub) -> None:
    server.behave = lambda text, count: (
        text if count == 3 else (429, {"Retry-After": "7" if count == 1 else "no number"}, b"")
    )
    model = cleaner(server, pause=0.5)
    assert model.clean(TEXT) == TEXT
    assert model.counts == {"model": 1}
    assert model.pauses == [7.0, 1.0]


def test_a_slow_server_is_left(server: Stub) -> None:
    left = threading.Event()

    def slow(text: str, count: int) -> str:
        assert left.wait(60), "the client waited for the answer"
        return text

    server.behave = slow
    model = cleaner(server, seconds=0.1)
    assert model.clean(TEXT) == TEXT
    left.set()
    assert model.counts == {"slow": 1}


def test_nobody_there(server: Stub) -> None:
    model = EndpointCleaner(Endpoint("http://127.0.0.1:9/v1", seconds=2), patience=2)
    assert [model.clean(TEXT) for _ in range(4)] == [TEXT] * 4
    assert model.counts == {"down": 2, "given up": 2}


def test_a_page_of_nothing_may_be_dropped(server: Stub) -> None:
    server.behave = lambda text, count: NOTHING
    model = cleaner(server)
    assert model.clean("Buy our lamps today, in all colours.") == ""
    assert model.counts == {"dropped": 1}


def test_a_fence_round_the_answer_is_taken_off(server: Stub) -> None:
    server.behave = lambda text, count: f"```markdown\n{text}\n```"
    model = cleaner(server)
    assert model.clean("A sentence of some five words.") == "A sentence of some five words."
    assert model.counts == {"model": 1}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:80", "ftp://a/b", ""])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(LabError, match="expected an address"):
        Endpoint(url)


def test_the_error_says_what_happened(server: Stub) -> None:
    server.behave = lambda text, count: (404, {}, b"")
    with pytest.raises(EndpointError, match="refused: status 404"):
        Endpoint(server.url).ask("TEXT:\nx")


words = st.lists(st.sampled_from(["word", "a", "\n", "\n\n", "```\nx\n\n\n y\n```\n\n", "long" * 8]), max_size=30).map(
    " ".join
)


@given(words, st.integers(20, 60))
def test_chunks_lose_nothing(text: str, limit: int) -> None:
    pieces = chunks(text, limit)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    for piece in pieces:
        assert len(piece) <= limit or "```" in piece or max(map(len, piece.split())) > limit


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


def test_a_cleaner_has_an_endpoint_and_patience() -> None:
    with pytest.raises(LabError, match="endpoint is 'http://a', expected an Endpoint"):
        EndpointCleaner("http://a")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="patience is 0"):
        EndpointCleaner(Endpoint("http://127.0.0.1:9/v1"), patience=0)


@pytest.mark.parametrize("limit", [0, -1, 1.5, None])
def test_a_chunk_has_a_character(limit: int) -> None:
    with pytest.raises(LabError, match=f"limit is {limit!r}; it must be a whole number of at least 1"):
        chunks("some text", limit)
    with pytest.raises(LabError, match="text is None, expected text"):
        chunks(None)  # type: ignore[arg-type]
