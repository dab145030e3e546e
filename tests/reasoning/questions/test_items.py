"""Draws follow from domain, seed, index and level alone, and no test question is ever in training."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.items import SPLITS, Item, split_of
from tests.reasoning.refusals import Call, refused

each_domain = pytest.mark.parametrize("name", DOMAINS)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(DOMAINS)),
    seed=st.integers(0, 2**40),
    start=st.integers(0, 10**6),
    count=st.integers(0, 6),
    split=st.sampled_from(SPLITS),
)
def test_an_item_does_not_depend_on_the_others(name, seed, start, count, split):
    items = draw(name, count, seed=seed, split=split, start=start)
    assert len(items) == count
    for index, item in enumerate(items):
        assert draw(name, 1, seed=seed, split=split, start=start + index) == [item]
        assert split_of(item) == split
        assert item.domain == name


@each_domain
def test_seeds_and_levels_give_other_items(name):
    first, second = draw(name, 40, seed=0), draw(name, 40, seed=1)
    assert len(set(first) & set(second)) < 5
    assert len(set(first)) > 35
    low, high = min(DOMAINS[name].levels), max(DOMAINS[name].levels)
    assert draw(name, 5, seed=0, level=low) != draw(name, 5, seed=0, level=high)


@each_domain
def test_no_test_question_is_in_training(name):
    asked = {item.question for item in draw(name, 1000, seed=7, split="test")}
    seen = [item.question for item in draw(name, 5000, seed=8, split="train")]
    assert not asked & set(seen)
    planted = [*seen, next(iter(asked))]
    assert asked & set(planted), "the check finds a planted one"


@each_domain
def test_every_level_has_both_splits(name):
    for level in DOMAINS[name].levels:
        for split in SPLITS:
            assert draw(name, 2, seed=5, split=split, level=level)


def test_a_fifth_of_the_questions_is_for_the_test():
    items = [Item("sum", f"{a}+{b}", str(a + b)) for a in range(100, 200) for b in range(100, 200)]
    share = sum(split_of(item) == "test" for item in items) / len(items)
    assert share == pytest.approx(0.2, abs=0.02)
    assert split_of(Item("any", "\ud800", "")) in SPLITS, "a lone surrogate is a question too"


def test_items_are_the_same_on_every_machine():
    """Known values: if numpy or reasoning-gym drew otherwise, recorded results would mean something else."""
    code = "from nemo_lab.reasoning.questions.domains import draw; print([draw(d, 1, seed=0)[0].question for d in %r])"
    names = sorted(DOMAINS)
    shown = subprocess.run([sys.executable, "-c", code % names], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == str([draw(name, 1, seed=0)[0].question for name in names])
    assert draw("sum", 2, seed=0) == KNOWN


KNOWN = [Item("sum", "961+133", "1094", "04,09,10"), Item("sum", "867+304", "1171", "11,07,11")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sums", 1, {"seed": 0}), "domain 'sums', did you mean 'sum'"),
        (("sum", 1, {"seed": 0, "split": "validation"}), "split 'validation'"),
        (("sum", 1, {"seed": 0, "level": 6}), "no level 6; valid: 1, 2, 3, 4, 5"),
        (("sum", -1, {"seed": 0}), "whole number of at least 0"),
        (("sum", 1, {"seed": -1}), "whole number of at least 0"),
        (("sum", 1, {"seed": 0, "start": -1}), "whole number of at least 0"),
    ],
)
def test_mistakes_are_named(arguments, words):
    with pytest.raises(LabError, match=words):
        draw(*arguments[:2], **arguments[2])


@pytest.mark.parametrize(
    "call",
    [
        lambda: Item("sum", None, "2"),  # type: ignore[arg-type]
        lambda: Item("sum", "1+1", 2),  # type: ignore[arg-type]
        lambda: Item("sum", "1+1", "2", options=["2", "3"]),  # type: ignore[arg-type]
    ],
)
def test_an_item_is_of_texts(call: Call) -> None:
    refused(call)
