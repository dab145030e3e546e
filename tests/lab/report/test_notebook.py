"""A notebook's page: formulas become MathML, and HTML keeps what is harmless."""

import pytest

from nemo_lab.lab.report.notebook import anchor, clean_html, mathml, render_markdown
from tests.lab.report.made_runs import executed


@pytest.mark.parametrize(
    "tex",
    [
        r"h_t = \exp(\Delta_t A)\,h_{t-1} + \Delta_t B_t x_t^\top",
        r"\mathrm{KL}(p\,\|\,q)=\sum_i p_i\log\frac{p_i}{q_i}",
        r"\begin{aligned}a&=b\\ c&=d\end{aligned}",
        r"\operatorname{softmax}\!\left(\frac{QK^\top}{\sqrt{d}}\right)V",
        r"\mathbb{E}_{x\sim\mathcal{D}}\left[\ell(x)\right] \quad \text{if } x \ge 0",
        r"y = \begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    ],
)
def test_formulas_become_mathml(tex):
    assert mathml(tex).startswith("<math")
    assert "\\" not in mathml(tex)


@pytest.mark.parametrize("tex", [r"\unknown{x", r"\text{<script>x</script>}", r"\frac{", ""])
def test_what_cannot_be_converted_is_shown_as_source(tex):
    html = mathml(tex)
    assert html.startswith(("<code", "<math"))
    assert "<script" not in html


def test_markdown_keeps_tables_folded_solutions_and_code():
    html = render_markdown(
        "| a | b |\n|---|---|\n| $x$ | 2 |\n\n<details><summary>Solution</summary>\n\n`a < b`\n\n</details>\n"
    )
    assert "<td><math" in html
    assert "<details><summary>Solution</summary>" in html
    assert "<code>a &lt; b</code>" in html


def test_html_keeps_tables_and_loses_code_and_outside_pictures():
    html = clean_html("<style>td{}</style><p onclick='x' style='color:red;background:url(http://a)'>t</p>")
    assert "td{}" not in html
    assert "onclick" not in html
    assert "url(" not in html


def test_a_claim_that_no_cell_names_links_to_the_page(tmp_path):
    assert anchor(executed(tmp_path / "a.ipynb"), "other.claim") == ""
