"""Images that are formulas say so in a text, an attribute or their address, once; others are pictures."""

# ruff: noqa: E501  markup stays on one line

import re

import lxml.html
import pytest

from nemo_lab.curation.formulas.images import CLASS, address_of, drop_copies, image_formula, text_of
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page


def held(body: str) -> list[tuple[str, str]]:
    return [(one.kind, one.content) for one in prepare(page(body)).shelf.held]


IMAGES = {
    "Habr, inline": ('<img src="a.svg" alt="$inline$x^2$inline$" data-tex="inline">', "i", "x^2"),
    "Habr, display": ('<img src="a.svg" alt="$$display$$y^2$$display$$" data-tex="display">', "d", "y^2"),
    "a host that is none": ('<img src="https://a]b/latex.php?latex=x%5E2">', "i", "x^2"),
    "a host of other signs": ('<img src="https://a℀b/latex.php?latex=x%5E2">', "i", "x^2"),
    "MathURL": (r'<img src="http://mathurl.com/render.cgi?x%5E2%5Cnocache">', "i", "x^2"),
    "Canvas": (
        r'<img class="equation_image" title="\frac{x}{2}=1" src="/equation_images/%255Cfrac?scale=1" alt="LaTeX: \frac{x}{2}=1" data-equation-content="\frac{x}{2}=1">',
        "i",
        r"\frac{x}{2}=1",
    ),
    "Canvas, text only": ('<img class="equation_image" alt="LaTeX: x_i">', "i", "x_i"),
    "Canvas, address only": (
        '<img class="equation_image" src="/equation_images/%255Cfrac%257B1%257D%257B2%257D">',
        "i",
        r"\frac{1}{2}",
    ),
    "Canvas, a word": (
        '<img class="equation_image" title="Log_216" src="/equation_images/Log_216" alt="Log_216">',
        "i",
        "Log_216",
    ),
    "codecogs, inline": (
        r'<img src="https://latex.codecogs.com/gif.latex?\inline&space;x^2&plus;\frac{1}{2}">',
        "i",
        r"x^2+\frac{1}{2}",
    ),
    "codecogs, size": (r'<img src="https://latex.codecogs.com/svg.image?\large&space;a&plus;b=c" />', "i", "a+b=c"),
    "codecogs, ground and font": (
        r'<img src="http://latex.codecogs.com/gif.latex?\dpi{120}&space;\bg_white&space;\fn_jvn&space;x_1">',
        "i",
        "x_1",
    ),
    "codecogs, coded": (
        '<img src="https://latex.codecogs.com/svg.latex?%5CLarge%20x%3D%5Cfrac%7B1%7D%7B2%7D">',
        "i",
        r"x=\frac{1}{2}",
    ),
    "codecogs, title": (
        r'<img src="https://latex.codecogs.com/gif.latex?\inline&space;\hat{u}_{j|i}" title="\hat{u}_{j|i}">',
        "i",
        r"\hat{u}_{j|i}",
    ),
    "codecogs, linked copy": (
        '<a href="https://www.codecogs.com/eqnedit.php?latex=%20x%5E2#0"><img src="https://lh3.example.com/abc"></a>',
        "i",
        "x^2",
    ),
    "GitHub": ('<img src="https://render.githubusercontent.com/render/math?math=e%5E%7Bi%5Cpi%7D">', "i", r"e^{i\pi}"),
    "upmath": ('<img src="https://i.upmath.me/svg/x%5E2">', "i", "x^2"),
    "math.now": ('<img src="https://math.now.sh?from=x%5E3">', "i", "x^3"),
    "Google's charts": ('<img src="https://chart.googleapis.com/chart?cht=tx&chl=x_0">', "i", "x_0"),
    "WordPress": (
        '<img class="latex" src="https://s0.wp.com/latex.php?latex=x%5E2&#038;bg=ffffff" alt="x^2">',
        "i",
        "x^2",
    ),
    "Zhihu": ('<img src="https://www.zhihu.com/equation?tex=x%5E2" alt="x^2" eeimg="1">', "i", "x^2"),
    "Zhihu, display": (r'<img src="https://www.zhihu.com/equation?tex=y" alt="y \\" eeimg="2">', "d", "y"),
    "AoPS": ('<img class="latex" src="//latex.artofproblemsolving.com/a/b.png" alt="$n - 1$">', "i", "n - 1"),
    "AoPS, display": (
        r'<img class="latexcenter" src="//latex.artofproblemsolving.com/a/b.png" alt="\[x^2\]">',
        "d",
        "x^2",
    ),
    "Moodle": ('<img class="texrender" title="x^2" alt="x^2" src="/filter/tex/pix.php/a.gif">', "i", "x^2"),
    "Sphinx": (r'<img class="math" src="_images/math/abc.png" alt="\sqrt{x}">', "i", r"\sqrt{x}"),
    "MathWorld": (
        '<img src="/images/equations/X/Inline1.svg" class="inlineformula" alt="x^2+y^2=1">',
        "i",
        "x^{2}+y^{2}=1",
    ),
    "MathWorld, number set": ('<img class="inlineformula" alt="{x_i}">', "i", r"\{x_{i}\}"),
    "MathWorld, numbered": ('<img class="numberedequation" alt="sum_(k=1)^nk^2">', "d", r"\sum_{k=1}^{n}k^{2}"),
    "MathWorld, integral": ('<img class="displayformula" alt="int_a^bf(x)dx">', "d", r"\int_{a}^{b}f(x)dx"),
    "Wikipedia, image alone": (
        r'<img class="mwe-math-fallback-image-inline" alt="{\displaystyle x^{2}}" src="https://wikimedia.org/api/rest_v1/media/math/render/svg/a">',
        "i",
        "x^{2}",
    ),
    "a role": ('<img role="math" alt="n" src="a.png">', "i", "n"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    markup, kind, latex = IMAGES[name]
    assert held(f"<p>See {markup} here.</p>") == [(kind, latex)]


LAZY = '<img class="latex lazyload" src="data:image/svg+xml,%3Csvg%3E" data-lazy-src="https://s0.wp.com/latex.php?latex=x%5E2" alt="x^2">'
PLAIN = '<img class="latex" src="https://s0.wp.com/latex.php?latex=x%5E2" alt="x^2">'
COPIES = {
    "copy behind": f"{LAZY}<noscript>{PLAIN}</noscript>",
    "copy before": f"<noscript>{PLAIN}</noscript> {LAZY}",
    "no texts": '<img data-src="https://s0.wp.com/latex.php?latex=x%5E2" src="data:image/gif;base64,R"><noscript><img src="https://s0.wp.com/latex.php?latex=x%5E2"></noscript>',
    "nothing but the copy": f'<img class="lazyload" src="data:image/gif;base64,R"><noscript>{PLAIN}</noscript>',
    "text for screen readers": '<img class="equation_image" data-equation-content="x^2" alt=""><span class="hidden-readable"><math><mi>x</mi></math></span>',
    "only a noscript": f"<noscript>{PLAIN}</noscript>",
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_no_second_formula(name: str) -> None:
    assert held(f"<p>Here {COPIES[name]} is a square.</p>") == [("i", "x^2")]


def test_two_formulas_beside_each_other_are_two() -> None:
    other = PLAIN.replace("x^2", "y").replace("x%5E2", "y")
    assert held(f"<p>{LAZY}<noscript>{PLAIN}</noscript>{other}</p>") == [("i", "x^2"), ("i", "y")]
    assert held(f"<p>{PLAIN} and <noscript>{other}</noscript></p>") == [("i", "x^2"), ("i", "y")]


@pytest.mark.parametrize(
    "image",
    [
        '<img src="/math/building.jpg" alt="Photo of the building">',
        '<img src="p.png" alt="A plot of x^2 over the line">',
        '<img src="a.png" alt="$5">',
        '<img src="a.png">',
        '<img class="text-center" alt="x" src="a.png">',
    ],
)
def test_pictures_are_none(image: str) -> None:
    assert prepare(page(f"<p>{image}</p>")).math_nodes == 0


@pytest.mark.parametrize(
    "image",
    [
        '<img class="equation" src="e.png" alt="the quadratic formula for its roots">',
        '<img class="formula" src="e.png">',
        '<span class="inline-formula"><img class="inline-graphic" src="e001"></span>',
        '<span class="equation"><a href="e"><img src="e002"></a> (2.1)</span>',
        '<inline-formula><img src="e.gif"></inline-formula>',
    ],
)
def test_a_formula_that_only_an_image_shows_is_counted_and_marked(image: str) -> None:
    prepared = prepare(page(f"<p>So {image} holds.</p>"))
    assert (prepared.math_nodes, prepared.shelf.held) == (1, [])
    assert re.search(r"So \[formula\](?: \(2.1\))? holds\.", re.sub("<[^>]+>", "", prepared.html))


def test_the_parts_of_an_image() -> None:
    image = lxml.html.fromstring('<img alt="TeX: y" data-lazy-src="b.png" src="a.png">')
    assert (text_of(image), address_of(image)) == ("y", "b.png")
    assert image_formula(image) is None
    assert CLASS.search("post-equation")
    assert not CLASS.search("mathew")
    root = lxml.html.fromstring("<div><noscript>x</noscript></div>")
    drop_copies(root)
    assert len(root) == 1
