"""Levels and canaries of every domain, and a checker that knows right from wrong."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.corpora import cards
from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import domains
from nemo_lab.reasoning.questions.domains import DOMAINS, canaries, check_canaries, draw, parse_integer
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.studies.reasoning_toggle_rl.lessons import mistaken_thought
from tests.card_tables import rows
from tests.reasoning.questions.solved import solved
from tests.reasoning.refusals import Call, refused

each_domain = pytest.mark.parametrize("name", DOMAINS)


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
@given(answer=st.text(max_size=80))
def test_no_text_makes_a_checker_raise(name, answer):
    item = canaries(name)[0][0]
    assert DOMAINS[name].check(answer, item) in (True, False)


@given(value=st.integers(-(10**18) + 1, 10**18 - 1), spaces=st.integers(0, 3), zeros=st.integers(0, 5))
def test_integers_are_read_back(value, spaces, zeros):
    sign = "−" if value < 0 else ""
    assert parse_integer(" " * spaces + sign + "0" * zeros + str(abs(value)) + " " * spaces) == value


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


CARD = cards.card_path("reasoning-items").read_text(encoding="utf-8")


def test_the_domains_are_those_of_the_code():
    assert [row[0] for row in rows("domain", CARD)] == list(DOMAINS)
    for name, kind, question, _, answer, levels in rows("domain", CARD):
        domain = DOMAINS[name]
        assert domain.kind == kind
        assert domain.check(answer.strip("`"), Item(name, question.strip("`"), answer.strip("`")))
        assert [int(number) for number in re.findall(r"\d+", levels)] == [
            domain.levels[0],
            domain.levels[-1],
            domain.default,
        ]


@pytest.mark.parametrize(
    "call",
    [
        lambda: domains.draw("sum", None, seed=0),  # type: ignore[arg-type]
        lambda: domains.draw("sum", 1.5, seed=0),  # type: ignore[arg-type]
        lambda: domains.draw("sum", 1, seed=-1),
        lambda: domains.draw(None, 1, seed=0),  # type: ignore[arg-type]
    ],
)
def test_a_draw_that_cannot_be(call: Call) -> None:
    refused(call)
