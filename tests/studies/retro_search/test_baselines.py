"""Baselines of Retro-Search by scripted models: what they keep, and where they stop."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import tiny_policy
import torch

from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.retro.search import Continuation, RevisionSettings, Traced
from nemo_lab.reasoning.retro.switch_bans import penalise_switches
from nemo_lab.reasoning.retro.thoughts import BLANK, segment, split_steps
from nemo_lab.studies.retro_search import baselines
from nemo_lab.studies.retro_search import rule_puzzles as rp
from nemo_lab.studies.retro_search.baselines import (
    correct_items,
    cut_and_answered,
    penalised,
    sample_traces,
    shortest_correct,
    truncate_and_regenerate,
)
from tests.reasoning.refusals import Call, refused
from tests.reasoning.retro.scripted import (
    CODEC,
    ITEMS,
    KEYWORDS,
    LONG,
    PUZZLES,
    patient,
    scripted,
    search,
    trail,
)
from tests.recorders import assert_seed_decides, record, spy


def test_the_shortest_right_sample_is_kept_whatever_comes_after(monkeypatch: Any) -> None:
    texts = iter([LONG[2:], LONG[1:], ["so 00+5"], ["so 13+5"], LONG[2:]])

    def sampled(*_: Any, **__: Any) -> list[Continuation]:
        steps = next(texts)
        return [Continuation(BLANK.join(steps), True, 10)]

    record(monkeypatch, baselines, "sample_traces", sampled)
    item = trail(LONG).item
    for budget, kept in ((20, LONG[2:]), (30, LONG[2:]), (50, ["so 13+5"])):
        texts = iter([LONG[2:], LONG[1:], ["so 00+5"], ["so 13+5"], LONG[2:]])
        (made,), spent = shortest_correct(scripted(patient), [item], search(), budget)
        assert (made.trace, spent) == (BLANK.join(kept), budget)
    texts = iter([["so 00+5"], LONG[1:], ["so 13+5"]])
    (first,), _ = penalised(scripted(patient), [item], search(), 30, "tip")
    assert first.trace == BLANK.join(LONG[1:]), "the first right one, not the shortest"


def test_cuts_are_at_random_thoughts_of_the_seed() -> None:
    many = [item for item in ITEMS if len(segment(item.trace, KEYWORDS)) > 2]
    cuts = [[item.trace for item in cut_and_answered(many, search(), seed)] for seed in range(3)]
    assert cuts[0] == [item.trace for item in cut_and_answered(many, search(), 0)]
    assert len(set(map(tuple, cuts))) == 3


def test_samples_that_are_right_become_items() -> None:
    found = sample_traces(scripted(patient), ITEMS, search(rows=7))
    kept = correct_items(ITEMS, found)
    assert len(kept) == len(ITEMS)
    assert all(rp.is_sound(PUZZLES[item.prompt], item.trace) for item in kept)
    assert not correct_items(ITEMS, sample_traces(scripted(patient), ITEMS, search(max_new_tokens=3)))


@pytest.mark.parametrize("budget", [1, 500, 3000])
def test_baselines_stop_at_their_budget_and_keep_the_questions(budget: int) -> None:
    model, generator = scripted(patient), torch.Generator().manual_seed(0)
    tip = penalise_switches(CODEC, KEYWORDS)
    for made, spent in (
        shortest_correct(model, ITEMS, search(), budget, generator),
        penalised(model, ITEMS, search(), budget, tip, generator),
        truncate_and_regenerate(model, ITEMS, search(), budget, generator),
    ):
        assert [item.prompt for item in made] == [item.prompt for item in ITEMS]
        assert all(item.is_correct(item.trace) for item in made)
        assert budget <= spent < 1.2 * budget + 2 * 120


def test_the_shortest_is_kept() -> None:
    made, _ = shortest_correct(scripted(patient), ITEMS, search(), 3000)
    for item, new in zip(ITEMS, made, strict=True):
        assert len(split_steps(new.trace)) <= len(split_steps(item.trace))


def test_cut_traces_end_in_an_answer_without_its_reason() -> None:
    for item, new in zip(ITEMS, cut_and_answered(ITEMS, search()), strict=True):
        assert new.is_correct(new.trace)
        assert len(segment(new.trace, KEYWORDS)) < max(len(segment(item.trace, KEYWORDS)), 2)
        assert not rp.is_sound(PUZZLES[item.prompt], new.trace) or new.trace == item.trace


NAN = math.nan
POLICY = tiny_policy.tiny_policy()
SUM = Item("sum", "1+1", "2")
TRACED = Traced("1+1=", "a\n\nWait, b", lambda trace: True)
SEARCH = RevisionSettings(max_new_tokens=4)


BASELINES: dict[str, Callable[..., object]] = {
    "shortest": shortest_correct,
    "truncated": truncate_and_regenerate,
    "penalised": lambda *given: penalised(*given, adjust=None),  # type: ignore[misc, arg-type]
}


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
@pytest.mark.parametrize(
    ("policy", "some", "budget"),
    [
        (None, [TRACED], 9),
        (POLICY, [], 9),
        (POLICY, None, 9),
        (POLICY, [replace(TRACED, trace="")], 9),
        (POLICY, [TRACED], -1),
        (POLICY, [TRACED], NAN),
        (POLICY, [TRACED], None),
    ],
)
def test_baselines(baseline: Callable[..., object], policy: Any, some: Any, budget: Any) -> None:
    refused(lambda: baseline(policy, some, SEARCH, budget))


@pytest.mark.parametrize(
    "call",
    [
        lambda: sample_traces(None, [TRACED], SEARCH),  # type: ignore[arg-type]
        lambda: sample_traces(POLICY, [SUM], SEARCH),  # type: ignore[list-item]
        lambda: cut_and_answered([], SEARCH),
        lambda: cut_and_answered([replace(TRACED, trace="")], SEARCH),
    ],
)
def test_senseless_samples_and_cuts(call: Call) -> None:
    refused(call)


def test_the_seed_decides_where_traces_are_cut_before_they_go_on(monkeypatch: Any) -> None:
    def cuts(seed: int) -> list[int]:
        advanced = spy(monkeypatch, baselines, "continuations")
        truncate_and_regenerate(scripted(patient), ITEMS, search(), 500, torch.Generator().manual_seed(0), seed)
        return [trail.position for trail in advanced.calls[0]["trails"]]

    assert_seed_decides(cuts)
