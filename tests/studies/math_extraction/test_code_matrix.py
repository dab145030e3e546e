"""Every form holds every block whole, and our pipeline keeps them."""

import html
import re

import pytest

from nemo_lab.studies.math_extraction import code_matrix, comparison, peers
from nemo_lab.studies.math_extraction.manuals import KnownPage

BLOCKS = [
    "def f(x):\n    if x < 1:\n        return [x]\n\n    return 'a & b'",
    ">>> for n in range(2):\n...     [n,\n...      n]\n[0,\n 0]\n[1,\n 1]",
    "class A:\n    pass",
]
PAGES = [KnownPage("m", "p", b"", code=["y = 1\nz = 2", *BLOCKS, "x = 1", "no python (\n  at all"], python=True)]


def test_forms_hold_the_blocks() -> None:
    pages = code_matrix.code_pages(PAGES, 10)
    assert [page.manual for page in pages] == list(code_matrix.FORMS)
    for page in pages:
        assert page.code == [*BLOCKS, "y = 1\nz = 2"], "one line and what is no Python are not taken"
        seen = html.unescape(re.sub(r"<br>|</(?:tr|div)>|<[^>]+>", "\n", page.html.decode())).replace("\xa0", " ")
        for line in "\n".join(BLOCKS).split("\n"):
            assert line in seen, page.manual
    assert code_matrix.code_pages(PAGES, 0) == []


def test_ours_keeps_them() -> None:
    done = comparison.compare(
        code_matrix.code_pages(PAGES, 10), {"ours": peers.ours, "trafilatura": peers.by_trafilatura}
    )
    kept = comparison.by_group(done, comparison.code_rate)
    assert kept["ours"].tolist() == [1.0] * len(code_matrix.FORMS)
    assert min(kept["trafilatura"]) < 1


@pytest.mark.parametrize(
    ("named", "language"),
    [
        ("highlight tab-size", ""),
        ("highlight-python3 notranslate", "python3"),
        ("highlight highlight-source-rust", "rust"),
        ("sourceCode haskell", "haskell"),
        ("brush: js", "js"),
        ("src src-lisp", "lisp"),
        ("language-c++", "c++"),
    ],
)
def test_the_language_is_what_the_page_says(named: str, language: str) -> None:
    rendered = peers.ours(f'<html><body><p>Text.</p><pre class="{named}">x = 1\ny = 2</pre></body></html>'.encode())
    assert f"```{language}\nx = 1" in rendered


def test_lines_that_are_called_code_need_look_like_it() -> None:
    poem = b"<html><body><p class='highlight'>The rose is red,<br>the violet blue,<br>so are you</p></body></html>"
    assert "```" not in peers.ours(poem)
    session = b"<html><body><p>&gt;&gt;&gt; f(1)<br>[2, 3]</p><p class='code'>x = 1<br>y = 2</p></body></html>"
    assert peers.ours(session) == "```\n>>> f(1)\n[2, 3]\n```\n\n```\nx = 1\ny = 2\n```"
