"""Samples of the claims come out as planted, their controls fail, and a peer that raises loses a page and no more."""

import pytest

from nemo_lab.curation import comparison, format_matrix, peers
from nemo_lab.curation.extraction_scores import boilerplate_f1
from nemo_lab.curation.manuals import KnownPage, is_aside
from nemo_lab.curation.spans import (
    captured_again,
    held_out,
    of_quality,
    shuffled_words,
    without_code,
    without_copies,
    without_formulas,
)

CODE = "def f(x):\n    return x"


def known(group: str, number: int) -> KnownPage:
    text = f"Page {number} says that the sum of all numbers is what the formula gives in this case."
    html = f"<nav>Menu of {group}</nav><main><p>{text}</p><p>Let \\(x^{{{number}}}\\) be.</p><pre>{CODE}</pre></main>".encode()  # noqa: E501
    return KnownPage(group, f"{number}", html, [f"x^{{{number}}}"], [CODE], [text], [f"Menu of {group}"], True)


PAGES = [known(group, number) for group in ("a", "b") for number in range(2)]


def raises(html: bytes) -> str:
    raise ValueError("no page")


EXTRACTORS = {
    "ours": peers.ours,
    "trafilatura": raises,
    "Resiliparse": lambda html: html.decode().replace("    ", ""),
    "plain text": peers.plain_text,
}


@pytest.fixture(scope="module")
def found() -> comparison.Comparison:
    return comparison.compare(PAGES, EXTRACTORS)


def test_claims_come_out_as_planted(found: comparison.Comparison) -> None:
    assert found.groups == ["a", "b"]
    assert comparison.recovery_gaps(found) == [0.0] * 4, "Resiliparse's stand-in has them all"
    assert comparison.recovery_gaps(found, "trafilatura") == [-1.0] * 4
    assert comparison.best_peer(found) == "Resiliparse"
    assert comparison.code_rates(found) == [1.0, 1.0]
    assert comparison.code_rates(found, "Resiliparse") == [0.0, 0.0]
    assert comparison.cleaning_gains(found) == [1.0, 1.0]
    assert comparison.cleaning_gains(found, "plain text") == [0.0, 0.0]
    assert comparison.cleaning_gains(found, "trafilatura") == [0.0, 0.0], "all gone is no gain"
    assert max(comparison.random_cleaning_gains(found, 0)) < 1


def test_tables(found: comparison.Comparison) -> None:
    table = comparison.overview(found)
    assert table.loc["ours", ["formulas", "parse", "Python", "indentation", "boilerplate F1"]].tolist() == [1.0] * 5
    assert table.loc["trafilatura", "formulas"] == 0
    recall = comparison.by_group(found, comparison.recall)
    assert recall.loc[["a", "b"], "ours"].tolist() == [1.0, 1.0]
    assert comparison.by_group(found, boilerplate_f1).loc["a", ["ours", "plain text"]].tolist() == [1.0, 0.0]


PROSE = (
    b"We will now see that this is what the sum of all of them is in the case that we have before us, and why it was "
    b"not so for the others in the list above. "
)


def test_every_peer_reads_a_page() -> None:
    html = b"<html><body>" + PAGES[0].html.replace(b"case.", b"case. " + PROSE * 3) + b"</body></html>"
    for name, extractor in peers.EXTRACTORS.items():
        assert "the formula gives" in extractor(html), name
    assert peers.version("no such package") == "-"
    assert all(peers.version(name) != "-" for name in peers.PEERS)


def test_the_matrix_has_every_form_of_every_formula() -> None:
    assert len(format_matrix.forms()) == 19
    counts = {form: len(format_matrix.rendered(form)) for form in format_matrix.forms()}
    assert {form for form, count in counts.items() if count != 200} == {"pandoc HTML"}
    for aside in (True, False):
        pages = format_matrix.matrix_pages(aside, 1)
        assert [page.manual for page in pages] == format_matrix.forms()
        assert all(is_aside(formula) == aside for page in pages for formula in page.formulas)
        assert all(len(page.formulas) == 10 for page in pages)


def test_the_pre_pass_recovers_the_half_it_was_tuned_on() -> None:
    pages = [page for page in format_matrix.matrix_pages(False, 2) if page.manual != "pandoc HTML"]
    done = comparison.compare(pages, {"ours": peers.ours})
    total = done.total("ours")
    assert total.recovered >= 0.97 * total.formulas
    assert total.parsing == total.spans


TEXT = "Let $x^2$ be one.\n\n```python\ny = '$z$'\n```\n\n$$\na\n$$\nThe end comes here"


def test_spans_are_cut_and_nothing_else() -> None:
    assert without_formulas(TEXT) == "Let  be one.\n\n```python\ny = '$z$'\n```\n\n\nThe end comes here"
    assert without_code(TEXT) == "Let $x^2$ be one.\n\n\n$$\na\n$$\nThe end comes here"
    shuffled = shuffled_words(TEXT, 1)
    assert sorted(shuffled.split()) == sorted(TEXT.split())
    assert shuffled != TEXT
    assert "```python\ny = '$z$'\n```" in shuffled


def test_the_exam_has_its_kinds() -> None:
    exam = held_out(PAGES[:1], 100)
    assert exam["corpus"] == ["formulas", "code", "prose"]
    assert exam["text"][:2] == ["x^{0}", CODE]
    assert [len(text) for text in held_out(PAGES, 4)["text"]] == [4] * 12


def test_tiers_keep_what_scores() -> None:
    lesson = (PROSE.decode() + "Let $x^{2}$ be the square. Hence the sum of the series is a prime number. ") * 8
    assert of_quality(["Menu | Home | Help", lesson], 3) == [lesson]
    assert of_quality([lesson], 5.1) == []


def test_copies_are_near_duplicates_and_go() -> None:
    texts = ["\n".join(f"Line {line} of text {text}, {line * text}." for line in range(99)) for text in range(10, 18)]
    more = captured_again(texts, 0.5, 3, seed=1)
    assert more[:8] == texts
    assert len(more) == 8 + 4 * 3
    assert not set(more[8:]) & set(texts), "none is a plain copy"
    assert without_copies(more) == texts
