"""The scores are what they say on texts whose scores are plain, and broken extraction scores less."""

import textwrap

import pytest

from nemo_lab.studies.math_extraction.manuals import KnownPage
from nemo_lab.studies.math_extraction.scores import (
    NONE,
    boilerplate_f1,
    indentation,
    keeps_python,
    recovered,
    score_page,
    share,
    spans_of,
)

CODE = "def f(x):\n    if x:\n        return 1"
SESSION = ">>> for i in range(2):\n...     print(i)\n0\n1"
PAGE = KnownPage(
    "m",
    "p",
    b"",
    formulas=[r"x^{2}", r"\frac{a}{b}", r"x^{2}"],
    code=[CODE, SESSION, "no python ("],
    content=["A line of content.", "Another line."],
    chrome=["Home page", "Next topic"],
    python=True,
)
GOOD = f"A line of content.\n\nAnother line. $x^2$ and $$\\frac{{a}}{{b}}$$ and \\(x^2\\)\n\n```\n{CODE}\n```\n\n{SESSION}\n"  # noqa: E501


def test_a_perfect_text() -> None:
    found = score_page(PAGE, GOOD)
    assert (found.formulas, found.recovered, found.spans, found.parsing) == (3, 3, 3, 3)
    assert (found.python, found.python_kept, found.lines, found.indented) == (2, 2, 2, 2)
    assert (found.content, found.content_kept, found.chrome, found.chrome_gone) == (2, 2, 2, 2)
    assert boilerplate_f1(found) == 1


def test_an_empty_text() -> None:
    found = score_page(PAGE, "")
    assert (found.recovered, found.python_kept, found.indented, found.content_kept, found.chrome_gone) == (
        0,
        0,
        0,
        0,
        2,
    )
    assert boilerplate_f1(found) == pytest.approx(2 / 3), "all went, right and wrong"


def test_everything_kept_tells_nothing_from_nothing() -> None:
    found = score_page(PAGE, GOOD + "Home page\nNext topic")
    assert found.chrome_gone == 0
    assert boilerplate_f1(found) == 0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (r"$x^2$", 1),
        (r"$x^2$ $x^{2}$", 2),
        (r"x^{2} and x^{2}", 2),
        (r"\\(x^{2}\\)", 1),
        (r"x^\{2\}", 0),
        ("x2", 0),
        ("$x_2$", 0),
        (r"\frac{a} {b}", 1),
        (r"\\frac{a}{b}", 1),
        (r"$$x^2$$ $\dfrac ab$ \[x^2\]", 3),
        ("a/b", 0),
        (r"x^{2} x^{2} x^{2} x^{2}", 2),
    ],
)
def test_formulas_count_as_often_as_they_occur(text: str, count: int) -> None:
    assert recovered(PAGE.formulas, text, spans_of(text)) == count


def test_code_must_stand_together_with_its_indentation() -> None:
    assert keeps_python(CODE, "text\n\n" + textwrap.indent(CODE, "      "))
    assert keeps_python(CODE, CODE.replace("\n", "\n\n"))
    assert not keeps_python(CODE, CODE.replace("    ", ""))
    assert not keeps_python(CODE, CODE.replace("\n", "\nword\n"))
    assert not keeps_python(CODE, CODE.replace("\n", " "))
    assert indentation(CODE, CODE) == (2, 2)
    assert indentation(CODE, CODE.replace("        return", "    return")) == (2, 1)
    assert indentation(CODE, "") == (2, 0)


def test_spans_are_outside_code_and_prices_are_not_joined_over_paragraphs() -> None:
    assert spans_of("$a$ and \\[b\\] and $$c$$") == ["a", "b", "c"]
    assert spans_of("```\n$a$\n```") == []
    assert spans_of("costs $5\n\nor $6") == []


def test_scores_add_up() -> None:
    found = score_page(PAGE, GOOD)
    assert (found + found).formulas == 6
    assert found + NONE == found
    assert share(1, 4) == 0.25
    assert share(0, 0) != share(0, 0), "NaN: nothing to measure"


@pytest.mark.parametrize(
    ("text", "kept"), [("so a + b = 12", 1), ("a - b = 12", 0), ("a + b = 13", 0), ("a b = 12", 0)]
)
def test_a_content_line_with_another_number_or_sign_is_harmed(text: str, kept: int) -> None:
    assert score_page(KnownPage("m", "p", b"", content=["a + b = 12"]), text).content_kept == kept


def test_an_empty_line_in_a_string_is_no_loss() -> None:
    block = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1'
    assert keeps_python(block, f"Text.\n\n{block}\n\nMore.")
    assert not keeps_python(block, textwrap.dedent(block.replace("    ", "")))
