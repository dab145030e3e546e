"""Samples of the claims come out as planted, their controls fail, and a peer that raises loses a page and no more."""

from dataclasses import replace

import numpy as np
import pytest

from nemo_lab.studies.math_extraction import comparison, format_matrix, peers
from nemo_lab.studies.math_extraction.manuals import KnownPage, is_aside
from nemo_lab.studies.math_extraction.scores import NONE, PageScores, boilerplate_f1
from nemo_lab.studies.math_extraction.spans import (
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


# --- samples of the claims from scores made up


def scores(**counts: int) -> PageScores:
    return replace(NONE, **counts)


def made(pages: list[KnownPage], **by_name: list[PageScores]) -> comparison.Comparison:
    names = {name.replace("_", " "): found for name, found in by_name.items()}
    return comparison.Comparison(pages, {name: [""] * len(pages) for name in names}, names, dict.fromkeys(names, 1.0))


def test_each_page_is_compared_with_the_peer_that_is_best_on_it() -> None:
    def of(*recovered: int) -> list[PageScores]:
        return [scores(formulas=10, recovered=n) for n in recovered]

    found = made(
        PAGES,
        ours=of(9, 5, 0, 10),
        trafilatura=of(1, 7, 0, 2),
        Resiliparse=of(5, 2, 4, 9),
        plain_text=of(10, 10, 10, 10),
    )
    assert comparison.recovery_gaps(found) == pytest.approx([0.4, -0.2, -0.4, 0.1]), "plain text is no peer"
    assert comparison.best_peer(found) == "Resiliparse"
    some = replace(
        found, pages=[replace(page, formulas=[] if k == 1 else page.formulas) for k, page in enumerate(PAGES)]
    )
    assert comparison.recovery_gaps(some) == pytest.approx([0.4, -0.4, 0.1]), "pages without formulas say nothing"


def test_gains_of_cleaning_count_what_is_harmed() -> None:
    found = made(
        PAGES, ours=[scores(chrome=8, chrome_gone=6, content=20, content_kept=15)] * 2 + [scores(content=5)] * 2
    )
    assert comparison.cleaning_gains(found) == pytest.approx([0.75 - 0.25]), "a manual without chrome says nothing"


def test_the_random_cleaner_removes_as_many_lines_and_gains_nothing() -> None:
    """The control of cleaning: it looks at the number of lines that went and not at which."""
    pages, one = [PAGES[0]], scores(chrome=30, chrome_gone=30, content=70, content_kept=70)
    gains = np.array([comparison.random_cleaning_gains(made(pages, ours=[one]), seed) for seed in range(300)]).ravel()
    assert abs(gains.mean()) < 0.02
    assert 0.05 < gains.std() < 0.2
    assert comparison.cleaning_gains(made(pages, ours=[one])) == [1.0]
    other = scores(chrome=30, chrome_gone=0, content=70, content_kept=40)
    again = [comparison.random_cleaning_gains(made(pages, ours=[other]), seed) for seed in range(300)]
    assert np.array(again).ravel().tolist() == gains.tolist()
    hits = 21 * gains + 9  # as the gain is hits / 30 - (30 - hits) / 70
    assert hits == pytest.approx(np.rint(hits)), "whole lines, 30 of them in all"


def test_every_extractor_reads_every_page_and_is_scored_on_its_own() -> None:
    seen: list[bytes] = []
    found = comparison.compare(
        PAGES, {"ours": lambda html: seen.append(html) or html.decode(), "none": lambda html: ""}
    )
    assert seen == [page.html for page in PAGES]
    assert found.texts == {"ours": [page.html.decode() for page in PAGES], "none": [""] * 4}
    assert [score.recovered for score in found.scores["ours"]] == [1] * 4
    assert [score.recovered for score in found.scores["none"]] == [0] * 4


def test_shuffled_words_and_copies_depend_on_the_seed() -> None:
    assert shuffled_words(PROSE.decode(), 1) != shuffled_words(PROSE.decode(), 2)
    texts = [f"Line {n}\nand more of {n}\nand an end" for n in range(20)]
    assert captured_again(texts, 0.5, 1, seed=1) != captured_again(texts, 0.5, 1, seed=2)
