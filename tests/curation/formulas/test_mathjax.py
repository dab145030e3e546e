"""What MathJax drew is read off its boxes and glyphs, and what cannot be read off is not guessed."""

# ruff: noqa: E501  markup stays on one line

import json
import re
from pathlib import Path

import lxml.html
import pytest

from nemo_lab.curation.formulas.mathjax import mathml_of, name_of
from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.curation.formulas.tree import UnreadableError
from nemo_lab.studies.math_extraction import format_matrix
from nemo_lab.studies.math_extraction.same_formula import normal_form

# Twelve formulas as these versions write them, without addresses, sizes and most of the paths; no source is left.
RENDERINGS = json.loads(Path(__file__).with_name("renderings.json").read_text(encoding="utf-8"))
KINDS = ("MathJax 3.2.2 CHTML", "MathJax 3.2.2 SVG", "mathjax-node 2.1.1 CHTML")
FONT_IS_NOT_SAID = ("MathJax 3.2.2 SVG", r"f''(x)=\mathcal{L}")


def latex(markup: str) -> str:
    return to_latex(mathml_of(lxml.html.fromstring(f"<div>{markup}</div>")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", RENDERINGS, ids=lambda row: row["tex"])
def test_formulas_are_read_off_their_glyphs(row: dict[str, str], kind: str) -> None:
    expected = row["tex"].replace(r"\perp", r"\bot")  # one character
    if (kind, row["tex"]) == FONT_IS_NOT_SAID:
        expected = "f''(x)=L"
    assert normal_form(latex(row[kind])) == normal_form(expected)


def test_nearly_all_formulas_of_two_manuals_are_read_off_mathjax_4() -> None:
    """The others differ in what a rendering does not say: an environment in another, what a font is put round."""
    rows = format_matrix.rendered("MathJax 4")
    bare = [
        (tex, re.sub(r' data-latex="[^"]*"|<mjx-assistive-mml.*?</mjx-assistive-mml>', "", html)) for tex, html in rows
    ]
    right = sum(normal_form(latex(html)) == normal_form(tex) for tex, html in bare)
    assert right >= 0.97 * len(rows)


def glyph(name: str, code: str, font: str = "", kind: str = "mjx-i") -> str:
    return f'<mjx-{name} class="{kind}"><mjx-c class="mjx-c{code} {font}"></mjx-c></mjx-{name}>'


X, TWO = glyph("mi", "1D465", "TEX-I"), glyph("mn", "32", kind="mjx-n")
BOXES = {
    "older letters": (glyph("mi", "78", "TEX-I"), "x"),
    "upright": (X + glyph("mi", "64", kind="mjx-n"), r"x\mathrm{d}"),
    "calligraphic": (glyph("mi", "4C", "TEX-C", "mjx-cal mjx-i"), r"\mathcal{L}"),
    "blackboard": (glyph("mi", "211D", "TEX-A"), r"\mathbb{R}"),
    "unknown to the font": ("<mjx-mtext><mjx-utext>数</mjx-utext></mjx-mtext>", r"\text{数}"),
    "tall bracket": (
        '<mjx-mo><mjx-stretchy-v class="mjx-c7B"><mjx-beg><mjx-c></mjx-c></mjx-beg></mjx-stretchy-v></mjx-mo>',
        r"\{",
    ),
    "limits beside": (
        f'<mjx-munderover limits="false">{glyph("mo", "2211")}<mjx-script>{TWO}<mjx-spacer></mjx-spacer>{X}</mjx-script></mjx-munderover>',
        r"\sum_{x}^{2}",
    ),
    "fraction without a bar": (
        f"<mjx-mfrac><mjx-frac><mjx-num>{X}</mjx-num><mjx-den>{TWO}</mjx-den></mjx-frac></mjx-mfrac>",
        r"{x \atop 2}",
    ),
    "struck": (f"<mjx-menclose><mjx-box>{X}</mjx-box><mjx-ustrike></mjx-ustrike></mjx-menclose>", r"\cancel{x}"),
    "SVG, lower before upper": (
        '<svg><g data-mml-node="msubsup"><g data-mml-node="mi"><path data-c="1D465"></path></g>'
        '<g data-mml-node="mn" transform="translate(605,-247) scale(0.707)"><path data-c="31"></path></g>'
        '<g data-mml-node="mn" transform="translate(605,363) scale(0.707)"><path data-c="32"></path></g></g></svg>',
        "x_{1}^{2}",
    ),
    "SVG with fonts in links": (
        '<svg><g data-mml-node="mi"><use data-c="4C" xlink:href="#MJX-1-TEX-C-4C"></use></g></svg>',
        r"\mathcal{L}",
    ),
}


@pytest.mark.parametrize("name", BOXES)
def test_boxes_and_glyphs(name: str) -> None:
    markup, expected = BOXES[name]
    assert latex(markup) == expected


UNREADABLE = {
    "nothing": "<mjx-math></mjx-math>",
    "a glyph without a code": "<mjx-mi><mjx-c></mjx-c></mjx-mi>",
    "a glyph of the font's own": glyph("mi", "E200"),
    "an error": "<mjx-merror><mjx-mtext><mjx-utext>Missing }</mjx-utext></mjx-mtext></mjx-merror>",
    "a fraction without its half": f"<mjx-mfrac><mjx-num>{X}</mjx-num></mjx-mfrac>",
    "a code of no character": glyph("mi", "FFFFFF"),
    "too deep": "<mjx-mrow>" * 200 + X + "</mjx-mrow>" * 200,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    with pytest.raises(UnreadableError):
        latex(UNREADABLE[name])


def test_boxes_are_named_in_three_ways() -> None:
    div = lxml.html.fromstring(
        '<div><mjx-mi></mjx-mi><g data-mml-node="TeXAtom"></g><span class="a mjx-mrow"></span><b class="mjx-mi"></b></div>'
    )
    assert list(map(name_of, div)) == ["mi", "texatom", "mrow", ""]
