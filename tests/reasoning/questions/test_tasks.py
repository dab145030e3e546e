"""Generated questions are well posed, and their thoughts are solutions in steps."""

import numpy as np
import pytest

from nemo_lab.reasoning.questions import tasks
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from tests.reasoning.questions.solved import by_python, everything, solved

each_domain = pytest.mark.parametrize("name", DOMAINS)


@each_domain
def test_the_stored_answer_is_the_answer(name):
    for item in everything(name):
        assert solved(item) == item.answer
        assert DOMAINS[name].check(item.answer, item)


@each_domain
def test_texts_are_short_printable_ascii(name):
    for item in everything(name):
        text = item.question + item.thought + item.answer
        assert text.isascii()
        assert text.isprintable()
        assert not set(text) & set("<>=") - set({"path": ">", "order": "<"}.get(name, ""))
        assert item.thought
        assert len(item.question) <= 40
        assert len(item.thought) <= 130


@each_domain
def test_distractors_are_three_other_answers(name):
    random = np.random.default_rng(0)
    for item in everything(name):
        others = DOMAINS[name].distractors(item, random)
        assert len({item.answer, *others}) == 4
        assert all(type(other) is str and not DOMAINS[name].check(other, item) for other in others)


def test_thought_of_a_sum_spells_its_answer():
    for item in everything("sum"):
        columns = [int(column) for column in item.thought.split(",")]
        assert sum(value % 10 * 10**k for k, value in enumerate(columns[:-1])) + columns[-1] * 10 ** (
            len(columns) - 1
        ) == int(item.answer)
    assert tasks.column_sums("347", "586") == [13, 13, 9]


@pytest.mark.parametrize("name", ["chain", "logic", "path"])
def test_last_step_is_the_answer(name):
    for item in everything(name):
        assert item.thought.split(",")[-1] == item.answer


def test_every_step_of_a_reduction_has_the_same_value():
    for item in everything("logic", 60):
        assert {by_python(step) for step in item.thought.split(",")} == {item.answer}


def test_answers_are_not_lopsided():
    """No answer can be had by always saying the same: the most frequent one stays below these shares."""
    limits = {"sum": 0.02, "chain": 0.15, "logic": 0.55, "path": 0.1, "reverse": 0.01, "count": 0.4, "order": 0.1}
    for name, limit in limits.items():
        answers = [item.answer for item in draw(name, 2000, seed=3)]
        assert max(map(answers.count, set(answers))) / 2000 < limit, name
