r"""Code keeps its lines, furniture and icons go, what is said stays, and nothing active is left."""

# ruff: noqa: E501  markup stays on one line

import re

import pytest

from nemo_lab.curation.pages.placeholders import CODE
from nemo_lab.curation.pages.prepass import PageError, prepare
from tests.curation.made_pages import page

CODE_BLOCKS = {
    "pre": "<pre>def f(x):\n    if x:\n        return 1\n</pre>",
    "pre code": "<pre><code class='language-python'>def f(x):\n    if x:\n        return 1</code></pre>",
    "highlighted": "<div class='highlight-python3'><div class='highlight'><pre><span></span><span class='k'>def</span> f(x):\n    <span>if</span> x:\n        <span>return</span> 1\n</pre></div></div>",
    "line numbers": "<table class='highlighttable'><tr><td class='linenos'><pre>1\n2\n3</pre></td><td class='code'><pre>def f(x):\n    if x:\n        return 1</pre></td></tr></table>",
    "br and nbsp": "<div>def f(x):<br>&nbsp;&nbsp;&nbsp;&nbsp;if x:<br>\n&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;return 1<br></div>",
    "style": "<div style='white-space: pre'>def f(x):\n    if x:\n        return 1</div>",
}


@pytest.mark.parametrize("name", CODE_BLOCKS)
def test_code_keeps_its_lines(name: str) -> None:
    prepared = prepare(page(f"<p>See:</p>{CODE_BLOCKS[name]}<p>Done.</p>"))
    (held,) = prepared.shelf.held
    assert (held.kind, held.content) == (CODE, "def f(x):\n    if x:\n        return 1")
    assert prepared.code_blocks == 1
    assert held.language == ({"pre code": "python", "highlighted": "python3"}.get(name, ""))


def test_a_footnote_of_latexml_stands_in_parentheses_without_its_marks() -> None:
    mark = "<sup class='ltx_note_mark'>1</sup>"
    note = f"<span class='ltx_note ltx_role_footnote'>{mark}<span class='ltx_note_outer'><span class='ltx_note_content'>{mark}<span class='ltx_tag ltx_tag_note'>1</span>A note.</span></span></span>"
    left = prepare(page(f"<p>Consider{note} this.</p>")).html
    assert "<sup" not in left, "the renderer would write ^"
    text = re.sub("<[^>]+>", "", left)
    assert " ".join(text.split()) == "Consider (A note.) this."


def test_icons_and_numbers_of_lines_go_and_other_text_kept_from_screen_readers_stays() -> None:
    numbers = "<div aria-hidden=true><span>1</span><br><span>2</span></div>"
    left = prepare(page(f"{numbers}<i aria-hidden=true>expand_more</i><p aria-hidden=true>Ten kg</p>")).html
    assert "Ten kg" in left
    assert "expand" not in left
    assert "<span>" not in left


def test_what_the_parser_puts_into_a_void_element_stays() -> None:
    picture = '<picture><source srcset="a.webp"><source srcset="b.webp"><img alt="\\frac{a}{b}" src="c.png"></picture>'
    prepared = prepare(page(f"<figure><div role=button>{picture}</div><figcaption>Below</figcaption></figure>"))
    assert [held.content for held in prepared.shelf.held] == [r"\frac{a}{b}"]
    assert "Below" in prepared.html


def test_panels_of_tabs_stay_and_changes_are_plain_text() -> None:
    left = prepare(
        page("<div role=tabpanel hidden>second</div><p>a <del>b</del> <ins>c</ins> <s>d</s> e<sup>[1]</sup></p>")
    )
    assert "second" in left.html
    assert "<p>a <span>b</span> <span>c</span> <span>d</span> e<span>[1]</span></p>" in left.html


def test_poems_are_no_code() -> None:
    poem = "<p>The rose is red,<br>&nbsp;&nbsp;the violet blue,<br>the honey sweet<br>&nbsp;&nbsp;and so are you</p>"
    assert prepare(page(poem)).code_blocks == 0


def test_nothing_active_is_left() -> None:
    active = (
        "<script>alert(1)</script><iframe src='file:///etc/passwd'></iframe><object data='x'></object><img src='http://a/b.png'>"
        "<form action='http://a'><input value='v'><button>b</button></form><link rel=stylesheet href=x><style>p{}</style>"
        "<svg onload='x()'></svg><p hidden>secret</p><p style='display:none'>secret</p><meta http-equiv=refresh content='0;url=x'>"
    )
    left = prepare(page(active + "<p>Text.</p>")).html
    assert "Text." in left
    for word in (
        "script",
        "iframe",
        "object",
        "<img",
        "<input",
        "button",
        "link",
        "style",
        "svg",
        "secret",
        "refresh",
    ):
        assert word not in left, word


def test_navigation_goes_and_misused_words_stay() -> None:
    text = "Some real text of the page. " * 20
    nav = "<nav><a href=a>one</a></nav><div class='sphinxsidebar'>side</div><div role=search>find</div><ul><li><a>a</a><li><a>b</a><li><a>c</a></ul>"
    left = prepare(
        page(f"{nav}<main><h1>T<a class='headerlink' href='#t'>¶</a></h1><p>{text}</p></main><footer>foot</footer>")
    ).html
    assert text.strip() in left
    for word in ("one", "side", "find", "<li>", "¶", "foot"):
        assert word not in left, word
    assert "everything" in prepare(page("<div class='nav'>everything stands here</div>")).html


@pytest.mark.parametrize("main", ["main", "div"])
def test_an_anchor_made_of_a_title_is_no_furniture(main: str) -> None:
    section = "<section id='field-operators-and-related-functions'><h2>Field operators and related functions</h2>TEXT</section>"
    furniture = "<section id='related'><h2>You may also like</h2>OTHER</section>"
    body = f"<{main}><h1>T</h1><p>{'All that is said here is said at length. ' * 20}</p>{section}{furniture}</{main}>"
    prepared = prepare(page(body))
    assert "TEXT" in prepared.html
    assert "OTHER" not in prepared.html


def test_no_part_of_the_main_part_goes_that_holds_most_of_it() -> None:
    text = "All that is said here is said at length. " * 20
    assert "at length" in prepare(page(f"<main><h1>T</h1><div class='search'>{text}</div></main>")).html
    nav = "<div class='sidebar'>" + "One more entry of the menu. " * 90 + "</div>"
    assert "entry" not in prepare(page(f"{nav}<main><h1>T</h1><p>{text}</p></main>")).html, "beside it any length goes"


def test_what_cannot_be_read_says_so() -> None:
    for text, reason in (
        ("", "not readable"),
        ("<div>" * 5000 + "x", "nest deeper"),
        ("<p " + "a=1 " * 20_000 + ">x", "a tag of more"),
    ):
        with pytest.raises(PageError, match=reason):
            prepare(text)


def test_the_state_of_a_program_in_an_attribute_costs_no_page() -> None:
    state = "{&quot;a&quot;:1}," * 5_000
    assert "Kept" in prepare(page(f'<div id="data-preloaded" data-preloaded="{state}"></div><p>Kept</p>')).html


def test_control_characters_go_and_their_page_stays() -> None:
    prepared = prepare(page("<p>Let $x^2$ be\x0b &#1;&#xE;&#x0c;&#31; known&#x41;&#32;&#xE9;\fto \x01all</p>"))
    assert len(prepared.shelf.held) == 1
    assert "be knownA é to all" in " ".join(prepared.html.replace("&#233;", "é").split())


@pytest.mark.parametrize("end", ["</body>", "</html>", "</body></html>", "</BODY >"])
def test_what_follows_the_end_of_the_body_is_shown_as_browsers_show_it(end: str) -> None:
    prepared = prepare(f"<html><body><p>Before</p>{end}<p>after $x^2$</p><img class=math alt=y> tail</html>")
    assert [held.content for held in prepared.shelf.held] == ["x^2", "y"]
    assert "tail" in prepared.html
