"""Each markup of formulas gives its LaTeX once, and what is only said about formulas gives none."""

# ruff: noqa: E501  markup stays on one line

import html
import json

import pytest

from nemo_lab.curation import extract_html
from nemo_lab.curation.pages.prepass import prepare
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
    "Canvas": f'<img class="equation_image" title="x" alt="LaTeX: x" data-equation-content="{html.escape(TEX)}">',
    "Stack Exchange": f'<span class="math-container">${html.escape(TEX)}$</span>',
    "Stack Exchange, display": f'<span class="math-container">$${html.escape(TEX)}$$</span>',
    "kramdown, display": f'<div class="kdmath">$${html.escape(TEX)}$$</div>',
    "MkDocs": f'<span class="arithmatex">\\({html.escape(TEX)}\\)</span>',
    "Zhihu": f'<span class="ztext-math" data-eeimg="1" data-tex="{html.escape(TEX)}">a/b</span>',
    "Zhihu, display": f'<span class="ztext-math" data-eeimg="2" data-tex="{html.escape(TEX)}">a/b</span>',
    "TipTap": f'<span data-type="inline-math" data-latex="{html.escape(TEX)}"></span>',
    "Substack, display": f'<div class="latex-rendered" data-attrs="{html.escape(json.dumps({"persistentExpression": TEX, "id": "A"}))}"></div>',
    "Naver, display": f'<div class="se-module" data-module="{html.escape(json.dumps({"type": "v2_formula", "data": {"latex": TEX}}))}"><svg></svg></div>',
    "JATS, display": f"<tex-math>\\documentclass{{a}}\\begin{{document}}$${TEX}$$\\end{{document}}</tex-math>",
    "MathJax 3, not drawn, display": f'<mjx-container display="true" jax="CHTML"><formula class="mathJaxEqu">{html.escape(TEX)}</formula></mjx-container>',
    "Wikipedia, flat": f'<span class="mwe-math-element"><span class="mwe-math-mathml-inline">{html.escape(TEX)}</span></span>',
    "LaTeX's own element": f"<latex>{html.escape(TEX)}</latex>",
    "remark": f'<span class="math math-inline">{html.escape(TEX)}</span>',
    "remark, display": f'<div class="math math-display">{html.escape(TEX)}</div>',
    "a fence, display": f'<pre><code class="language-math math-display">{html.escape(TEX)}</code></pre>',
    "GitHub's fence, display": f'<pre lang="math"><code>{html.escape(TEX)}</code></pre>',
    "Temml, not drawn": f'<span class="temml-error">{html.escape(TEX)}</span>',
    "distill": f"<d-math>{html.escape(TEX)}</d-math>",
    "distill, display": f"<d-math block>{html.escape(TEX)}</d-math>",
    "MathLive": f"<math-field>{html.escape(TEX)}</math-field>",
    "MediaWiki's element": f"<math>{html.escape(TEX)}</math>",
    "AsciiMath script": '<script type="math/asciimath">a/b <= x^(n+1)</script>',
    "AsciiMath script, display": '<script type="math/asciimath; mode=display">a/b <= x^(n+1)</script>',
    "AsciiMath of Discourse": '<span class="asciimath">a/b &lt;= x^(n+1)</span>',
    "Socratic": "<mathjax>#a/b <= x^(n+1)#</mathjax>",
    "Socratic, TeX": f"<mathjax>${html.escape(TEX)}$</mathjax>",
    "AsciiMath element": "<asciimath>a/b &lt;= x^(n+1)</asciimath>",
    "an element of its own": f"<math-jax>{html.escape(TEX)}</math-jax>",
    "Metanorma": "<stem type='AsciiMath'>a/b &lt;= x^(n+1)</stem>",
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
    ("markup", "latex"),
    [
        ('<span class="math-container">$n - 1$</span>', "n - 1"),
        ('<span class="math-inline">$(a, b)$</span>', "(a, b)"),
        ('<span class="math">n</span>', "n"),
        (r'<span class="render_latex">\alpha + 1</span>', r"\alpha + 1"),
        (r'<span class="tex">\sqrt{x}</span>', r"\sqrt{x}"),
        ('<span class="math">n - 1</span>', "n - 1"),
        ('<span class="texhtml"><i>x</i><sup>2</sup> + sin <i>y</i></span>', r"x^{2} + \sin y"),
        ('<span class="texhtml mvar" style="font-style:italic;">n</span>', "n"),
        ('<span class="texhtml"><b>A</b><sub>1</sub></span>', r"\mathbf{A}_{1}"),
    ],
)
def test_what_a_site_calls_a_formula_is_one_without_a_command(markup: str, latex: str) -> None:
    prepared = prepare(page(f"<p>Take {markup} of them.</p>"))
    assert [(held.kind, held.content) for held in prepared.shelf.held] == [("i", latex)]


@pytest.mark.parametrize(
    "markup",
    [
        '<div data-attrs="{&quot;latex&quot;: [[[">x</div>',
        "<mathjax>#" + "(" * 100 + "#</mathjax>",
        '<span class="MathJax" data-mathml="&lt;math&gt;&lt;/math&gt;">x</span>',
    ],
)
def test_a_source_that_cannot_be_read_is_counted_and_marked(markup: str) -> None:
    prepared = prepare(page(f"<p>So {markup} it is.</p>"))
    assert (prepared.math_nodes, prepared.shelf.held) == (1, [])
    assert "[formula]" in prepared.html


@pytest.mark.parametrize(
    "markup",
    [
        r'<p class="latex">Write \usepackage to load a package of commands.</p>',
        r'<code class="latex">\alpha</code>',
        r'<div class="context">\alpha</div>',
        r'<pre class="tex">\documentclass{article}</pre>',
    ],
)
def test_tex_that_is_talked_about_is_none(markup: str) -> None:
    assert prepare(page(markup)).math_nodes == 0


def test_a_text_shows_what_was_read_and_marks_what_was_not() -> None:
    lost = '<mjx-container display="true"><svg></svg></mjx-container>'
    found = extract_html(
        page(f"<p>Let $$$n$$$ be known.</p><p>Then</p><p>{lost}</p><p>holds for $$$1 \\le n$$$ and all.</p>")
    )
    assert found.text == "Let $n$ be known.\n\nThen\n\n[formula]\n\nholds for $1 \\le n$ and all."
    assert (found.losses.math_spans, found.losses.math_nodes) == (2, 3)


def test_other_properties_in_json_are_no_formula() -> None:
    attributes = html.escape(json.dumps({"src": "a.png", "latex": 5}))
    assert prepare(page(f'<div data-attrs="{attributes}">Words</div><p data-props="[1]">x</p>')).math_nodes == 0


def test_what_is_only_said_about_formulas_is_none() -> None:
    left = prepare(
        page(
            r'<p><img src="p.png" alt="A plot of x^2 over the line">$5 and \\(x\\) <i class="math">about x^2 and all that</i></p>'
        )
    )
    assert left.math_nodes == 0


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
