"""What KaTeX drew without a source is read off its spans, pictures by how their paths begin."""

# ruff: noqa: E501  markup stays on one line

import json
import re
from pathlib import Path

import lxml.html
import pytest

from nemo_lab.curation.formulas.katex import mathml_of
from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.curation.formulas.tree import UnreadableError
from nemo_lab.studies.math_extraction import format_matrix
from nemo_lab.studies.math_extraction.same_formula import normal_form

RENDERINGS = json.loads(Path(__file__).with_name("renderings.json").read_text(encoding="utf-8"))


def latex(markup: str) -> str:
    return to_latex(mathml_of(lxml.html.fromstring(f"<div>{markup}</div>")))


@pytest.mark.parametrize("row", RENDERINGS, ids=lambda row: row["tex"])
def test_formulas_are_read_off_their_spans(row: dict[str, str]) -> None:
    expected = row["tex"].replace(r"\perp", r"\bot")  # one character
    assert normal_form(latex(row["KaTeX 0.16.11"])) == normal_form(expected)


def test_nearly_all_formulas_of_two_manuals_are_read_off_katex_0_19() -> None:
    rows = format_matrix.rendered("KaTeX")
    bare = [(tex, re.sub(r'<span class="katex-mathml">.*?</math></span>', "", html)) for tex, html in rows]
    assert not any("annotation" in html for _, html in bare)
    right = sum(normal_form(latex(html)) == normal_form(tex) for tex, html in bare)
    assert right >= 0.97 * len(rows)


def row(top: float, inside: str) -> str:
    return f'<span style="top:{top}em;"><span class="pstrut" style="height:3em;"></span>{inside}</span>'


def rows(*inside: str) -> str:
    return f'<span class="vlist-t"><span class="vlist-r"><span class="vlist" style="height:1em;">{"".join(inside)}</span></span></span>'


X, TWO = '<span class="mord mathnormal">x</span>', '<span class="mord">2</span>'
PATH = '<svg viewBox="0 0 1 1"><path d="{}"></path></svg>'
SPANS = {
    "upper script": (f'<span class="mord">{X}<span class="msupsub">{rows(row(-3.4, TWO))}</span></span>', "x^{2}"),
    "lower script": (f'<span class="mord">{X}<span class="msupsub">{rows(row(-2.8, TWO))}</span></span>', "x_{2}"),
    "script of a word": (
        f'<span class="mord">{X}<span class="msupsub">{rows(row(-2.8, "<span class=text><span class=mord>perf</span></span>"))}</span></span>',
        r"x_{\text{perf}}",
    ),
    "letters that stand together": ('<span class="mord mathnormal">ab</span>', "ab"),
    "function": ('<span class="mop">sin</span>' + X, r"\sin x"),
    "upright letter": ('<span class="mord mathrm">d</span>' + X, r"\mathrm{d}x"),
    "box": (
        f'<span class="mord">{rows(row(-3.1, f"<span class=boxpad>{X}</span>"), row(-2.8, "<span class=fbox></span>"))}</span>',
        r"\boxed{x}",
    ),
    "stroke": (f'<span class="mord">{rows(row(-3, X), row(-2.8, "<svg><line></line></svg>"))}</span>', r"\cancel{x}"),
    "not equal": ('<span class="mrel"><span class="mord vbox">\ue020</span>=</span>', r"\neq"),
    "not in": ('<span class="mrel"><span>∈</span><span>/</span></span>', r"\notin"),
    "negated": ('<span class="mrel"><span class="mord">\ue020</span></span><span class="mrel">≡</span>', r"\not\equiv"),
    "arrow with a text": (
        f'<span class="mrel x-arrow">{rows(row(-3.3, X), row(-2.7, PATH.format("M0 241v40h399891c-47.3")).replace("<span style", "<span class=svg-align style"))}</span>',
        r"\overset{x}{\rightarrow}",
    ),
    "wide hat": (
        f'<span class="mord accent">{rows(row(-3, X), row(-3.5, PATH.format("M529 0h5l519 115c5")))}</span>',
        r"\hat{x}",
    ),
    "tall bracket": (
        f'<span class="mopen"><span class="delimsizing mult">{PATH.format("M319 602 V0 H403 V602 v0 v1715 h263 v84 H319z")}</span></span>',
        r"\lfloor",
    ),
    "tag of an equation": (f'{X}<span class="tag"><span class="eqn-num">(1)</span></span>', "x"),
}


@pytest.mark.parametrize("name", SPANS)
def test_spans(name: str) -> None:
    markup, expected = SPANS[name]
    assert latex(markup).strip() == expected


UNREADABLE = {
    "nothing": '<span class="base"><span class="strut"></span></span>',
    "an unknown picture": f'{X}<span class="delimsizing mult">{PATH.format("M1 1h5")}</span>',
    "a sign of the font's own": '<span class="mord">\ue123</span>',
    "rows that nothing calls for": f'<span class="mord">{rows(row(-3, X), row(-2, TWO))}</span>',
    "a script without rows": f'<span class="mord">{X}<span class="msupsub"></span></span>',
    "a script with empty rows": f'<span class="mord">{X}<span class="msupsub">{rows("<span></span>")}</span></span>',
    "many scripts": f'<span class="mord">{X}{2 * f"<span class=msupsub>{rows(row(-3.4, TWO))}</span>"}</span>',
    "too deep": '<span class="mord">' * 300 + X + "</span>" * 300,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_known_is_not_guessed(name: str) -> None:
    with pytest.raises(UnreadableError):
        latex(UNREADABLE[name])
