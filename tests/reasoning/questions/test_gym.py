"""reasoning-gym as a source: by index, without the slow ones, and of one mind with our checkers."""

import functools

import pytest
import reasoning_gym
from reasoning_gym.factory import DATASETS

from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import gym
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.gym import gym_entry
from nemo_lab.reasoning.questions.items import Item


def gym_score(name, entry, answer):
    """What reasoning-gym's own scorer says, from 0 to 1."""
    return scorer(name).score_answer(answer, entry)


@functools.cache
def scorer(name):
    """The data set of that name; spell_backward reads a dictionary when it is made."""
    return reasoning_gym.create_dataset(name, seed=0)


def test_an_entry_follows_from_name_index_and_settings():
    assert gym_entry("chain_sum", 7, max_terms=3) == gym_entry("chain_sum", 7, max_terms=3)
    assert gym_entry("chain_sum", 7) != gym_entry("chain_sum", 8)
    assert gym_entry("spell_backward", 2**40)["answer"]
    entry = gym_entry("gcd", 12)
    assert gym_score("gcd", entry, entry["answer"]) == 1.0


def test_every_refused_data_set_is_one():
    assert not {*gym.SLOW, *gym.ANSWERLESS, *gym.BOUNDED} - set(DATASETS)


CHAINS = ["{0}", "0{0}", "+{0}", " {0} ", "{0}1", "1{0}", "-{0}", "{0} = {0}", "", "-", "x", "1e9", "{0}/1"]
COUNTS = ["{0}", "{0}5", "15{0}", "", "a", "{0} times", "-{0}1"]


def test_our_checker_agrees_with_chain_sum():
    for item in draw("chain", 200, seed=0):
        entry = {"answer": item.answer}
        for form in CHAINS:
            answer = form.format(item.answer)
            assert (gym_score("chain_sum", entry, answer) == 1.0) is DOMAINS["chain"].check(answer, item), answer


def test_our_checker_agrees_with_spell_backward():
    for item in draw("reverse", 200, seed=0):
        word = item.question
        for answer in [item.answer, item.answer[:-1], item.answer + "x", "", f"x{item.answer[1:]}", word]:
            score = gym_score("spell_backward", {"answer": item.answer}, answer)
            assert (score == 1.0) is DOMAINS["reverse"].check(answer, item), answer


def test_our_checker_agrees_with_letter_counting():
    for item in draw("count", 200, seed=0):
        for form in COUNTS:
            answer = form.format(item.answer)
            score = gym_score("letter_counting", {"answer": item.answer}, answer)
            assert (score == 1.0) is DOMAINS["count"].check(answer, item), answer


@pytest.mark.parametrize(
    ("domain", "data_set", "gold", "answer", "theirs", "ours"),
    [
        ("chain", "chain_sum", "1000", "1,000.00", 1.0, False),  # a number in several spellings
        ("chain", "chain_sum", "-3", "−3", 0.0, True),  # the minus of Unicode
        ("reverse", "spell_backward", "enots", "ENOTS", 1.0, False),  # case
        ("count", "letter_counting", "3", " 3 ", 1 / 3, True),  # spaces around
    ],
)
def test_where_they_differ_is_known(domain, data_set, gold, answer, theirs, ours):
    assert gym_score(data_set, {"answer": gold}, answer) == pytest.approx(theirs)
    assert DOMAINS[domain].check(answer, Item(domain, "", gold)) is ours


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zebra_puzzles", "101 ms an item"),
        ("rubiks_cube", "no answer to compare"),
        ("word_ladder", "fixed length"),
        ("chain_sums", "did you mean 'chain_sum'"),
    ],
)
def test_refused_data_sets_say_why(name, words):
    with pytest.raises(LabError, match=words):
        gym_entry(name, 0)


@pytest.mark.parametrize("setting", [{"max_term": 3}, {"min_terms": 9}])
def test_settings_are_checked(setting):
    with pytest.raises(LabError, match="refuses the settings"):
        gym_entry("chain_sum", 0, **setting)


@pytest.mark.parametrize("index", [-1, 1.0, None, True])
def test_indices_are_checked(index):
    with pytest.raises(LabError, match=r"^index is .*; it must be a whole number of at least 0"):
        gym_entry("chain_sum", index)
