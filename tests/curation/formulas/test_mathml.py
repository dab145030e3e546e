"""MathML to LaTeX, element by element, and nothing that MathML can hold breaks it."""

import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.curation.formulas.latex import parses
from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.studies.math_extraction.same_formula import normal_form

X, Y = "<mi>x</mi>", "<mi>y</mi>"
MATRIX = (
    f"<mtable><mtr><mtd>{X}</mtd><mtd>{Y}</mtd></mtr><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable>"
)
CASES = [
    (f"<mfrac>{X}{Y}</mfrac>", r"\frac{x}{y}"),
    (f"<msup>{X}<mn>2</mn></msup>", "x^{2}"),
    (f"<msup><mrow><mo>(</mo>{X}<mo>)</mo></mrow><mn>2</mn></msup>", "(x)^{2}"),
    (f"<msubsup>{X}<mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
    (f"<msqrt>{X}<mo>+</mo><mn>1</mn></msqrt>", r"\sqrt{x+1}"),
    (f"<mroot>{X}<mn>3</mn></mroot>", r"\sqrt[3]{x}"),
    (
        "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>a</mi><mi>i</mi></msub>",
        r"\sum_{i=1}^{n} a_i",
    ),
    ("<munder><mi>lim</mi><mrow><mi>n</mi><mo>→</mo><mi>∞</mi></mrow></munder>", r"\lim_{n\to\infty}"),
    (f"<mover>{X}<mo>^</mo></mover>", r"\hat{x}"),
    (f"<mover>{X}<mo>¯</mo></mover>", r"\bar{x}"),
    ("<mover><mo>→</mo><mi>f</mi></mover>", r"\overset{f}{\rightarrow}"),
    (f"<mrow><mo>(</mo>{MATRIX}<mo>)</mo></mrow>", r"\begin{pmatrix} x & y \\ 1 & 2 \end{pmatrix}"),
    (f"<mrow><mi>f</mi><mo>=</mo><mo>{{</mo>{MATRIX}</mrow>", r"f = \begin{cases} x & y \\ 1 & 2 \end{cases}"),
    (f"<mfenced open='[' close=')'>{X}{Y}</mfenced>", "[x,y)"),
    ('<mo>(</mo><mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>', r"\binom{n}{k}"),
    ('<mi mathvariant="double-struck">R</mi>', r"\mathbb{R}"),
    ("<mi>ℝ</mi>", r"\mathbb{R}"),
    ('<mi mathvariant="bold">v</mi>', r"\mathbf{v}"),
    ("<mi>sin</mi><mo>⁡</mo><mi>x</mi>", r"\sin x"),
    ("<mi>α</mi><mi>b</mi>", r"\alpha b"),
    ("<mi>lcm</mi>", r"\operatorname{lcm}"),
    ("<mtext>if </mtext><mi>x</mi>", r"\text{if } x"),
    (f"<msup>{X}<mo>′</mo></msup>", "x'"),
    ("<mmultiscripts><mi>F</mi><mn>1</mn><none/><mprescripts/><mn>2</mn><none/></mmultiscripts>", "{}_2F_1"),
    ("<mi>f</mi><mo>ⅆ</mo><mi>x</mi>", "fdx"),
    (
        f'<mtable columnalign="right left"><mtr><mtd>{X}</mtd><mtd><mo>=</mo>{Y}</mtd></mtr></mtable>',
        r"\begin{aligned} x &= y \end{aligned}",
    ),
    (f'<menclose notation="box">{X}</menclose>', r"\boxed{x}"),
    ("<mo>{</mo><mi>x</mi><mo>}</mo>", r"\{x\}"),
    ('<menclose notation="top"><mi>A</mi><mi>B</mi></menclose><mo>=</mo><mn>5</mn>', r"\overline{AB}=5"),
    ('<menclose notation="bottom"><mi>y</mi></menclose>', r"\underline{y}"),
    ('<menclose notation="box circle"><mi>y</mi></menclose>', r"\enclose{circle}{\boxed{y}}"),
    ('<mi mathvariant="normal">R</mi><mi mathvariant="normal">e</mi><mi>x</mi>', r"\mathrm{Re}x"),
    ("<mover><mi>Cl</mi><mo>˜</mo></mover>", r"\widetilde{\operatorname{Cl}}"),
    ("<mover><mi>x</mi><mo>–</mo></mover>", r"\bar{x}"),
    ("<msup><mi>e</mi><mi>z</mi></msup><msub><mrow></mrow><mn>1</mn></msub><mi>F</mi>", "e^{z}{}_{1}F"),
    ("<mi>x</mi><mo>≢</mo><mi>y</mi>", r"x\not\equiv y"),
    ("<semantics><mi>x</mi><annotation>ignored</annotation></semantics>", "x"),
]


def math(inside: str) -> lxml.html.HtmlElement:
    return lxml.html.fragment_fromstring(f"<math>{inside}</math>")


@pytest.mark.parametrize(("markup", "latex"), CASES)
def test_each_element_has_its_latex(markup: str, latex: str) -> None:
    found = to_latex(math(markup))
    assert normal_form(found) == normal_form(latex), found
    assert parses(found) or found.startswith("{}")


names = st.sampled_from(
    [
        "mi",
        "mn",
        "mo",
        "mrow",
        "mfrac",
        "msup",
        "msub",
        "msubsup",
        "mover",
        "munder",
        "msqrt",
        "mroot",
        "mtable",
        "mtr",
        "mtd",
        "mfenced",
        "mmultiscripts",
    ]
)
trees = st.recursive(
    st.sampled_from(["x", "∑", "{", "", "12", "ℝ", "&lt;", "\\", "′"]),
    lambda inner: st.builds(
        lambda name, children: f"<{name}>{''.join(children)}</{name}>", names, st.lists(inner, max_size=4)
    ),
    max_leaves=20,
)


@given(trees)
@settings(max_examples=150, deadline=None)
def test_malformed_trees_give_balanced_latex(markup: str) -> None:
    found = to_latex(math(markup))
    depth = 0
    for at, letter in enumerate(found):
        escaped = at and found[at - 1] == "\\"
        depth += (letter == "{" and not escaped) - (letter == "}" and not escaped)
        assert depth >= 0
    assert depth == 0


CONTENT = "<apply><eq/><ci>x</ci><cn>2</cn></apply>"


@pytest.mark.parametrize("markup", [CONTENT, f"<semantics>{CONTENT}</semantics>", f"<mrow>{X}{CONTENT}</mrow>"])
def test_content_without_presentation_is_given_up(markup: str) -> None:
    assert to_latex(math(markup)) == ""


def test_content_beside_presentation_does_not_count() -> None:
    both = f'<semantics>{X}<annotation-xml encoding="MathML-Content">{CONTENT}</annotation-xml></semantics>'
    assert to_latex(math(both)) == "x"


def test_nesting_is_followed_to_a_depth_and_its_text_is_kept() -> None:
    assert "x" in to_latex(math("<mrow>" * 150 + X + "</mrow>" * 150))
