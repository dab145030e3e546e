"""The HTML report: right, self-contained, and safe whatever a run has recorded."""

import re
from html.parser import HTMLParser

import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab.report.build import build_report
from tests.lab.report.made_runs import CLAIMS, EVIL, claim, executed, run_of, untestable

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
