"""A rendering gives its formula once, from the source that it carries or from its glyphs, or it is counted as lost."""

# ruff: noqa: E501  markup stays on one line

import json
import time
from pathlib import Path

import lxml.html
import pytest

from nemo_lab.curation.formulas.renderings import COPY, mathjax3, rendered, svg_formula
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

ROW = json.loads(Path(__file__).with_name("renderings.json").read_text(encoding="utf-8"))[0]
GLYPH = '<mjx-math><mjx-mi class="mjx-i"><mjx-c class="mjx-c1D465 TEX-I"></mjx-c></mjx-mi></mjx-math>'
SHOWN = '<span class="katex-html"><span class="base"><span class="mord mathnormal">P</span><span class="mopen">(</span><span class="mord">⋅</span><span class="mclose">)</span></span></span>'
STRIPPED = "\n     x\n     \n      2\n     \n     +\n    \n     1\n    \n    \n    x^2+1\n   \n"
TWO_LINES = "\n  a\n  \n  b\n  \n  \\begin{aligned}\n  a \\\\\n  b\n  \\end{aligned}\n"
DRAWN = '<span class="mjx-mrow"><span class="mjx-mi"><span class="mjx-char MJXc-TeX-math-I">x</span></span></span>'
FORMS = {
    "LessWrong": (
        rf'<span class="mjpage"><span class="mjx-chtml"><span class="mjx-math" aria-label="p(x \mid \theta)">{DRAWN}</span></span></span>',
        "i",
        r"p(x \mid \theta)",
    ),
    "LessWrong, display": (
        rf'<span class="mjpage mjpage__block"><span class="mjx-chtml MJXc-display"><span class="mjx-math" aria-label="\frac{{a}}{{b}}">{DRAWN}</span></span></span>',
        "d",
        r"\frac{a}{b}",
    ),
    "LessWrong, a letter": (
        f'<span class="mjx-chtml"><span class="mjx-math" aria-label="n">{DRAWN}</span></span>',
        "i",
        "n",
    ),
    "MathJax 2 without a label": (f'<span class="mjx-chtml"><span class="mjx-math">{DRAWN}</span></span>', "i", "x"),
    "MathJax 2, preview and rendering": (
        '<span class="MathJax_Preview"><span class="MJXp-math">x</span></span><span class="MathJax"><nobr>x</nobr></span><script type="math/tex">x^2</script>',
        "i",
        "x^2",
    ),
    "MathJax 3 CHTML": (f'<mjx-container jax="CHTML">{GLYPH}</mjx-container>', "i", "x"),
    "MathJax 3 CHTML, display": (f'<mjx-container jax="CHTML" display="true">{GLYPH}</mjx-container>', "d", "x"),
    "MathJax 3 without a container": (GLYPH, "i", "x"),
    "MathJax 3 SVG": (ROW["MathJax 3.2.2 SVG"], "d", r"\sum_{i=1}^{n}a_{i}"),
    "MathJax 3, spoken label": (f'<mjx-container aria-label="x squared">{GLYPH}</mjx-container>', "i", "x"),
    "MathJax 3, hidden source": (
        f'<mjx-container>{GLYPH}<span class="no-mathjax mjx-copytext">$x_0$</span></mjx-container>',
        "i",
        "x_0",
    ),
    "MathJax 4, a part's source": (
        '<mjx-container><mjx-math><mjx-mi data-latex="wrong"><mjx-c class="mjx-c1D465">𝑥</mjx-c></mjx-mi></mjx-math></mjx-container>',
        "i",
        "x",
    ),
    "mathjax-node SVG": (
        '<span class="mjpage"><svg aria-labelledby="MathJax-SVG-1-Title"><title id="MathJax-SVG-1-Title">x^2</title><use xlink:href="#E1-MJMATHI-78"></use></svg></span>',
        "i",
        "x^2",
    ),
    "mathjax-node SVG, display": (
        '<span class="mjpage mjpage__block"><svg><title id="MathJax-SVG-1-Title">n</title></svg></span>',
        "d",
        "n",
    ),
    "mathjax-node SVG alone": (
        '<svg aria-labelledby="MathJax-SVG-2-Title"><title id="MathJax-SVG-2-Title">a_1</title></svg>',
        "i",
        "a_1",
    ),
    "SVG of MathJax 3 alone": (
        '<svg><g data-mml-node="math"><g data-mml-node="mi"><path data-c="1D465"></path></g></g></svg>',
        "i",
        "x",
    ),
    "KaTeX, HTML only": (ROW["KaTeX 0.16.11"], "d", r"\sum_{i=1}^{n}a_{i}"),
    "KaTeX, HTML without a wrapper": (SHOWN, "i", r"P(\cdot)"),
    "CSDN": (
        f'<span class="katex--inline"><span class="katex"><span class="katex-mathml">{STRIPPED}</span><span class="katex-html"><span class="base">x2+1</span></span></span></span>',
        "i",
        "x^2+1",
    ),
    "CSDN, display": (
        f'<span class="katex--display"><span class="katex-display"><span class="katex"><span class="katex-mathml">{STRIPPED}</span></span></span></span>',
        "d",
        "x^2+1",
    ),
    "CSDN, lines of TeX": (
        f'<span class="katex"><span class="katex-mathml">{TWO_LINES}</span><span class="katex-html">ab</span></span>',
        "i",
        r"\begin{aligned} a \\ b \end{aligned}",
    ),
    "stripped, one line": (
        rf'<span class="katex"><span class="katex-mathml">P(⋅)P(\cdot)</span>{SHOWN}</span>',
        "i",
        r"P(\cdot)",
    ),
    "stripped, nothing shown": ('<span class="katex-mathml">x2+1x^2+1</span>', "i", "x^2+1"),
    "KaTeX not drawn": ('<span class="katex">x^2</span>', "i", "x^2"),
    "KaTeX not drawn, display": ("<div class='katex'>$$n$$</div>", "d", "n"),
    "KaTeX, an error": (r'<span class="katex-error" title="ParseError">\foo{a}</span>', "i", r"\foo{a}"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_rendering_gives_its_formula_once(name: str) -> None:
    markup, kind, latex = FORMS[name]
    prepared = prepare(page(f"<p>Before {markup} after.</p>"))
    assert [(held.kind, held.content) for held in prepared.shelf.held] == [(kind, latex)]
    assert prepared.math_nodes == 1
    text = "".join(lxml.html.fromstring(prepared.html).itertext())
    assert "".join(text.split()) == f"Before{prepared.shelf.mark}{kind}0zafter."


LOST = {
    "spoken": '<mjx-container aria-label="x squared plus one"><svg></svg></mjx-container>',
    "MathJax 2, HTML-CSS": '<span class="MathJax"><nobr><span class="math"><span class="mi">x</span></span></nobr></span>',
    "MathJax 2, SVG": '<span class="MathJax_SVG"><svg><use xlink:href="#MJMATHI-78"></use></svg></span>',
    "SVG without names": '<svg><defs><path id="MJX-1-TEX-I-1D465" d="M1"></path></defs></svg>',
    "KaTeX's report": "<span class=\"katex--inline\">KaTeX parse error: Expected group after '_' at position 25</span>",
    "KaTeX, a picture": '<span class="katex"><span class="katex-html"><span class="mord">x</span><svg><path d="M1 1h5"></path></svg></span></span>',
    "Wikipedia, empty": '<span class="mwe-math-element"></span>',
}


@pytest.mark.parametrize("name", LOST)
def test_what_cannot_be_read_is_counted_and_marked_and_no_prose(name: str) -> None:
    prepared = prepare(page(f"<p>Before {LOST[name]} after.</p>"))
    assert (prepared.math_nodes, prepared.shelf.held) == (1, [])
    text = "".join(lxml.html.fromstring(prepared.html).itertext())
    assert " ".join(text.split()) == "Before [formula] after."


def test_what_is_only_called_so_is_no_rendering() -> None:
    icons = "<svg><title>Close</title><path d='M0'></path></svg><div class='MathJax'>Words and \\(x\\).</div>"
    prepared = prepare(page(f"{icons}<div class='katex'><p>More words \\(y\\).</p></div>"))
    assert [held.content for held in prepared.shelf.held] == ["x", "y"]
    assert "Words and" in prepared.html
    assert "More words" in prepared.html


NESTED = (
    '<span class="katex">',
    '<span class="MathJax">',
    '<span class="math inline">',
    "<mathjax><p>",
    '<span class="texhtml"><u>',
    "<mjx-container>",
)


@pytest.mark.parametrize("opener", NESTED)
def test_renderings_in_renderings_cost_no_more_than_their_number(opener: str) -> None:
    name = opener[1:].split()[0].rstrip(">").split("><")[0]
    page_ = page(20 * (opener * 250 + "x" + f"</{name}>" * 250))
    start = time.process_time()
    prepare(page_)
    assert time.process_time() - start < 10


def test_parts_say_what_they_are() -> None:
    html = lxml.html.fromstring(f'<p><span class="katex-mathml">x</span>{SHOWN}</p>')
    found = rendered(html[1], frozenset({"katex-html"}))
    assert found is not None
    assert found.form == COPY
    assert rendered(html, frozenset({"other"})) is None
    assert mathjax3(lxml.html.fromstring(f"<mjx-container>{GLYPH}</mjx-container>")).latex == "x"
    assert svg_formula(lxml.html.fromstring("<svg></svg>")) is None
