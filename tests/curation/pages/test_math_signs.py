r"""The second count sees formulas in every markup, those that nothing reads among them, and none where none is."""

# ruff: noqa: E501  markup stays on one line

import time

import lxml.html
import pytest

from nemo_lab.curation import extract_html
from nemo_lab.curation.pages import math_signs
from nemo_lab.curation.pages.math_signs import Evidence, count, in_element
from nemo_lab.studies.math_extraction import format_matrix
from tests.curation.made_pages import page

TWO = {
    "MathML": "<math><mi>x</mi></math> and <m:math><m:mi>y</m:mi></m:math>",
    "MathJax 2": '<span class="MathJax_Preview"></span><span class="MathJax" id="e1"><nobr>x</nobr></span><script type="math/tex">x</script> and <span class="MathJax_Preview"></span><span class="MathJax"><nobr>y</nobr></span><script type="math/tex">y</script>',
    "MathJax 3": '<mjx-container class="MathJax CtxtMenu_Attached_0" jax="CHTML"><mjx-math class="MJX-TEX"><mjx-mi><mjx-c class="mjx-c1D465"></mjx-c></mjx-mi></mjx-math><mjx-assistive-mml><math><mi>x</mi></math></mjx-assistive-mml></mjx-container> and <mjx-container><svg><g data-mml-node="math"></g></svg></mjx-container>',
    "KaTeX": '<span class="katex"><span class="katex-mathml"><math><mi>x</mi></math></span><span class="katex-html" aria-hidden="true">x</span></span> and <span class="katex-display"><span class="katex"><span class="katex-html">y</span></span></span>',
    "CSDN": '<span class="katex--inline"><span class="katex"><span class="katex-mathml">x^2</span></span></span> and <span class="katex--display">y</span>',
    "Wikipedia": '<span class="mwe-math-element"><span class="mwe-math-mathml-inline"><math><mi>x</mi></math></span><img src="https://wikimedia.org/api/rest_v1/media/math/render/svg/abc" class="mwe-math-fallback-image-inline" alt="x"></span> and <span class="mwe-math-element"><math></math></span>',
    "delimiters": r"\(x\) and \[ y <br> = 2 \]",
    "dollars": "$x$ and $$y = 2$$",
    "Codeforces": "$$$n$$$ and $$$$$$y^2$$$$$$",
    "forum": "[tex]x[/tex] and [itex]y[/itex]",
    "PhysicsForums": r"##E = m c^2## and ##v \ll c##",
    "environments": r"\begin{equation} x \end{equation} and \begin{align*} y \end{align*}",
    "entities": "&#92;(x&#92;) and &dollar;y&dollar;",
    "images": r'<img src="https://latex.codecogs.com/gif.latex?x"> and <img class="equation_image" src="/equation_images/y" alt="LaTeX: y">',
    "WordPress": '<img src="https://s0.wp.com/latex.php?latex=x" class="latex"> and <img data-lazy-src="https://s0.wp.com/latex.php?latex=y" src="data:,"><noscript><img src="https://s0.wp.com/latex.php?latex=y"></noscript>',
    "MathWorld": '<img src="/images/equations/A/Inline1.svg" class="inlineformula" alt="x"> and <img class="numberedequation" src="/images/equations/A/NumberedEquation1.svg" alt="y">',
    "data attributes": r'<span data-latex="x"></span> and <div class="latex-rendered" data-attrs="{&quot;persistentExpression&quot;:&quot;y&quot;}"></div>',
    "Word": "<!--[if gte msEquation 12]><m:oMathPara><m:oMath><m:r><m:t>x</m:t></m:r></m:oMath></m:oMathPara><![endif]--> and <m:oMath><m:r>y</m:r></m:oMath>",
    "AsciiMath": '<script src="MathJax.js?config=AM_CHTML-full,asciimath"></script>`x^2` and `y`',
    "Socratic": "<mathjax>#x^2#</mathjax> and <mathjax>#y#</mathjax>",
    "SVG": r'<svg aria-label="\frac{x}{2}"><path/></svg> and <svg><g data-mml-node="math"></g></svg>',
    "Sphinx images": '<div class="math"><p><img src="math/a.png" alt="x^{2}"></p></div> and <img class="math" src="b.png" alt="y">',
    "mjpage": '<span class="mjpage"><svg><title>x</title></svg></span> and <span class="mjx-chtml"><span class="mjx-math" aria-label="y">y</span></span>',
}


@pytest.mark.parametrize("name", TWO)
def test_two_formulas_are_two_signs(name: str) -> None:
    assert count(f"<p>Here {TWO[name]} stand.</p>").formulas == 2


NONE = {
    "prices": "<p>It costs $5 a month or $50 a year; US$ 3.20, $1,000–$2,000 and $5-$10 are usual, [tex] is not.</p>",
    "shell": "<p>Set $PATH and $HOME, then run echo $$ &gt; pid; kill $$ and sed 's/\\(foo\\)/\\1/' \\[file\\]; x=1; $a$b ${c}$d</p>",
    "shell block": "<pre>echo $x^2$ \\(a\\) $$y=1$$</pre><p>and <code>$x_1$</code></p>",
    "C": '<p>for (i = 0; i &lt; n; i++) printf("%d\\n", a[i]); a ^= b;</p>',
    "Perl": '<p>my $x = $y; $h{a}[0] = $$ref; print "$x\\n" if /^$x\\d+$/;</p>',
    "words": '<p>The MathJax library, KaTeX and LaTeX; a text on math.</p><div class="content text-math-less">x</div>',
    "scripts": "<script>MathJax = {tex: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']]}}; s = '<math>';</script><p>Text.</p>",
    "comments": "<!-- \\(x^2\\) <math> --><p>Text.</p>",
    "menu": '<div id="MathJax_Message"></div><div class="MathJax_Menu">x</div>',
    "social": "<p>## Heading ## and # one</p>",
    "table of prices": "<table><tr><td>$5</td><td>$10</td></tr><tr><td>a</td><td>$20</td></tr></table>",
}


@pytest.mark.parametrize("name", NONE)
def test_no_mathematics_is_no_sign(name: str) -> None:
    body = NONE[name]
    assert count(page(body)).formulas == 0
    assert not extract_html(page(f"<p>Words of prose stand round it.</p>{body}")).losses.suspected


def test_pages_whose_formulas_come_through_are_not_suspected() -> None:
    for known in format_matrix.matrix_pages(False, 1):
        losses = extract_html(known.html).losses
        assert not losses.suspected, (known.manual, losses.sentence())
        assert losses.math_signs >= 0.8 * losses.math_nodes


LOST = [
    '<span data-formula-source="\\frac{a}{b}"></span>',
    '<span data-math-content="x^2"></span>',
    '<span class="unknown-renderer" data-latex-src="\\frac{a}{b}" aria-label="\\frac{a}{b}"><b>a b</b></span>',
    "<x-math><math-field>\\frac{a}{b}</math-field></x-math>",
    '<inline-formula><tex-math id="M1">\\documentclass{minimal}</tex-math></inline-formula>',
]


@pytest.mark.parametrize("formula", LOST)
def test_a_formula_that_nothing_reads_is_suspected(formula: str) -> None:
    losses = extract_html(page(f"<p>Words before {formula} and behind.</p>")).losses
    if losses.math_spans == 0:
        assert losses.suspected
        assert losses.sentence().endswith("formulas suspected lost (the raw page shows signs of 1)")


def test_when_counts_disagree() -> None:
    assert Evidence(1).disagrees(0, "")
    assert not Evidence(2).disagrees(1, "")
    assert Evidence(3).disagrees(1, "")
    assert not Evidence(100).disagrees(80, "")
    assert Evidence(100).disagrees(79, "")
    assert not Evidence(0).disagrees(5, "")
    assert Evidence(0, 4).disagrees(0, "∑")
    assert not Evidence(0, 4).disagrees(0, "∑ ∫ √ ∞")
    assert not Evidence().disagrees(0, "")


def test_characters_of_mathematics_that_vanish_are_suspected() -> None:
    assert count("<p>&sum; &int; ∞ x</p>") == Evidence(0, 3)
    assert count("<pre>&sum; ∞</pre>").symbols == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("&#36;x&#36;", (1, 0)),
        ("&#x24;x&dollar;", (1, 0)),
        ("&#92;(x&#X5C;)", (1, 0)),
        ("&#35;&#35;E = m c^2&#35;&#35;", (1, 0)),
        ("[m&#97;th]x^2[/math]", (1, 0)),
        (r"\begin{align} x \end{align} &#8212;", (1, 0)),
        ("[eqn]x^2[/eqn] &#8212;", (1, 0)),
        ("&#8721; &sum;", (0, 2)),
        ("&#8704 x", (0, 1)),
    ],
)
def test_what_only_an_entity_says_is_seen(text: str, expected: tuple[int, int]) -> None:
    assert count(f"<p>{text}</p>") == Evidence(*expected)


def test_a_page_whose_entities_say_nothing_of_formulas_is_not_walked_over(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    monkeypatch.setattr(math_signs, "_walk", lambda page, kinds: walked.append(page) or [])
    assert count("<h1 id='a'>A &#8212; B [1]<a href='#a'>&#182;</a></h1>") == Evidence()
    assert walked == []
    count("<p>&#8721;</p>")
    assert len(walked) == 1


def test_an_element_is_counted_like_a_page() -> None:
    assert (
        in_element(lxml.html.fragments_fromstring(r"<div>\(x\) &lt; <span class='katex'>y</span></div>tail \(z\)")[0])
        == 2
    )


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<math>",
        '<p class="math',
        "<span class='math'>",
        r"\(",
        "$$",
        "<!--",
        "<!-- -->",
        "`x",
        "$x ",
        "##",
        "<b a=\"'",
        "<pre>",
    ],
)
def test_hostile_pages_take_linear_time(piece: str) -> None:
    start = time.process_time()
    count(f"<p>asciimath ∑ {piece * (400_000 // len(piece))}")
    assert time.process_time() - start < 5
