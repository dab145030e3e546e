"""What is cut from a text, kept in a tier, and captured again."""

from nemo_lab.studies.math_extraction.spans import (
    captured_again,
    held_out,
    of_quality,
    shuffled_words,
    without_code,
    without_copies,
    without_formulas,
)
from tests.studies.math_extraction.planted import CODE, PAGES, PROSE

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


def test_shuffled_words_and_copies_depend_on_the_seed() -> None:
    assert shuffled_words(PROSE.decode(), 1) != shuffled_words(PROSE.decode(), 2)
    texts = [f"Line {n}\nand more of {n}\nand an end" for n in range(20)]
    assert captured_again(texts, 0.5, 1, seed=1) != captured_again(texts, 0.5, 1, seed=2)
