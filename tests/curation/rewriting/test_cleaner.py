"""A real server on this machine that behaves, is down, slow, busy, wrong or inventive; the page is whole each time."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.rewriting.cleaner import NOTHING, EndpointCleaner, chunks
from nemo_lab.curation.rewriting.endpoint import Endpoint, EndpointError
from nemo_lab.curation.rewriting.fidelity import Bounds, compare, faithful
from nemo_lab.errors import LabError
from tests.curation.rewriting.smollm2 import SmolLM2
from tests.curation.rewriting.stub_server import Stub

TEXT = "The sum of 12 and 30 is 42, as everybody knows.\n\nLet $x^2 + y^2 = r^2$ hold for all points.\n\n```python\ndef f(x):\n\n    return x\n```"  # noqa: E501


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


words = st.lists(st.sampled_from(["word", "a", "\n", "\n\n", "```\nx\n\n\n y\n```\n\n", "long" * 8]), max_size=30).map(
    " ".join
)


@given(words, st.integers(20, 60))
def test_chunks_lose_nothing(text: str, limit: int) -> None:
    pieces = chunks(text, limit)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    for piece in pieces:
        assert len(piece) <= limit or "```" in piece or max(map(len, piece.split())) > limit


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


PLAIN = "The sum of 12 and 30 is 42, as everybody knows.\n\nLet $x^2 + y^2 = r^2$ hold for all points of the plane."


@pytest.mark.parametrize("max_tokens", [8, 64])
def test_a_page_survives_a_small_model(smollm2: SmolLM2, max_tokens: int) -> None:
    """Cut short after 8 tokens the answer cannot be the page; after 64 it may be or not, and then the rules' stands."""
    model = EndpointCleaner(Endpoint(smollm2.url, max_tokens=max_tokens))
    cleaned = model.clean(PLAIN)
    assert sum(model.counts.values()) == 1
    assert set(model.counts) <= ({"unfaithful"} if max_tokens == 8 else {"unfaithful", "model"})
    assert faithful(compare(PLAIN, cleaned), Bounds())
    if "unfaithful" in model.counts:
        assert cleaned == PLAIN


def test_slow_and_then_busy(smollm2: SmolLM2) -> None:
    """A question that is given up still occupies the server, which refuses the next one until it is done."""
    impatient = EndpointCleaner(Endpoint(smollm2.url, max_tokens=200, seconds=0.3))
    assert impatient.clean(PLAIN) == PLAIN
    assert impatient.counts == {"slow": 1}
    once = EndpointCleaner(Endpoint(smollm2.url, max_tokens=4, tries=1))
    assert once.clean(PLAIN) == PLAIN
    assert once.counts == {"rate limited": 1}
    patient = EndpointCleaner(Endpoint(smollm2.url, max_tokens=4, tries=1000))
    assert patient.clean(PLAIN) == PLAIN
    assert patient.counts == {"unfaithful": 1}, "answered in the end"


def test_a_server_that_dies(smollm2: SmolLM2) -> None:
    """Killed in the middle of an answer: that page and the next have the rules' version."""
    dying = SmolLM2()
    model = EndpointCleaner(Endpoint(dying.url, max_tokens=2000))
    threading.Thread(target=lambda: (time.sleep(0.2), dying.stop()), daemon=True).start()
    assert model.clean(PLAIN) == PLAIN
    assert model.clean(PLAIN) == PLAIN
    assert model.counts == {"down": 2}
    with pytest.raises(EndpointError, match="down"):
        Endpoint(dying.url).ask("Are you there?")
    assert Endpoint(smollm2.url, max_tokens=4).ask("Are you there?"), "the other one is"
