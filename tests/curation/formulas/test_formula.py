"""LaTeX out of what stands round it, and what looks like LaTeX."""

import lxml.html
import pytest

from nemo_lab.curation.formulas.formula import (
    Formula,
    is_prose,
    is_symbols,
    is_tex,
    parsed,
    read,
    source_of,
    unwrapped,
)
from nemo_lab.curation.formulas.tree import UnreadableError, mathml


@pytest.mark.parametrize(
    ("wrapped", "latex"),
    [
        ("$x$", "x"),
        (r"\[ x \]", "x"),
        (r"{\displaystyle x^2}", "x^2"),
        (r"\begin{equation*}x\end{equation*}", "x"),
        (r"\begin{displaymath} x \end{displaymath}", "x"),
        ("<![CDATA[x]]>", "x"),
        ("% <![CDATA[\nx %]]>", "x"),
        (r"\documentclass{a}\usepackage{b}\begin{document}$$x^2$$\end{document}", "x^2"),
        ("x", "x"),
    ],
)
def test_wrappers(wrapped: str, latex: str) -> None:
    assert unwrapped(wrapped) == latex


def test_looks() -> None:
    assert is_tex(r"\frac{a}{b}")
    assert is_tex("x^2")
    assert is_tex("$n - 1$")
    assert not is_tex("a plot")
    assert not is_tex("the value of x^2 over the line")
    assert is_prose("the whole line")
    assert not is_prose("sin x")
    assert not is_prose(r"\alpha\beta\gamma\delta")
    assert is_symbols("n - 1")
    assert is_symbols("(a, b)")
    assert not is_symbols("some words")
    assert not is_symbols(" ")


@pytest.mark.parametrize(
    ("markup", "latex"),
    [
        ('<math><mi>x</mi><annotation encoding="application/x-tex">y</annotation></math>', "y"),
        ('<math data-latex="z"><mi>x</mi></math>', "z"),
        ('<math alttext="x^2"><msup><mi>x</mi><mn>2</mn></msup></math>', "x^2"),
        ('<math alttext="x squared"><msup><mi>x</mi><mn>2</mn></msup></math>', "x^{2}"),
        (r"<math>\frac{a}{b}</math>", r"\frac{a}{b}"),
        ("<math>x</math>", "x"),
        (
            '<math><mi>x</mi><annotation encoding="latex">{"version":"1.1","math":"a^2"}</annotation></math>',
            "a^2",
        ),
        ('<math><mi>x</mi><annotation encoding="latex">{"a","b"}</annotation></math>', '{"a","b"}'),
    ],
)
def test_sources(markup: str, latex: str) -> None:
    assert source_of(lxml.html.fromstring(markup)) == latex
    assert parsed(markup) == latex


def test_markup_that_is_none_or_too_much_has_no_latex() -> None:
    assert parsed("") == parsed("<p>x</p>") == parsed("<math>" + "x" * 300_000) == ""


def test_what_cannot_be_read_is_empty() -> None:
    def refuse(rendering: object) -> object:
        raise UnreadableError("no")

    assert read(refuse, None) == ""
    assert read(lambda rendering: mathml("math", [mathml("mi", text=rendering)]), "x") == "x"
    assert Formula("x", False, "a form") == Formula("x", False, "a form")
