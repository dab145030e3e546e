"""Samples of the claims come out as planted, their controls fail, and a peer that raises loses a page and no more."""

from dataclasses import replace

import numpy as np
import pytest

from nemo_lab.studies.math_extraction import comparison, format_matrix, peers
from nemo_lab.studies.math_extraction.manuals import KnownPage
from nemo_lab.studies.math_extraction.scores import NONE, PageScores, boilerplate_f1
from tests.studies.math_extraction.planted import PAGES


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


def test_the_pre_pass_recovers_the_half_it_was_tuned_on() -> None:
    pages = [page for page in format_matrix.matrix_pages(False, 2) if page.manual != "pandoc HTML"]
    done = comparison.compare(pages, {"ours": peers.ours})
    total = done.total("ours")
    assert total.recovered >= 0.97 * total.formulas
    assert total.parsing == total.spans


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
