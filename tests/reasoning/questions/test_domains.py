"""Every question is well posed, its thought is a solution in steps, and its checker knows right from wrong."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import tasks
from nemo_lab.reasoning.questions.domains import DOMAINS, canaries, check_canaries, draw, parse_integer
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.studies.reasoning_toggle_rl.lessons import mistaken_thought

each_domain = pytest.mark.parametrize("name", DOMAINS)
PYTHON = {"T": "True", "F": "False", "!": " not ", "&": " and ", "|": " or "}


def everything(name: str, count: int = 200) -> list[Item]:
    return [item for level in DOMAINS[name].levels for item in draw(name, count, seed=0, level=level)]


# --- an independent solution of every domain, by other means than the generator's


def solved(item: Item) -> str:
    return {
        "sum": lambda q: str(sum(map(int, q.split("+")))),
        "chain": lambda q: str(sum(map(int, re.findall(r"[+-]?\d", q)))),
        "logic": by_python,
        "path": by_walking,
        "reverse": lambda q: "".join(reversed(q)),
        "count": lambda q: str(q.split(":")[0].count(q[-1])),
        "order": by_trying,
    }[item.domain](item.question)


def by_python(question: str) -> str:
    assert set(question) <= set("TF!&|()")
    return "T" if eval("".join(PYTHON.get(c, c) for c in question)) else "F"


def by_walking(question: str) -> str:
    edges, query = question.split(";")
    arrows = [edge.split(">") for edge in edges.split(",")]
    assert len(dict(arrows)) == len(arrows), "two arrows out of one letter"
    place = query[0]
    for _ in range(int(query[1:])):
        place = dict(arrows)[place]
    return place


def by_trying(question: str) -> str:
    facts, wanted = question.split(";")
    pairs = [fact.split("<") for fact in facts.split(",")]
    names = {name for pair in pairs for name in pair}
    fitting = [p for p in itertools.permutations(names) if all(p.index(a) < p.index(b) for a, b in pairs)]
    (order,) = fitting
    return order[-1] if wanted == "max" else order[0]


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
def test_levels_get_longer_and_the_default_is_one(name):
    lengths = [
        np.mean([len(item.thought) for item in draw(name, 300, seed=1, level=level)]) for level in DOMAINS[name].levels
    ]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) == len(lengths)
    assert DOMAINS[name].default in DOMAINS[name].levels
    assert draw(name, 3, seed=1) == draw(name, 3, seed=1, level=DOMAINS[name].default)
    assert DOMAINS[name].kind in ("math", "general")


@each_domain
def test_canaries_have_their_verdicts(name):
    table = canaries(name)
    assert {verdict for _, _, verdict in table} == {True, False}
    wrong = [(answer[:40], said) for item, answer, said in table if DOMAINS[name].check(answer, item) is not said]
    assert not wrong
    assert all(solved(item) == item.answer for item, _, _ in table)


@each_domain
@pytest.mark.parametrize("says", [True, False])
def test_a_checker_that_says_always_the_same_is_not_believed(name, says, monkeypatch):
    check_canaries([name])
    monkeypatch.setitem(DOMAINS, name, replace(DOMAINS[name], check=lambda answer, item: says))
    with pytest.raises(LabError, match=f"checker of '{name}' calls .* {'right' if says else 'wrong'} for"):
        check_canaries(DOMAINS)


@each_domain
def test_distractors_are_three_other_answers(name):
    random = np.random.default_rng(0)
    for item in everything(name):
        others = DOMAINS[name].distractors(item, random)
        assert len({item.answer, *others}) == 4
        assert all(type(other) is str and not DOMAINS[name].check(other, item) for other in others)


@each_domain
@given(answer=st.text(max_size=80))
def test_no_text_makes_a_checker_raise(name, answer):
    item = canaries(name)[0][0]
    assert DOMAINS[name].check(answer, item) in (True, False)


@given(value=st.integers(-(10**18) + 1, 10**18 - 1), spaces=st.integers(0, 3), zeros=st.integers(0, 5))
def test_integers_are_read_back(value, spaces, zeros):
    sign = "−" if value < 0 else ""
    assert parse_integer(" " * spaces + sign + "0" * zeros + str(abs(value)) + " " * spaces) == value


# --- thoughts


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


# --- the mistaken teacher


def test_teacher_errs_by_rule_on_30_percent_of_three_digit_sums():
    items = draw("sum", 20_000, seed=0)
    wrong = [item for item in items if mistaken_thought(item)[1] != item.answer]
    assert len(wrong) / len(items) == pytest.approx(0.2955, abs=0.01), "0.2955 over all 810,000 pairs"
    assert all(int(mistaken_thought(item)[1]) < int(item.answer) for item in wrong)
    right = set(items) - set(wrong)
    assert all(mistaken_thought(item) == (item.thought, item.answer) for item in right)
    assert mistaken_thought(wrong[0]) == mistaken_thought(wrong[0])


def test_teacher_errs_where_the_rule_says():
    assert mistaken_thought(Item("sum", "347+586", "933")) == ("13,13,09", "933"), "13 is carried"
    assert mistaken_thought(Item("sum", "348+586", "934")) == ("14,12,09", "924"), "14 is not"
    assert mistaken_thought(Item("sum", "900+900", "1800")) == ("00,00,18", "1800"), "the last column is written"


def test_mistakes_are_named():
    with pytest.raises(LabError, match="given an item of 'chain'"):
        mistaken_thought(Item("chain", "1+1", "2"))
    with pytest.raises(LabError, match="Unknown domain 'sums', did you mean 'sum'"):
        canaries("sums")
