"""From bytes to text with a count of losses; hostile pages end within their limits, each with a reason."""

# ruff: noqa: E501  markup stays on one line

import contextlib
import gzip
import os
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_lab.curation import Extraction, Failure, Page, extract, extract_html
from nemo_lab.curation.pages.extraction import TimeUp, time_limit
from nemo_lab.curation.pages.lynx import Limits
from nemo_lab.errors import LabError
from tests.curation.made_pages import article, page

LIMITS = Limits(seconds=5)


def one(content: bytes, content_type: str = "text/html") -> Extraction | Failure:
    (result,) = extract([Page(content, "u", "p", content_type)], LIMITS)
    return result


def test_a_page_comes_out_whole() -> None:
    found = extract_html(article(7))
    assert found.text.startswith("Series 7\n\nLet us consider")
    assert "Then $x_{7}^2 = 7$ holds." in found.text
    assert found.text.endswith("```\ndef f(x):\n    return x + 7\n```")
    losses = found.losses
    assert (losses.math_nodes, losses.math_spans, losses.code_blocks, losses.code_kept) == (1, 1, 1, 1)
    assert losses.forms == {"delimiters": 1}
    assert (found.title, found.kind) == ("Series 7", "html")
    assert losses.sentence() == "formulas 1 of 1, code blocks 1 of 1, 0 lines of boilerplate removed"


def test_display_and_inline_are_kept_apart() -> None:
    text = extract_html(
        page(r"<p>Inline \(a\) and \[b\] and <script type='math/tex; mode=display'>c</script> end.</p>")
    ).text
    assert "$a$" in text.split("\n")[0]
    assert "\n$$b$$\n" in text
    assert "\n$$c$$\n" in text


def test_an_empty_node_is_a_loss() -> None:
    losses = extract_html(page("<p>See <mjx-container><svg></svg></mjx-container> and \\(x\\).</p>")).losses
    assert (losses.math_nodes, losses.math_spans) == (2, 1)


def test_pages_together_are_pages_alone() -> None:
    pages = [Page(article(number).encode(), "", "") for number in range(5)]
    pages.insert(2, Page(b"%PDF-", "", ""))
    together = extract(pages)
    assert together == [extract([page])[0] for page in pages]
    assert isinstance(together[2], Failure)


def test_other_kinds_pass_through() -> None:
    text = one(b"Plain text with $x^2$\r\nand more words.", "text/plain")
    assert isinstance(text, Extraction)
    assert (text.kind, text.text) == ("text", "Plain text with $x^2$\nand more words.")
    notebook = one(b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x  =  1"}]}', "application/json")
    assert isinstance(notebook, Extraction)
    assert (notebook.kind, notebook.text) == ("notebook", "```python\nx  =  1\n```")


HOSTILE = {
    "nested": b"<div>" * 100_000 + b"deep",
    "nested inline": b"<b><i>" * 50_000 + b"deep",
    "nested tables": b"<table><tr><td>" * 30_000,
    "nested scripts": b"x" + b"<sup>a" * 30_000,
    "nested MathML": b"<math>" + b"<mrow>" * 100_000 + b"<mi>x",
    "braces": b"<p>$$" + b"{" * 50_000 + b"}" * 50_000 + b"$$",
    "openers": rb"<p>\( \[ \begin{align} [tex] " * 50_000,
    "dollars": b"<p>" + b"$a " * 100_000,
    "attributes": b"<p " + b" ".join(b"a%d=x" % number for number in range(50_000)) + b">text",
    "entity bomb": b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
    + b"]><html><body>&j;</body></html>",
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body>&x;</body></html>',
    "random": os.urandom(50_000),
    "gzip": gzip.compress(b"<p>hello"),
    "zeros": b"<html>" + bytes(100_000),
    "list of links": b"<ul>" + b"<li><a href=x>link</a>" * 30_000,
    "breaks": b"<div>" + b"&nbsp;&nbsp;x = 1;<br>" * 30_000,
    "empty": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_end_within_limits(name: str) -> None:
    start = time.process_time()
    result = one(HOSTILE[name])
    assert time.process_time() - start < 4 * LIMITS.seconds  # three stages have one limit each
    if isinstance(result, Failure):
        assert result.reason
    else:
        assert "root:" not in result.text
        assert len(result.text) < 3 * len(HOSTILE[name]) + 1000


def test_the_time_limit_stops_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_lab.curation.pages.prepass.drop_chrome", lambda root: time.sleep(60))
    start = time.monotonic()
    (result,) = extract([Page(b"<p>x", "", "")], Limits(seconds=0.2))
    assert result == Failure("took more than 0.2 s before rendering")
    assert time.monotonic() - start < 50


def caught() -> None:
    """A library that catches everything."""
    with contextlib.suppress(Exception):
        time.sleep(60)


def wrapped() -> None:
    """A library that makes an error of its own of every other."""
    try:
        time.sleep(60)
    except Exception as error:
        raise ValueError("no tree") from error


class Dropped:
    """Python drops what is raised in a finaliser; the work goes on after it."""

    def __del__(self) -> None:
        time.sleep(0.3)


def dropped() -> None:
    Dropped()
    time.sleep(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("work", [caught, wrapped, dropped])
def test_the_time_limit_holds_where_its_signal_is_swallowed(work: Callable[[], None]) -> None:
    start = time.monotonic()
    with pytest.raises(TimeUp), time_limit(0.2):
        work()
    assert time.monotonic() - start < 50


def test_within_the_time_limit_a_fault_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="no tree"), time_limit(60):
        raise ValueError("no tree")


pieces = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<div class='math'>",
        "<span class='katex'>",
        "<math>",
        "<mfrac>",
        "<mi>x</mi>",
        "</math>",
        "<pre>",
        "</pre>",
        "<script type='math/tex'>",
        "</script>",
        "$x^2$",
        "\\(",
        "\\)",
        "$$",
        "<table>",
        "<tr>",
        "<td>",
        "<sup>2</sup>",
        "<sub>",
        "<br>",
        "&nbsp;",
        "&lt;",
        "text ",
        "```",
        "\n",
        "é",
        "\x00",
        "<img class='math' alt='x_1'>",
        "<!--",
        "-->",
        "<mjx-container>",
        "<annotation encoding='application/x-tex'>",
        "zqpage0zq",
        "<![CDATA[",
        "<svg>",
        "<a href='file:///'>",
    ]
)


@given(st.lists(st.lists(pieces, max_size=25).map("".join), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_soup_is_a_text_or_a_reason(soups: list[str]) -> None:
    results = extract([Page(soup.encode("utf-8", "replace"), "", "") for soup in soups], LIMITS)
    assert len(results) == len(soups)
    for result in results:
        if isinstance(result, Failure):
            assert result.reason
        else:
            losses = result.losses
            assert 0 <= losses.math_spans <= losses.math_nodes
            assert 0 <= losses.code_kept <= losses.code_blocks
            assert "\x00" not in result.text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<section>Alpha ends.</section><section>Beta begins.</section>", "Alpha ends.\nBeta begins."),
        ("<details><summary>Hint</summary>Use induction.</details>", "Hint\nUse induction."),
        ("<details><summary>Solution</summary>$x=2$</details>", "Solution\n$x=2$"),
        ("<figure><figcaption>a graph</figcaption></figure>Then <main>more text</main>", "a graph\nThen\nmore text"),
    ],
)
def test_blocks_that_the_renderer_does_not_know_are_lines_of_their_own(page: str, text: str) -> None:
    found = extract_html(f"<html><body>{page}</body></html>").text
    assert [line for line in found.split("\n") if line] == text.split("\n")


@pytest.mark.parametrize("html", [None, 5, [], {}])
def test_what_is_no_page_is_one_sentence(html):
    with pytest.raises(LabError, match=r"html is .*, expected the content of a page as bytes or text"):
        extract_html(html)


@pytest.mark.parametrize(("html", "reason"), [(b"%PDF-1.7", "binary content"), ("", "no element")])
def test_a_page_without_text_says_why(html, reason):
    with pytest.raises(LabError, match=rf"^The page has no text: .*{reason}.*; look at what it is\.$"):
        extract_html(html)


@pytest.mark.parametrize("pages", [None, "<p>text</p>", [b"<p>text</p>"]])
def test_pages_are_a_list_of_pages(pages):
    with pytest.raises(LabError, match=r"pages are .*, expected a list of Page; `extract_html`"):
        extract(pages)


def test_a_fault_in_extraction_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("nemo_lab.curation.pages.prepass.drop_chrome", fails)
    assert one(b"<p>x") == Failure("extraction failed (IndexError: list index out of range)")
    monkeypatch.undo()
    monkeypatch.setattr("nemo_lab.curation.pages.cleaning.clean", fails)
    assert one(b"<p>x") == Failure("extraction failed (IndexError: list index out of range)")


SEEDS = (
    page(
        "<nav><a href=a>A</a></nav><main><h1>T</h1><p>Let \\(x^2\\) and $y$ and <math><mfrac><mi>a</mi><mi>b</mi></mfrac></math>.</p>"
        "<div class='tabs'><ul role='tablist'><li>pip</li></ul><div role='tabpanel' hidden><pre class='language-sh'>ls</pre></div></div>"
        "<label><input type='radio'>6</label><h2><button>Why?</button></h2><table><tr><td>1</td><td><pre>x = 1</pre></td></tr></table>"
        "<div class='sidebar'>A <sup>2</sup></div><mjx-container><svg><g data-mml-node='math'></g></svg></mjx-container></main>"
    ).encode(),
    b"<table class='hljs-ln'><tr><td data-line-number=1>1<td><code>x<br>y</code></table><select><option>\\[a\\]</select><p>&sum;&#0;&#x110000;",
    "<meta charset=gb2312><details><summary>é</summary><template shadowrootmode=open><script type='math/tex'>x".encode(
        "gbk", "ignore"
    ),
)


def mutated(draw: random.Random) -> bytes:
    """A page with pieces taken out, doubled, swapped for others' and broken."""
    content = bytearray(draw.choice(SEEDS))
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(content) + 1)
        to = min(len(content), at + draw.randint(0, 60))
        other = draw.choice(SEEDS)
        start = draw.randrange(len(other))
        piece = draw.choice(
            (
                b"",
                bytes(content[at:to]) * 2,
                other[start : start + 80],
                bytes([draw.randrange(256)]),
                b"<",
                b'"',
                b"\x00",
            )
        )
        content[at:to] = piece
    return bytes(content)


@pytest.mark.parametrize(
    "sign",
    [
        "\x01",
        "\x0b",
        "\x1f",
        "\ufffe",
        "&#1;",
        "&#8",
        "&#0;",
        "&#x1F;",
        "&#xFFFF;",
        "&#31;",
        "\x0c",
        "&#12;",
        "&#xc;",
        "&#\x011;",
    ],
)
def test_a_character_that_no_text_has_costs_itself_only(sign: str) -> None:
    assert extract_html(page(f"<p>Let{sign} $x^2$ be.{sign}</p><!--{'-' * 500}-->")).text == "Let $x^2$ be."


@pytest.mark.parametrize("seed", range(3))
def test_a_mutated_page_is_a_text_with_its_counts_or_a_reason(seed: int) -> None:
    draw = random.Random(seed)
    results = extract([Page(mutated(draw), "", "") for _ in range(100)], LIMITS)
    assert len(results) == 100
    for result in results:
        if isinstance(result, Failure):
            assert result.reason
            assert not result.reason.startswith("extraction failed"), result.reason
        else:
            losses = result.losses
            assert 0 <= losses.math_spans <= losses.math_nodes
            assert 0 <= losses.code_kept <= losses.code_blocks
            assert losses.in_furniture >= 0 <= losses.math_signs
            assert "\x00" not in result.text
