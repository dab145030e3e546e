r"""Each markup of formulas gives its LaTeX once; code keeps its lines; nothing active is left."""

# ruff: noqa: E501  markup stays on one line

import html
import re

import pytest

from nemo_lab.curation.pages.placeholders import CODE, Shelf
from nemo_lab.curation.pages.prepass import PageError, prepare
from nemo_lab.studies.math_extraction.same_formula import normal_form
from tests.curation.made_pages import page

TEX = r"\frac{a}{b} \leq x^{n+1}"
MATHML = "<mrow><mfrac><mi>a</mi><mi>b</mi></mfrac><mo>≤</mo><msup><mi>x</mi><mrow><mi>n</mi><mo>+</mo><mn>1</mn></mrow></msup></mrow>"
ANNOTATED = f'<semantics>{MATHML}<annotation encoding="application/x-tex">{TEX}</annotation></semantics>'
DISPLAYED = html.escape(f'<math display="block">{MATHML}</math>')
MATHML_OF_WIRIS = f"<math>{MATHML}</math>".translate(str.maketrans("<>", "«»"))
BROKEN = TEX.replace(" ", "<br>")
FORMS = {
    "MathJax 2": f'<span class="MathJax_Preview">[preview]</span><script type="math/tex">{TEX}</script>',
    "MathJax 2, display": f'<script type="math/tex; mode=display">{TEX}</script>',
    "MathJax 2, saved": f'<span class="MathJax" id="m1"><nobr>a/b</nobr></span><script type="math/tex">{TEX}</script>',
    "MathJax 2, MathML script": f'<script type="math/mml"><math>{MATHML}</math></script>',
    "MathJax 3": f"<mjx-container><mjx-math>glyphs</mjx-math><mjx-assistive-mml><math>{MATHML}</math></mjx-assistive-mml></mjx-container>",
    "MathJax 4": f'<mjx-container><mjx-math data-latex="{TEX}"><mjx-mi data-latex="a">a</mjx-mi></mjx-math></mjx-container>',
    "KaTeX": f'<span class="katex"><span class="katex-mathml"><math>{ANNOTATED}</math></span><span class="katex-html">ab≤x</span></span>',
    "KaTeX, display": f'<span class="katex-display"><span class="katex"><span class="katex-mathml"><math>{ANNOTATED}</math></span></span></span>',
    "MathML": f"<math>{MATHML}</math>",
    "MathML, annotated": f"<math>{ANNOTATED}</math>",
    "MathML, alttext": f'<math alttext="{html.escape(TEX)}">{MATHML}</math>',
    "image": f'<img class="math" src="a.png" alt="{html.escape(TEX)}">',
    "image of a service": r'<img src="http://latex.codecogs.com/gif.latex?%5Cfrac%7Ba%7D%7Bb%7D%20%5Cleq%20x%5E%7Bn+1%7D">',
    "Doxygen": f'<img class="formulaInl" alt="${html.escape(TEX)}$" src="form_1.png">',
    "Wikipedia": f'<span class="mwe-math-element"><span style="display: none;"><math alttext="{{\\displaystyle {TEX}}}">{MATHML}</math></span>'
    f'<img alt="{{\\displaystyle {TEX}}}" class="mwe-math-fallback-image-inline" src="x.svg"></span>',
    "data attribute": f'<span data-math="{html.escape(TEX)}"></span>',
    "data-mathml": f'<span class="MathJax" data-mathml="{html.escape(f"<math>{MATHML}</math>")}">a/b</span>',
    "stdlib": f'<div class="equation" data-raw-text="{html.escape(TEX)}"><img src="x.svg" alt="Equation for it."></div>',
    "pandoc, KaTeX": f'<span class="math inline">{html.escape(TEX)}</span>',
    "Sphinx": f'<span class="math notranslate nohighlight">\\({TEX}\\)</span>',
    "delimiters": f"\\({TEX}\\)",
    "dollars": f"${TEX}$",
    "display dollars": f"$${TEX}$$",
    "environment": f"\\begin{{equation}}{TEX}\\end{{equation}}",
    "forum": f"[itex]{TEX}[/itex]",
    "GitLab": f'<code data-math-style="inline">{TEX}</code>',
    "MathJax 2, no script, display": f'<div class="MathJax_Display"><span data-mathml="{DISPLAYED}">a/b</span></div>',
    "MathJax 2, for screen readers, display": f'<div class="MathJax_Display"><span class="MathJax"><nobr>a/b</nobr><span class="MJX_Assistive_MathML"><math>{MATHML}</math></span></span></div>',
    "KaTeX without its wrapper": f'<span class="katex-mathml"><math>{ANNOTATED}</math></span><span class="katex-html">ab≤x</span>',
    "Sphinx, numbered, display": f'<div class="math notranslate nohighlight" id="e"><span class="eqno">(1)<a class="headerlink" href="#e">¶</a></span>\\[{TEX}\\]</div>',
    "Discourse": f'<span class="math">{TEX}</span>',
    "GitHub": f"$`{TEX}`$",
    "Jetpack": f"$latex {TEX}$",
    "Quill": f'<span class="ql-formula" data-value="{html.escape(TEX)}">a/b</span>',
    "Wiris": f'<img class="Wirisformula" alt="a over b" data-mathml="{MATHML_OF_WIRIS}">',
    "LaTeX2HTML, display": f'<img src="img2.png" alt="\\begin{{displaymath}}{html.escape(TEX)}\\end{{displaymath}}">',
    "broken lines, display": f"$$<br>\n{BROKEN}<br>$$",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_its_formula_once(name: str) -> None:
    prepared = prepare(page(f"<p>Before {FORMS[name]} after.</p>"))
    assert [normal_form(held.content) for held in prepared.shelf.held] == [normal_form(TEX)]
    assert prepared.math_nodes == 1
    left, right = prepared.html.index("Before"), prepared.html.index("after")
    assert left < prepared.html.index(f"{prepared.shelf.mark}") < right
    assert prepared.shelf.held[0].kind == ("d" if "display" in name or name in ("environment", "stdlib") else "i")


def test_a_formula_of_wikipedia_is_known_without_its_image() -> None:
    """As the servers write it for readers without images; else it would be counted as MathML."""
    hidden = f'<span style="display: none;"><math alttext="{{\\displaystyle {TEX}}}">{MATHML}</math></span>'
    prepared = prepare(page(f'<p>Before <span class="mwe-math-element">{hidden}</span> after.</p>'))
    assert prepared.forms == {"Wikipedia": 1}
    assert [normal_form(held.content) for held in prepared.shelf.held] == [normal_form(TEX)]
    image = f'<img alt="{{\\displaystyle {TEX}}}" src="x.svg">'
    alone = prepare(page(f'<p>Before <span class="mwe-math-element">{image}</span> after.</p>'))
    assert alone.forms == {"Wikipedia": 1}
    assert [normal_form(held.content) for held in alone.shelf.held] == [normal_form(TEX)]


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("x<sup>2</sup>", "x^{2}"),
        ("b<sup>n+1</sup>", "b^{n+1}"),
        ("a<sub>i<sup>2</sup></sub>", "a_{i^{2}}"),
        ("the 1<sup>st</sup> of", "1st"),
        ('word<sup><a href="#f">1</a></sup>', "word1"),
        ("Product<sup>®</sup>", "Product®"),
        ('<span class="math inline"><em>x</em><sup>2</sup></span>', ""),
    ],
)
def test_scripts_say_how_far_they_reach(markup: str, shown: str) -> None:
    prepared = prepare(page(f"<p>{markup}</p>"))
    text = (
        prepared.shelf.restore(prepared.html)[0]
        .replace('<a href="#f">1</a>', "1")
        .replace("<sup>", "")
        .replace("</sup>", "")
        .replace("<span>", "")
        .replace("</span>", "")
    )
    assert shown in text
    if not shown:
        assert prepared.shelf.held[0].content == "x^{2}"


@pytest.mark.parametrize(
    "text",
    ["from $5 to $10 a day", "$HOME and $PATH", "a cost of $3.50, then $4", "<code>$x$</code>", "<pre>\\(x\\)</pre>"],
)
def test_prices_and_code_are_no_formulas(text: str) -> None:
    assert prepare(page(f"<p>{text}</p>")).math_nodes == 0


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


def test_what_is_only_said_about_formulas_is_none() -> None:
    left = prepare(
        page(
            r'<p><img src="p.png" alt="A plot of x^2 over the line">$5 and \\(x\\) <i class="math">about x^2 and all that</i></p>'
        )
    )
    assert left.math_nodes == 0


def test_a_table_keeps_its_caption_its_words_apart_and_its_rows_whole() -> None:
    row = "<tr><td>ann<br>Member<p>3 posts</p></td><td>$$y^2$$</td></tr>"
    prepared = prepare(page(f"<table><caption>Values of \\(k\\)</caption><tr><th>a</th><th>b</th></tr>{row}</table>"))
    lines = prepared.shelf.restore(prepared.html)[0]
    assert "<div>Values of $k$</div><div>a | b</div><div>ann Member 3 posts | $y^2$</div>" in lines


def test_equations_that_latexml_lays_out_as_a_table_are_one_alignment() -> None:
    sides = (("x", "=y,"), ("u", "=v"))
    rows = "".join(
        f"<tr class='ltx_eqn_row'><td></td><td><math alttext='\\displaystyle {a}'><mi>x</mi></math></td><td><math alttext='\\displaystyle{b}'><mi>y</mi></math></td><td></td></tr>"
        for a, b in sides
    )
    prepared = prepare(page(f"<p>So</p><table class='ltx_equationgroup ltx_eqn_align ltx_eqn_table'>{rows}</table>"))
    assert [held.content for held in prepared.shelf.held] == [r"\begin{aligned}x & =y, \\ u & =v\end{aligned}"]
    single = "<table class='ltx_equation ltx_eqn_table'><tr><td><math alttext='a=b' display='block'></math></td><td>(1)</td></tr></table>"
    assert "(1)" in prepare(page(single)).html


def test_a_footnote_of_latexml_stands_in_parentheses_without_its_marks() -> None:
    mark = "<sup class='ltx_note_mark'>1</sup>"
    note = f"<span class='ltx_note ltx_role_footnote'>{mark}<span class='ltx_note_outer'><span class='ltx_note_content'>{mark}<span class='ltx_tag ltx_tag_note'>1</span>A note.</span></span></span>"
    left = prepare(page(f"<p>Consider{note} this.</p>")).html
    assert "<sup" not in left, "the renderer would write ^"
    text = re.sub("<[^>]+>", "", left)
    assert " ".join(text.split()) == "Consider (A note.) this."


def test_what_stands_above_the_line_is_a_power_unless_it_is_an_ordinal_or_a_reference() -> None:
    left = prepare(page("<p>20<sup>o</sup>C, L<sup>*</sup>, a<sup>†</sup>, 2<sup>nd</sup>, x<sup>[2]</sup></p>")).html
    assert "20<sup>o</sup>C, L<sup>*</sup>, a<sup>†</sup>, 2<span>nd</span>, x<span>[2]</span>" in left


def test_icons_and_numbers_of_lines_go_and_other_text_kept_from_screen_readers_stays() -> None:
    numbers = "<div aria-hidden=true><span>1</span><br><span>2</span></div>"
    left = prepare(page(f"{numbers}<i aria-hidden=true>expand_more</i><p aria-hidden=true>Ten kg</p>")).html
    assert "Ten kg" in left
    assert "expand" not in left
    assert "<span>" not in left


def test_panels_of_tabs_stay_and_changes_are_plain_text() -> None:
    left = prepare(
        page("<div role=tabpanel hidden>second</div><p>a <del>b</del> <ins>c</ins> <s>d</s> e<sup>[1]</sup></p>")
    )
    assert "second" in left.html
    assert "<p>a <span>b</span> <span>c</span> <span>d</span> e<span>[1]</span></p>" in left.html


def test_poems_are_no_code() -> None:
    poem = "<p>The rose is red,<br>&nbsp;&nbsp;the violet blue,<br>the honey sweet<br>&nbsp;&nbsp;and so are you</p>"
    assert prepare(page(poem)).code_blocks == 0


def test_tables_of_data_become_lines_and_layout_stays() -> None:
    data = "<table><tr><th>n</th><th>value</th></tr><tr><td>1</td><td>$x^2$</td></tr></table>"
    prepared = prepare(page(data))
    assert "n | value" in prepared.html
    assert "<table" not in prepared.html
    assert prepared.math_nodes == 1
    assert (
        "<table"
        in prepare(
            page("<table><tr><td><h2>Title</h2></td><td>text</td></tr><tr><td>a</td><td>b</td></tr></table>")
        ).html
    )


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


def test_words_that_stand_for_things_cannot_be_in_the_page() -> None:
    first = Shelf.for_page("text")
    again = Shelf.for_page(f"text {first.mark}")
    assert again.mark not in f"text {first.mark}"
    assert Shelf.for_page("text").mark == first.mark
    word = first.keep("i", " x \n ")
    assert first.restore(f"a {word}, {word}. {first.mark}i7z")[0] == "a $x$, $x$. "
    fence = first.keep(CODE, "a ``` b", "c")
    assert first.restore(fence)[0] == "\n\n````c\na ``` b\n````\n\n"
