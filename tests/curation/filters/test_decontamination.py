"""Planted quotes of a test are found, whatever their layout; paraphrases and short items are not claimed."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.filters.decontamination import SHORTEST, N, TestSet, read_items, too_short, words
from nemo_lab.errors import LabError

ITEM = "A train leaves the station at 9 and travels 60 miles per hour for 3 hours; how far does it go before it stops?"
SHORT = "What is 2 + 2?"


def test_planted_quotes_are_found() -> None:
    tests = TestSet.of([ITEM, "another question that has at least eight words in it"])
    assert tests.match(f"Some text. {ITEM.upper()} More text.") == ITEM
    assert tests.match("Before: another  question\nthat has, at least, eight words in it. After").startswith("another")
    half = " ".join(ITEM.split()[:14])
    assert tests.match(f"We quote: {half}") == ITEM


def test_others_are_not() -> None:
    tests = TestSet.of([ITEM, SHORT])
    assert tests.skipped == 1
    assert tests.match("A train leaves at 9 and goes 60 miles an hour for 3 hours; how far is that?") == ""
    assert tests.match(SHORT) == ""
    assert TestSet.of([]).match(ITEM) == ""


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=SHORTEST, max_size=30), st.text(max_size=30), st.text(max_size=30)
)
def test_a_whole_item_is_always_found(item: list[str], before: str, after: str) -> None:
    text = " ".join(item)
    assert TestSet.of([text]).match(f"{before} . {text} . {after}")


def test_words_hold_commands_and_operators() -> None:
    assert words(r"Let $\alpha+x = 2$.") == ["let", r"\alpha", "+", "x", "=", "2"]


def test_items_come_from_lines_or_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one item\n\nanother\n", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "first"}\n{"text": "second"}\n', encoding="utf-8")
    assert read_items(tmp_path / "a.txt") == ["one item", "another"]
    assert read_items(tmp_path / "b.jsonl") == ["first", "second"]
    with pytest.raises(LabError, match="no file"):
        read_items(tmp_path / "c.txt")


def test_items_may_be_compressed_or_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Où est l’été — “déjà”?\r\nça\r\n".encode("cp1252"))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("Wie heißt „du“?\n".encode("utf-16")))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b'{"text": "first"}\n'))
    (tmp_path / "d.txt").write_bytes(bytes(range(256)) * 9)
    assert read_items(tmp_path / "a.txt") == ["Où est l’été — “déjà”?", "ça"]
    assert read_items(tmp_path / "b.txt.gz") == ["Wie heißt „du“?"]
    assert read_items(tmp_path / "c.json.gz") == ["first"]
    with pytest.raises(LabError, match=r"cannot be read as text \(.*\); save it as UTF-8"):
        read_items(tmp_path / "d.txt")


def test_items_of_few_words_are_told_apart() -> None:
    eight = "one two three four five six seven eight"
    assert too_short([ITEM, SHORT, eight, "What is 2 + 2?", ""]) == [SHORT, "What is 2 + 2?", ""]
    assert len(too_short([ITEM, SHORT])) == TestSet.of([ITEM, SHORT]).skipped
    with pytest.raises(LabError, match="items is one text"):
        too_short(ITEM)


LETTERS = [f"word{n}" for n in range(30)]
ALL = " ".join(LETTERS)


def test_every_window_of_thirteen_words_is_a_quote_and_none_of_twelve() -> None:
    """Thirteen in a row, as GPT-3's report: one more and quotes of thirteen words would pass."""
    tests = TestSet.of([ALL])
    assert N == tests.n == 13
    for start in range(len(LETTERS) - 13 + 1):
        assert tests.match(" ".join(["before", *LETTERS[start : start + 13], "after"])) == ALL
    for start in range(len(LETTERS) - 12 + 1):
        assert tests.match(" ".join(["before", *LETTERS[start : start + 12], "after"])) == ""
    broken = [*LETTERS[:12], "other", *LETTERS[12:24], "other", *LETTERS[24:]]
    assert tests.match(" ".join(broken)) == ""


@pytest.mark.parametrize("n", [8, 13, 20])
def test_the_length_of_a_window_is_the_one_asked_for(n: int) -> None:
    tests = TestSet.of([ALL], n)
    assert tests.match(" ".join(LETTERS[4 : 4 + n])) == ALL
    assert tests.match(" ".join(LETTERS[4 : 4 + n - 1])) == ""


@pytest.mark.parametrize("length", range(SHORTEST - 2, 14))
def test_a_shorter_item_is_looked_for_whole(length: int) -> None:
    item = " ".join(LETTERS[:length])
    tests = TestSet.of([item])
    assert SHORTEST == 8
    assert tests.skipped == (length < 8)
    assert tests.match(f"before {item} after") == (item if length >= 8 else "")
    assert tests.match(" ".join(LETTERS[: length - 1])) == tests.match(" ".join(LETTERS[1:length])) == ""


def test_the_item_that_is_quoted_is_named() -> None:
    first, second = " ".join(LETTERS[:15]), " ".join(LETTERS[15:])
    assert TestSet.of([first, second]).match(f"before {second}") == second


@pytest.mark.parametrize("items", ["one string", None, 5, [None], [b"bytes"]])
def test_items_are_a_list_of_texts(items):
    with pytest.raises(LabError, match=r"(items is|Text 0 of items is) .*expected"):
        TestSet.of(items)


@pytest.mark.parametrize("n", [0, -1, 1.5, None])
def test_an_ngram_has_a_word(n):
    for make in (TestSet, lambda n: TestSet.of(["a b c d e f g h i"], n)):
        with pytest.raises(LabError, match=f"n is {n!r}; it must be a whole number of at least 1"):
            make(n)


def test_what_is_no_text_and_no_file_is_refused():
    with pytest.raises(LabError, match="text is None, expected text"):
        TestSet.of(["one two three four five six seven eight"]).match(None)
    for file in (None, "", 5):
        with pytest.raises(LabError, match=r"file is .*, expected the path"):
            read_items(file)


def test_a_list_without_items_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "items.txt"
    file.write_text("\n  \n", encoding="utf-8")
    with pytest.raises(LabError, match=r"holds no test item; give test items, one a line"):
        read_items(file)
