"""The ledger's rows and the HTML report: right, self-contained, and safe whatever a run has recorded."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import CONTROL_FAILED, REPRODUCED, TOO_SMALL, ledger, parse_claim
from nemo_lab.lab.ledger.table import NOT_RUN, NOT_TESTABLE
from nemo_lab.lab.report.build import build_report
from nemo_lab.lab.report.ledger import FAILED, as_markdown, as_text, counts, rows
from nemo_lab.lab.report.notebook import anchor, clean_html, mathml, render_markdown
from nemo_lab.lab.runs.find import Run, latest

EVIL = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror="alert(2)">'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FORMULAS = "# Title\n\nLet $h_t = a_t$ and\n\n$$\\begin{aligned}a&=b\\\\ c&\\sim d\\end{aligned}$$"


def claim(name="hybrid.faster", **change):
    row = {
        "id": name,
        "paper": "Nemotron-H",
        "claim": "Hybrids decode faster.",
        "figure": "up to 3x",
        "conditions": "65,536 in, 1,024 out",
        "notebook": "05_x",
        "measure": "tokens/s",
        "unit": "times",
        "better": "higher",
        "no_effect": 1.0,
        "rule": {"kind": "bound", "bound": 2.0},
        "control": "the Transformer against itself",
        "min_scale": "laptop",
    }
    return parse_claim(row | change, name)


def untestable(name="hybrid.size"):
    row = {name: claim().__dict__[name] for name in ("paper", "claim", "figure", "conditions")}
    rule = {"kind": "untestable", "reason": "It takes 15T tokens", "needs": "1,024 H100s"}
    return parse_claim(row | {"id": name, "rule": rule}, name)


CLAIMS = {"hybrid.faster": claim(), "hybrid.size": untestable()}


OURS, NOTHING = (2.4, 2.5, 2.6), (1.0, 1.1, 0.9)


def run_of(seed=0, scale="laptop", notebook=None, samples=OURS, control=NOTHING, **change):
    entry = {"id": "hybrid.faster", "samples": list(samples), "control": {"samples": list(control)}}
    record = {
        "schema": 1,
        "notebook": "05_x",
        "scale": scale,
        "seed": seed,
        "status": "ok",
        "seconds": 125.0,
        "started": f"2026-01-0{seed + 1}T00:00:00+00:00",
        "peak_mb": 1234.0,
        "claims": [entry],
        "packages": {"torch": "2.13"},
        "machine": {"cores": 2, "cpu": "EPYC"},
    }
    return Run(record | change, notebook)


def executed(path, *, hostile=""):
    """Write an executed notebook with a formula, a figure, a table and the cell of the claim."""
    cells = [
        new_markdown_cell(FORMULAS),
        new_code_cell('lab.claim("hybrid.faster", ratios)', id="claimcell", execution_count=1),
    ]
    cells[1].outputs = [
        new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"}),
        new_output("display_data", data={"text/html": f"<table><tr><td>cell</td></tr></table>{hostile}"}),
        new_output("display_data", data={"text/markdown": f"**bold** {hostile}"}),
        new_output("display_data", data={"text/latex": "$x^2$", "text/plain": "x2"}),
        new_output("display_data", data={"application/javascript": "alert(3)"}),
        new_output("stream", name="stdout", text=f"plain {hostile}"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path


# ---- rows


def test_every_claim_is_a_row_and_the_verdict_is_computed_from_the_samples():
    forged = run_of()
    forged.record["claims"][0] |= {"verdict": "reproduced", "samples": [1.0, 1.1, 0.9]}
    assert [row.verdict for row in rows({}, CLAIMS)] == [NOT_RUN, NOT_TESTABLE]
    assert [row.verdict for row in rows({"05_x": [run_of()]}, CLAIMS)] == [REPRODUCED, NOT_TESTABLE]
    assert rows({"05_x": [forged]}, CLAIMS)[0].verdict not in (REPRODUCED, NOT_RUN)
    passing = run_of(control=(2.5, 2.6, 2.4))
    assert rows({"05_x": [passing]}, CLAIMS)[0].verdict == CONTROL_FAILED
    assert rows({"05_x": [run_of(scale="smoke")]}, CLAIMS)[0].verdict == TOO_SMALL
    assert rows({"05_x": [run_of(status="failed", error="E: x")]}, CLAIMS)[0].verdict == FAILED


def test_an_unreadable_entry_hides_no_other_row():
    broken = run_of()
    broken.record["claims"] = [{"id": "hybrid.faster", "samples": "no"}, 7]
    table = rows({"05_x": [broken]}, CLAIMS)
    assert table[0].verdict == FAILED
    assert "expected a list of numbers" in table[0].note


def test_the_lowest_seed_gives_the_verdict_and_the_others_are_kept_apart():
    table = rows({"05_x": [run_of(0), run_of(1, samples=(1.0, 1.1, 0.9))]}, CLAIMS)
    assert table[0].verdict == REPRODUCED
    assert table[0].judgement.n == 3
    assert [row.run.seed for row in table[0].others] == [1]


def test_the_latest_run_at_the_highest_scale_that_succeeded_counts():
    old, new = run_of(started="2026-01-01"), run_of(started="2026-02-01")
    smoke, failed = run_of(scale="smoke", started="2026-03-01"), run_of(scale="gpu", status="failed")
    assert latest([new, old, smoke, failed, run_of(1)]) == {"05_x": [new, run_of(1)]}
    assert latest([failed]) == {"05_x": [failed]}


def test_the_text_fits_100_columns_and_the_markdown_cannot_be_broken():
    everything = rows({}, ledger())
    assert max(map(len, as_text(everything).splitlines())) <= 100
    assert all(row.claim.id in as_text(everything) for row in everything)
    table = rows({"05_x": [run_of()]}, {"hybrid.faster": claim(claim="a | b <b>\nc")})
    assert "2.5 times [2.25, 2.75]," in as_text(table)
    assert "| a \\| b &lt;b> c |" in as_markdown(table)
    assert counts(table) == {REPRODUCED: 1}


# ---- pages


class Page(HTMLParser):
    """Collects elements with attributes and checks that they are closed in order."""

    VOID = ("meta", "link", "img", "br", "hr", "col", "input")

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def report(tmp_path):
    notebook = executed(tmp_path / "05_x.ipynb", hostile=EVIL)
    run = run_of(notebook=notebook, status="ok", machine={"cpu": EVIL})
    run.record["claims"][0]["note"] = EVIL
    claims = {"hybrid.faster": claim(claim=EVIL), "hybrid.size": untestable()}
    index = build_report(
        {"05_x": [run], "06_y": [run_of(notebook=None, status="failed", error=EVIL)]}, tmp_path / "report", claims
    )
    return index.parent


def test_pages_ask_nothing_of_the_network_and_run_nothing(report):
    pages = sorted(report.glob("*.html"))
    assert [page.name for page in pages] == ["05_x.seed0.html", "index.html"]
    for path in pages:
        page = Page(path.read_text())
        assert page.open == []
        policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv"))
        assert policy.startswith("default-src 'none'")
        for tag, attributes in page.elements:
            assert tag not in ("script", "iframe", "object", "embed", "form")
            assert not any(name.startswith("on") for name in attributes)
            assert attributes.get("src", "data:").startswith("data:")
            assert tag != "link" or attributes["href"].startswith("data:")
            assert "url(" not in attributes.get("style", "")
        css = "".join(re.findall(r"<style>(.*?)</style>", path.read_text(), re.DOTALL))
        assert "url(" not in css
        assert "@import" not in css


def test_hostile_text_is_shown_as_text(report):
    index = (report / "index.html").read_text()
    assert index.count("&lt;script&gt;alert(1)") >= 4  # claim, note, error, machine
    notebook = (report / "05_x.seed0.html").read_text()
    assert "plain &lt;script&gt;" in notebook  # stdout, as text
    assert "<script" not in notebook
    assert "evil.example" not in re.sub(r"<pre>.*?</pre>", "", notebook, flags=re.DOTALL)
    assert "alert(3)" not in notebook


def test_the_ledger_links_to_the_cell_of_the_claim(report):
    links = [a["href"] for tag, a in Page((report / "index.html").read_text()).elements if tag == "a"]
    assert "05_x.seed0.html#cell-id=claimcell" in links
    ids = [a.get("id") for _, a in Page((report / "05_x.seed0.html").read_text()).elements]
    assert "cell-id=claimcell" in ids


def test_the_front_page_says_everything_a_reader_needs(report):
    index = (report / "index.html").read_text()
    for text in (
        "65,536 in, 1,024 out",
        "2.5 times [2.25, 2.75], n\u00a0=\u00a03",
        "1 times [",
        "At laptop",
        "15T tokens",
        "whole interval above 2 times",
        "2 min 05 s",
        "1.2 GB",
        "1 of 1 judged",
        "1,024 H100s",
        "the Transformer against itself",
    ):
        assert text in index, text
    elements = Page(index).elements
    assert all(a.get("scope") for tag, a in elements if tag == "th")
    assert any(a.get("name") == "viewport" for tag, a in elements if tag == "meta")
    assert ("html", {"lang": "en"}) in elements


def test_a_report_replaces_a_report_and_nothing_else(report, tmp_path):
    (report / "old.html").touch()
    (tmp_path / ".report.99.tmp").mkdir()
    build_report({"05_x": [run_of()]}, report, CLAIMS)
    assert [path.name for path in sorted(report.glob("*.html"))] == ["index.html"]
    assert list(tmp_path.glob(".report*")) == []
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(LabError, match="not replaced"):
        build_report({}, tmp_path / "thesis", CLAIMS)


def test_a_report_that_fails_leaves_the_old_one(report, tmp_path):
    bad = tmp_path / "bad.ipynb"
    bad.write_text("{")
    with pytest.raises(LabError, match="not a readable notebook"):
        build_report({"05_x": [run_of(notebook=bad)]}, report, CLAIMS)
    assert (report / "05_x.seed0.html").exists()
    assert list(tmp_path.glob(".report*")) == []


# ---- formulas and HTML


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
