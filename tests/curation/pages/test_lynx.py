"""lynx renders several pages at once as it renders each alone, within limits, and reaches for nothing."""

import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_lab.curation.pages import lynx
from nemo_lab.curation.pages.lynx import Limits, RenderError, render
from nemo_lab.curation.pages.prepass import prepare
from nemo_lab.errors import LabError

fragments = st.lists(
    st.sampled_from(
        [
            "<p>one",
            "</div>",
            "<ul><li>a<li>b",
            "<table><tr><td>x",
            "<h1>T</h1>",
            "text <b>bold",
            "<blockquote>",
            "<ol><li>",
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


@given(st.lists(fragments, min_size=2, max_size=4))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_batch_gives_what_each_page_gives(pages: list[str]) -> None:
    prepared = [prepare(f"<p>first {page}").html for page in pages]
    alone = [render([page])[0] for page in prepared]
    together = render(prepared)
    assert [" ".join(str(text).split()) for text in together] == [" ".join(str(text).split()) for text in alone]


def test_a_page_that_fails_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lynx._run

    def fails(page: str, limits: Limits) -> str:
        if "bad" in page:
            raise RenderError("too slow")
        return real(page, limits)

    monkeypatch.setattr(lynx, "_run", fails)
    first, second, third = render(["<p>one</p>", "<p>bad</p>", "<p>three</p>"])
    assert (str(first).strip(), str(third).strip()) == ("one", "three")
    assert isinstance(second, RenderError)


def test_a_page_that_names_pages_spoils_nothing() -> None:
    first, second = render(["<p>one</p><p>zqpage1zq</p>", "<p>two</p>"])
    assert "zqpage1zq" in str(first)
    assert str(second).strip() == "two"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(seconds=0.001), "more than 0.001 s"),
        (Limits(memory=1 << 20), "status"),
        (Limits(output=100), "wrote more"),
    ],
)
def test_limits_hold(limits: Limits, reason: str) -> None:
    (result,) = render(["<p>" + "word " * 20_000], limits)
    assert isinstance(result, RenderError)
    assert reason in str(result)


def test_nothing_is_fetched_or_read(tmp_path: Path) -> None:
    """Also without the pre-pass: the page's references are left alone by lynx itself."""
    asked: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = tmp_path / "secret.html"
    secret.write_text("the secret", encoding="utf-8")
    remote, local = f"http://127.0.0.1:{server.server_port}/x", secret.as_uri()
    page = "".join(
        f"<base href='{target}'><meta http-equiv=refresh content='0;url={target}'><img src='{target}'><iframe "
        f"src='{target}'></iframe>"
        f"<object data='{target}'></object><link rel=stylesheet href='{target}'><script src='{target}'></script>"
        f"<frameset><frame src='{target}'></frameset><embed src='{target}'>"
        for target in (remote, local)
    )
    (text,) = render([page + "<p>end</p>"])
    server.shutdown()
    server.server_close()
    assert "end" in str(text)
    assert "the secret" not in str(text)
    assert not asked


def test_a_missing_lynx_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    lynx.executable.cache_clear()
    with pytest.raises(LabError, match="apt-get install lynx"):
        render(["<p>x"])
    monkeypatch.undo()
    lynx.executable.cache_clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seconds": 0}, "seconds is 0; it must be a finite number above 0"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"memory": 0}, "memory is 0; it must be a whole number of at least 1"),
        ({"output": None}, "output is None"),
    ],
)
def test_limits_under_which_nothing_runs_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(LabError, match=words):
        Limits(**change)  # type: ignore[arg-type]
