"""Thoughts and steps: exact round trips, and each corner of where a thought begins."""

import math

import pytest
import tiny_policy
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning.retro.thoughts import KEYWORDS, join, segment, shape, split_steps, starts_with_keyword
from tests.reasoning.refusals import Call, refused

pieces = st.sampled_from(
    ["Wait, no", "so 3", "but", "butter", "\n\n", "\n", "\n \n", "$$", "```", " ", "x = 1", "HMM", "not  sure", "é"]
)
traces = st.one_of(st.text(max_size=60), st.lists(pieces, max_size=25).map("".join))


@given(traces)
def test_segmentation_loses_nothing(trace: str) -> None:
    assert join(segment(trace)) == trace
    assert "".join(split_steps(trace)) == trace


@given(traces)
def test_thoughts_begin_with_keywords_and_hold_steps(trace: str) -> None:
    thoughts = segment(trace)
    assert all(starts_with_keyword(thought[0]) for thought in thoughts[1:])
    assert not any(starts_with_keyword(step) for thought in thoughts for step in thought[1:])
    assert [step for thought in thoughts for step in thought] == split_steps(trace)


@given(traces)
def test_no_step_is_blank_unless_all_is(trace: str) -> None:
    assert all(step.strip() for step in split_steps(trace)) or not trace.strip()


@pytest.mark.parametrize(
    ("trace", "thoughts"),
    [
        ("", []),
        ("a", [["a"]]),
        ("a\n\nb\n\nWait, c\n\nd", [["a\n\n", "b\n\n"], ["Wait, c\n\n", "d"]]),
        ("wait\n\nWAIT", [["wait\n\n"], ["WAIT"]]),  # the first thought may begin with a keyword; any case
        ("a\n\nbutter", [["a\n\n", "butter"]]),  # part of a longer word
        ("a\n\nwe wait", [["a\n\n", "we wait"]]),  # in the middle of a step
        ("a\nWait, b", [["a\nWait, b"]]),  # a new line is no blank line
        ("a\n\nNot  sure: b", [["a\n\n"], ["Not  sure: b"]]),  # two words
        ("a\n\nnot surely", [["a\n\n", "not surely"]]),
        ("a\n\n  Hmm", [["a\n\n  "], ["Hmm"]]),  # space before it belongs to the border
        ("a\n \t\n\n\nbut", [["a\n \t\n\n\n"], ["but"]]),  # several blank lines, with spaces in them
        ("\n\na\n\nbut", [["\n\na\n\n"], ["but"]]),  # at the very beginning
        ("a\n\n", [["a\n\n"]]),  # at the very end
        ("$$a\n\nwait$$\n\nwait", [["$$a\n\nwait$$\n\n"], ["wait"]]),  # inside a formula
        ("```\na\n\nwait\n```\n\nwait", [["```\na\n\nwait\n```\n\n"], ["wait"]]),  # inside a block of code
        ("$$a\n\nwait", [["$$a\n\n"], ["wait"]]),  # an opening that is never closed
    ],
)
def test_where_thoughts_begin(trace: str, thoughts: list[list[str]]) -> None:
    assert segment(trace) == thoughts


def test_keywords_can_be_chosen() -> None:
    trace = "a\n\nwait\n\nperhaps b"
    assert [len(segment(trace, keywords)) for keywords in (KEYWORDS, ["perhaps"], ["no"])] == [2, 2, 1]


@pytest.mark.parametrize("keywords", [[], ["wait", " "]])
def test_blank_keywords_are_refused(keywords: list[str]) -> None:
    with pytest.raises(ValueError, match=r"such as|is no word"):
        segment("a\n\nb", keywords)


def test_shape_counts() -> None:
    counted = shape("a 12\n\nb\n\nWait, c\n\nso 2", lambda text: list(text.encode()), "2")
    assert (counted.tokens, counted.steps, counted.thoughts, counted.switches) == (22, 4, 2, 1)
    assert counted.steps_per_thought == 2
    assert counted.answer_at == pytest.approx(21 / 22)  # not the 2 inside of 12


def test_an_answer_that_is_not_there_has_no_place() -> None:
    assert math.isnan(shape("a", list, "2").answer_at)  # type: ignore[arg-type]
    assert math.isnan(shape("", list).answer_at)  # type: ignore[arg-type]
    assert shape("", list).switches == 0  # type: ignore[arg-type]


POLICY = tiny_policy.tiny_policy()


@pytest.mark.parametrize(
    "call",
    [
        lambda: split_steps(None),  # type: ignore[arg-type]
        lambda: segment("a\n\nb", "wait"),
        lambda: segment("a\n\nb", ()),
        lambda: shape("a", None),  # type: ignore[arg-type]
        lambda: shape("a", POLICY.encode, keywords=[""]),
    ],
)
def test_no_trace_and_no_keywords(call: Call) -> None:
    refused(call)
