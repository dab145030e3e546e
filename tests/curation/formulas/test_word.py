"""Word's formulas become LaTeX, plain and out of its comments, and the picture beside a formula goes."""

# ruff: noqa: E501  markup stays on one line

import lxml.etree
import pytest

from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.curation.formulas.tree import UnreadableError, tag_of
from nemo_lab.curation.formulas.word import mathml_of, uncommented
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page


def run(text: str, properties: str = "") -> str:
    return f"<m:r>{properties and f'<m:rPr>{properties}</m:rPr>'}<m:t>{text}</m:t></m:r>"


def latex(inside: str) -> str:
    root = lxml.etree.fromstring(f"<p><m:oMath>{inside}</m:oMath></p>", lxml.etree.HTMLParser())
    return to_latex(mathml_of(next(element for element in root.iter() if tag_of(element) == "omath")))


PLAIN = '<m:sty m:val="p"/>'
STRUCTURES = {
    "fraction": (f"<m:f><m:num>{run('a+1')}</m:num><m:den>{run('b')}</m:den></m:f>", r"\frac{a+1}{b}"),
    "linear fraction": (
        f'<m:f><m:fPr><m:type m:val="lin"/></m:fPr><m:num>{run("a")}</m:num><m:den>{run("b")}</m:den></m:f>',
        "a/b",
    ),
    "power": (f"{run('E=m')}<m:sSup><m:e>{run('c')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>", "E=mc^{2}"),
    "both scripts": (
        f"<m:sSubSup><m:e>{run('x')}</m:e><m:sub>{run('i')}</m:sub><m:sup>{run('2')}</m:sup></m:sSubSup>",
        "x_{i}^{2}",
    ),
    "scripts before": (
        f"<m:sPre><m:sub>{run('1')}</m:sub><m:sup>{run('2')}</m:sup><m:e>{run('F')}</m:e></m:sPre>",
        "{}_{1}^{2}F",
    ),
    "sum": (
        f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("i=1")}</m:sub><m:sup>{run("n")}</m:sup><m:e>{run("i")}</m:e></m:nary>',
        r"\sum_{i=1}^{n}i",
    ),
    "integral by default": (
        f"<m:nary><m:sub>{run('0')}</m:sub><m:sup>{run('1')}</m:sup><m:e>{run('x')}</m:e></m:nary>",
        r"\int_{0}^{1}x",
    ),
    "square root": (
        f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e>{run("x")}</m:e></m:rad>',
        r"\sqrt{x}",
    ),
    "cube root": (f"<m:rad><m:deg>{run('3')}</m:deg><m:e>{run('x')}</m:e></m:rad>", r"\sqrt[3]{x}"),
    "brackets by default": (f"{run('f')}<m:d><m:e>{run('x')}</m:e></m:d>", "f(x)"),
    "matrix": (
        '<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val="]"/></m:dPr><m:e><m:m>'
        f"<m:mr><m:e>{run('a')}</m:e><m:e>{run('b')}</m:e></m:mr><m:mr><m:e>{run('c')}</m:e><m:e>{run('d')}</m:e></m:mr></m:m></m:e></m:d>",
        r"\begin{bmatrix}a & b \\ c & d\end{bmatrix}",
    ),
    "cases": (
        f'<m:d><m:dPr><m:begChr m:val="{{"/><m:endChr m:val=""/></m:dPr><m:e><m:eqArr><m:e>{run("x")}</m:e><m:e>{run("y")}</m:e></m:eqArr></m:e></m:d>',
        r"\begin{cases}x \\ y\end{cases}",
    ),
    "function": (f"<m:func><m:fName>{run('sin', PLAIN)}</m:fName><m:e>{run('θ')}</m:e></m:func>", r"\sin\theta"),
    "limit": (
        f"<m:limLow><m:e>{run('lim', PLAIN)}</m:e><m:lim>{run('n→∞')}</m:lim></m:limLow>",
        r"\lim_{n\rightarrow\infty}",
    ),
    "hat by default": (f"<m:acc><m:e>{run('x')}</m:e></m:acc>", r"\hat{x}"),
    "bar": (f'<m:bar><m:barPr><m:pos m:val="top"/></m:barPr><m:e>{run("y")}</m:e></m:bar>', r"\bar{y}"),
    "brace below": (f"<m:groupChr><m:e>{run('a+b')}</m:e></m:groupChr>", r"\underbrace{a+b}"),
    "box": (f"<m:borderBox><m:e>{run('x')}</m:e></m:borderBox>", r"\boxed{x}"),
    "words": (run("if x", "<m:nor/>"), r"\text{if x}"),
    "alphabet": (run("R", '<m:scr m:val="double-struck"/>'), r"\mathbb{R}"),
    "as Word writes pages": (
        '<m:sSub><m:sSubPr><span style="x"><m:ctrlPr></m:ctrlPr></span></m:sSubPr><m:e><i><span lang=EN><m:r>k</m:r></span></i></m:e>'
        "<m:sub><i><span><m:r>m</m:r></span></i></m:sub></m:sSub>",
        "k_{m}",
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    markup, expected = STRUCTURES[name]
    assert latex(markup) == expected


def test_an_empty_or_bottomless_formula_is_unreadable() -> None:
    for inside in ("", "<m:r></m:r>", "<m:f><m:num>" * 100 + run("x")):
        with pytest.raises(UnreadableError):
            latex(inside)


PICTURE = "<![if !msEquation]><span><!--[if gte vml 1]><v:shape/><![endif]--><![if !vml]><img src=a.gif alt='x^2'><![endif]></span><![endif]>"


def test_a_formula_comes_out_of_its_comment_and_its_picture_goes() -> None:
    text = f"A <!--[if gte msEquation 12]><m:oMath><m:r>k</m:r></m:oMath><![endif]-->{PICTURE} B"
    assert uncommented(text) == "A <m:oMath><m:r>k</m:r></m:oMath> B"
    prepared = prepare(page(f"<p>{text}</p>"))
    assert [held.content for held in prepared.shelf.held] == ["k"]
    assert prepared.forms == {"Word": 1}


def test_a_paragraph_of_its_own_is_display() -> None:
    prepared = prepare(page("<m:oMathPara><m:oMath><m:r>k</m:r></m:oMath></m:oMathPara>"))
    assert [(held.kind, held.content) for held in prepared.shelf.held] == [("d", "k")]


@pytest.mark.parametrize(
    "text",
    [
        "no <!--[if IE]>x<![endif]--> condition of equations",
        "<!--[if gte mso 9]><xml></xml><![endif]--> and <![if !supportLists]>1.<![endif]>",
        "an open <![if !msEquation]> hides nothing",
    ],
)
def test_other_conditions_stay(text: str) -> None:
    assert uncommented(text) == text


def test_mathml_in_the_comment_is_read() -> None:
    prepared = prepare(page(f"<!--[if gte msEquation 12]><math><mi>x</mi></math><![endif]-->{PICTURE}"))
    assert [held.content for held in prepared.shelf.held] == ["x"]


def test_a_lost_formula_is_counted_and_marked() -> None:
    prepared = prepare(page("<p>A <m:oMath></m:oMath> B</p>"))
    assert (prepared.math_nodes, prepared.shelf.held) == (1, [])
    assert "A [formula] B" in prepared.html
