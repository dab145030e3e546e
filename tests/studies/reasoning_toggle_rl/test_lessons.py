"""Lessons: what is shown in which mode, and a teacher whose errors follow its rule."""

import math

import numpy as np
import pytest

from nemo_lab.reasoning.questions.domains import draw
from nemo_lab.reasoning.questions.templates import parse
from nemo_lab.studies.reasoning_toggle_rl.lessons import (
    FIRST_STAGE,
    LESSONS,
    SumTeacher,
    lesson_pairs,
    mistaken_thought,
)
from nemo_lab.training.settings import TrainingError
from tests.reasoning.refusals import Call, refused

ITEMS = draw("sum", 200, seed=5, level=3)


def shown(lesson, step, steps=10):
    return lesson_pairs(lesson, ITEMS, SumTeacher(0.0), steps=steps, batch_size=40, seed=1)(step)


def modes(pairs):
    """Mode asked for and mode shown of every pair."""
    return [("on" if prompt.startswith("<on>") else "off", parse(response).mode) for prompt, response in pairs]


def questions(pairs, mode):
    return {prompt.removeprefix(f"<{mode}>") for prompt, _ in pairs if prompt.startswith(f"<{mode}>")}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_step_is_a_function_of_seed_and_step(lesson):
    assert shown(lesson, 3) == shown(lesson, 3) != shown(lesson, 4)
    assert len(shown(lesson, 3)) == 40


def test_another_seed_shows_other_questions():
    """So that repeats of a lesson differ in their data too."""
    ours, other = (
        lesson_pairs("paired", ITEMS, SumTeacher(0.0), steps=10, batch_size=40, seed=seed)(3) for seed in (1, 2)
    )
    assert ours != other


def test_paired_shows_every_question_in_both_modes():
    pairs = shown("paired", 0)
    assert all(asked == given for asked, given in modes(pairs))
    assert questions(pairs, "on") == questions(pairs, "off")


def test_unpaired_never_shows_a_question_in_both_modes():
    pairs = [pair for step in range(10) for pair in shown("unpaired", step)]
    assert all(asked == given for asked, given in modes(pairs))
    assert not questions(pairs, "on") & questions(pairs, "off")


def test_staged_begins_with_thoughts_alone():
    assert {asked for asked, _ in modes(shown("staged", 0))} == {"on"}
    assert {asked for asked, _ in modes(shown("staged", round(FIRST_STAGE * 10)))} == {"on", "off"}


def test_confused_words_say_nothing_about_the_mode():
    counted = modes([pair for step in range(20) for pair in shown("confused", step)])
    assert 0.4 < np.mean([asked == given for asked, given in counted]) < 0.6


def test_the_teacher_errs_by_its_rule_alone():
    never, always = SumTeacher(0.0), SumTeacher(1.0)
    random = np.random.default_rng(0)
    assert never.accuracy(ITEMS) == 1.0
    solved = [always.solve(item, random) for item in ITEMS]
    assert [one.answer for one in solved] == [mistaken_thought(item)[1] for item in ITEMS]
    assert [one.question for one in solved] == [item.question for item in ITEMS]
    rule = np.mean([mistaken_thought(item)[1] != item.answer for item in ITEMS])
    assert always.accuracy(ITEMS) == pytest.approx(1 - rule)
    assert SumTeacher(0.5).accuracy(ITEMS) == pytest.approx(1 - rule / 2, abs=0.1)


def test_an_unknown_lesson_is_named():
    with pytest.raises(TrainingError, match="mixed"):
        lesson_pairs("mixed", ITEMS, SumTeacher(), steps=1, batch_size=4, seed=0)


NAN = math.nan


@pytest.mark.parametrize(
    "call",
    [
        lambda: SumTeacher(NAN),
        lambda: SumTeacher(2),
        lambda: SumTeacher().accuracy([]),
    ],
)
def test_a_teacher_errs_by_a_share(call: Call) -> None:
    refused(call)
