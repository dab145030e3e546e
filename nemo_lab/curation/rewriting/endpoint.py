"""One question to an OpenAI-compatible server: `POST …/chat/completions`, with time, size and patience limited.

Any server that speaks this form will do (vLLM, llama.cpp, `transformers serve`, a hosted one). What can go wrong
has a name: `down` (nobody answers), `slow` (longer than the limit), `rate limited` and `server error` (after some
tries with growing pauses, or those the server asks for), `refused` (another status), `nonsense` (an answer that is
not of the form, or too long). Only the standard library is used; proxies are not, so a local server is meant.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nemo_lab.errors import LabError, check_number, check_text, check_whole

_LARGEST = 4 << 20  # bytes of an answer
_LONGEST_PAUSE = 30.0  # seconds, whatever a server asks for


class EndpointError(LabError):
    """A question without an answer; `reason` is one of the names above."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclass(frozen=True)
class Endpoint:
    """A server and how to ask it; a number out of its range or an address that is none is refused by LabError.

    Attributes:
        url: its base, such as `http://127.0.0.1:8080/v1`.
        model: the model's name there.
        key: sent as a bearer token when it is not empty.
        temperature, top_p: of sampling; 0.7 and 0.8 are what the released pipeline uses.
        max_tokens: of an answer.
        seconds: until one answer is given up.
        tries: when the server is busy or fails.
        pause: seconds before the second try; doubled each time.
    """

    url: str
    model: str = "default"
    key: str = ""
    temperature: float = 0.7
    top_p: float = 0.8
    max_tokens: int = 6000
    seconds: float = 120.0
    tries: int = 3
    pause: float = 1.0

    def __post_init__(self) -> None:
        for name in ("url", "model", "key"):
            check_text(name, getattr(self, name))
        if urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname:
            raise LabError(f"The endpoint is {self.url!r}, expected an address such as http://127.0.0.1:8080/v1.")
        if not self.key.isprintable():
            raise LabError("The key has a sign that no header takes, such as the end of a line; strip it.")
        check_number("temperature", self.temperature, least=0)
        check_number("top_p", self.top_p, above=0, most=1)
        check_number("seconds", self.seconds, above=0)
        check_number("pause", self.pause, least=0)
        check_whole("max_tokens", self.max_tokens)
        check_whole("tries", self.tries)

    def ask(self, prompt: str, sleep: Callable[[float], None] = time.sleep) -> str:
        """Return the model's answer to one user message.

        Raises:
            EndpointError: there is none.
        """
        pause = self.pause
        for left in range(self.tries - 1, -1, -1):
            try:
                return _answer(self._post(prompt))
            except urllib.error.HTTPError as error:
                reason = _name_of(error.code)
                if reason == "refused" or not left:
                    raise EndpointError(reason, f"status {error.code}") from None
                sleep(_wanted_pause(error.headers.get("Retry-After"), pause))
                pause *= 2
            except TimeoutError:
                raise EndpointError("slow", f"no answer within {self.seconds:g} s") from None
            except (OSError, ValueError) as error:  # URLError, a connection that breaks off
                if isinstance(error, EndpointError):
                    raise
                slow = isinstance(getattr(error, "reason", None), TimeoutError)
                raise EndpointError("slow" if slow else "down", type(error).__name__) from None
        raise AssertionError("unreachable")

    def _post(self, prompt: str) -> bytes:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
        }
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        data = json.dumps(body).encode("utf-8", "replace")
        request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", data, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        deadline = time.monotonic() + self.seconds
        with opener.open(request, timeout=self.seconds) as response:
            return _read(response, deadline)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the page (and the key) to another place; it is an error instead."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _read(response: Any, deadline: float) -> bytes:
    """Read an answer up to the limits; a server that drips bytes is slow."""
    parts, size = [], 0
    while part := response.read1(65_536):
        parts.append(part)
        size += len(part)
        if size > _LARGEST:
            raise EndpointError("nonsense", f"an answer of more than {_LARGEST:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)


def _answer(content: bytes) -> str:
    try:
        text = json.loads(content)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise EndpointError("nonsense", type(error).__name__) from None
    if not isinstance(text, str) or not text.strip():
        raise EndpointError("nonsense", "no text")
    return text


def _name_of(status: int) -> str:
    return "rate limited" if status == 429 else "server error" if status >= 500 else "refused"


def _wanted_pause(asked: str | None, pause: float) -> float:
    """Return the pause that the server asks for in seconds, within reason; else our own."""
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(asked or pause)))
    except ValueError:
        return min(_LONGEST_PAUSE, pause)
