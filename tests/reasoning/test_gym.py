"""reasoning-gym as a source: by seed and index, without the slow ones, and of one mind with our checkers."""

import time

import pytest
from reasoning_gym.factory import DATASETS

from nemo_lab.errors import LabError
from nemo_lab.reasoning import gym
from nemo_lab.reasoning.domains import DOMAINS
from nemo_lab.reasoning.gym import gym_entry, gym_items, gym_score
from nemo_lab.reasoning.items import Item, draw


def test_items_follow_from_seed_and_index():
    some = gym_items("chain_sum", 6, seed=3, max_terms=3)
    assert some[2:] == gym_items("chain_sum", 4, seed=3, start=2, max_terms=3)
    assert some != gym_items("chain_sum", 6, seed=3)
    near = {item.question for item in gym_items("chain_sum", 200, seed=4)}
    assert len(near & {item.question for item in gym_items("chain_sum", 200, seed=5)}) < 20, (
        "neighbouring seeds of reasoning-gym itself would share 199 of 200"
    )


def test_usable_data_sets_are_fast_and_score_their_own_answer():
    names = gym.usable()
    assert len(names) == 90
    assert not {*gym.SLOW, *gym.ANSWERLESS, *gym.BOUNDED} - set(DATASETS), "every refused name is one"
    for name in ["gcd", "syllogism", "family_relationships", "base_conversion", "sentence_reordering"]:
        start = time.process_time()
        entry = gym_entry(name, 12)
        assert gym_score(name, entry, entry["answer"]) == 1.0
        assert gym_score(name, entry, "not an answer\0") < 1.0
        assert time.process_time() - start < 1


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
        gym_items(name, 1, seed=0)


def test_settings_and_indices_are_checked():
    with pytest.raises(LabError, match="refuses the settings"):
        gym_items("chain_sum", 1, seed=0, max_term=3)
    with pytest.raises(LabError, match="refuses the settings"):
        gym_items("chain_sum", 1, seed=0, min_terms=9)
    with pytest.raises(LabError, match="expected 0 to"):
        gym_items("chain_sum", 1, seed=0, start=gym.SPACING)
