"""The score orders what it must: explained mathematics over lists, lists over noise; and stays within 0 and 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.filters.math_quality import ramp, score, signs
from nemo_lab.errors import LabError

LESSON = (
    "Let $f$ be a function that is defined for all real numbers $x$. We have $f(x) = x^2$, and therefore the "
    "derivative is $f'(x) = 2x$, "
    "because the limit of the quotient exists. Note that the function is even. For example, consider $x = 3$: "
    "then $f(3) = 9$. Suppose that "
    "$y$ is given; since the equation $f(x) = y$ has a solution if $y \\geq 0$, it follows that the root is "
    "$\\sqrt{y}$.\n"
) * 6
LIST = "  * item one\n  * item two\n  * install\n  * usage\n" * 20
STORY = (
    "It was a dark and stormy night, and the old man sat by the fire and told of the sea that he had seen in "
    "his youth. " * 20
)
NOISE = "xk qz 8f kk zz qq " * 100


def test_order() -> None:
    assert score(LESSON) > 3 > score(STORY) > score(NOISE)
    assert score(LIST) < 2
    assert score(STORY) <= 2, "without mathematics"


MANUAL = (
    "This function returns the number of items in the set. If the variable is given, then the operator compares it "
    "with the root of the graph, and the algorithm that is used factors the group of fields into a sum of vectors. "
    "Note that the solution is stored in a space that is shared, because the series of products has a limit.\n"
) * 8
SHELL = (
    "Then set $PATH and $HOME so that the tool is found, for example in the folder that is given by ${prefix}.$name; "
    "it costs $5 a month, or $50 a year, since the number of users is where the limit of the plan is.\n"
) * 8


@pytest.mark.parametrize("text", [MANUAL, SHELL, MANUAL + "```\necho $a$ $x^2$\n```\n"])
def test_words_of_programming_are_no_mathematics(text: str) -> None:
    assert signs(text).mathematics == 0
    assert score(text) <= 2


def test_beside_mathematics_such_words_count() -> None:
    alone = "The function has a root. " * 20
    assert (
        signs(alone + "It is a polynomial.").mathematics
        > signs("It is a polynomial. " + "The fire has a flame. " * 20).mathematics
    )
    assert signs(alone + "Let $x^2 = 2$, $\\mathcal{P}$, ${}^2G$ be.").mathematics > signs(alone).mathematics == 0


def test_what_makes_it_up() -> None:
    assert signs(LESSON).mathematics > signs(STORY).mathematics
    assert signs(STORY).prose > signs(LIST).prose


@given(st.text(max_size=200))
def test_bounds(text: str) -> None:
    assert 0 <= score(text) <= 5


def test_a_ramp_rises_from_its_foot_to_its_top_and_no_further() -> None:
    assert [ramp(value, 2.0, 4.0) for value in (1.0, 2.0, 2.5, 4.0, 9.0)] == [0.0, 0.0, 0.25, 1.0, 1.0]


def test_what_is_scored_is_text():
    with pytest.raises(LabError, match="text is None, expected text"):
        score(None)
