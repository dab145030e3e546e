"""Values, and revisions by scripted models for which the right revision is known."""

import math
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
import tiny_policy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.retro import search as retro_search
from nemo_lab.reasoning.retro.search import Continuation, RevisionSettings, Traced, Trail, advance, revise, value
from nemo_lab.reasoning.retro.thoughts import BLANK, segment, split_steps
from tests.reasoning.refusals import Call, one_wrong, refused
from tests.reasoning.retro.scripted import (
    CODEC,
    ITEMS,
    KEYWORDS,
    LONG,
    Scripted,
    hasty,
    hop,
    patient,
    scripted,
    search,
    trail,
)
from tests.recorders import record

# --- value


@given(st.integers(0, 60), st.integers(0, 60), st.booleans(), st.floats(0.01, 0.999))
def test_a_larger_value_is_right_and_fewer_steps(now: int, new: int, correct: bool, gamma: float) -> None:
    gamma = max(gamma, 1e-4 ** (1 / 60))  # no underflow
    assert (value(new, correct, gamma) > value(now, True, gamma)) == (correct and new < now)


# --- revision


def by_hand(model: Scripted, item: Traced, ban: bool = True) -> str:
    """Retro-Search on one trace, on texts: the definition again, without tokens, batches and values."""
    thoughts, at = segment(item.trace, KEYWORDS), 0
    while at < len(thoughts) - 1:
        prefix = "".join(step for thought in thoughts[: at + 1] for step in thought)
        text, first = item.prompt + prefix, ban
        while "so " not in text and len(CODEC.encode(text)) < 200:
            options = [step for step in model.preferred(text) if not (first and step[0] in "WHAN")]
            text, first = text + options[0], False
        new = segment(text[len(item.prompt) :], KEYWORDS)
        if item.is_correct(text[len(item.prompt) :]) and sum(map(len, new)) < sum(map(len, thoughts)):
            thoughts = new
        at += 1
    return "".join(step for thought in thoughts for step in thought)


@pytest.mark.parametrize(
    ("policy", "form"), [(patient, "first token"), (patient, "completion"), (hasty, "first token")]
)  # hasty under "completion" would have to go on from half a keyword
def test_the_known_right_revision_is_found(policy: Any, form: str) -> None:
    revisions = revise(scripted(policy), ITEMS, search(form=form))
    assert [r.trace for r in revisions] == [by_hand(Scripted(policy), item) for item in ITEMS]
    assert sum(bool(r.accepted) for r in revisions) > 3


@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_the_best_of_several_continuations_counts(order: tuple[int, ...]) -> None:
    """Right and short, among a longer right one, shorter ones that are wrong or never ended, and one as long as now."""
    texts = [BLANK.join(LONG[2:]), BLANK.join(LONG[1:]), "so 00+5", "so 13+5", BLANK.join(LONG)]
    some = [Continuation(text, text != texts[3], len(text)) for text in texts]
    one = trail(LONG)
    advance([one], [[some[k] for k in order]], search(alternatives=5))
    assert one.revision().trace == f"03+8=11{BLANK}{texts[0]}"
    assert one.accepted == [(0, 4, 2)]
    assert (one.rollouts, one.tokens) == (5, sum(map(len, texts)))


@pytest.mark.parametrize("text", [BLANK.join(LONG), "so 00+5", BLANK.join([*LONG[:1], *LONG])])
def test_what_is_not_right_and_shorter_changes_nothing(text: str) -> None:
    one = trail(LONG)
    before = one.revision().trace
    advance([one], [[Continuation(text, True, 3)]], search())
    assert (one.revision().trace, one.accepted, one.rollouts) == (before, [], 1)


def test_each_trail_has_its_own_continuations() -> None:
    trails = [trail(LONG), trail(LONG)]
    better, worse = Continuation("so 13+5", True, 2), Continuation("so 00+5", True, 3)
    advance(trails, [[worse], [better]], search())
    assert [one.accepted for one in trails] == [[], [(0, 4, 1)]]
    assert [one.tokens for one in trails] == [3, 2]


def test_random_starts_have_a_seed_and_full_sweeps_begin_at_the_first_thought(monkeypatch: Any) -> None:
    begun = record(monkeypatch, retro_search, "advance", lambda trails, found, search: seen.append(positions(trails)))
    record(monkeypatch, retro_search, "continuations", [])

    def positions(trails: list[Trail]) -> list[int]:
        return [one.position for one in trails]

    starts = {}
    for key, changes, seed in (("full", {}, 0), ("one", {"start": "random"}, 0), ("two", {"start": "random"}, 1)):
        seen: list[list[int]] = []
        revise(scripted(patient), ITEMS, search(**changes), None, seed)
        starts[key] = seen[0]
    assert set(starts["full"]) == {0}
    assert starts["one"] != starts["two"]
    assert len(set(starts["one"])) > 1
    assert begun.calls


def test_continuations_are_drawn_with_the_ban_and_the_generator(monkeypatch: Any) -> None:
    banned_by = record(monkeypatch, retro_search, "ban_switches", "hook")
    going_on = record(monkeypatch, retro_search, "continuations", lambda policy, trails, *_: [[] for _ in trails])
    record(monkeypatch, retro_search, "advance")
    generator, wanted = torch.Generator(), search(ban="always", form="completion")
    policy = scripted(patient)
    revise(policy, ITEMS, wanted, generator)
    assert all(one is policy for one in going_on.all("policy"))
    assert banned_by.only("codec") is policy
    assert banned_by.only("keywords") == KEYWORDS
    assert (banned_by.only("ban"), banned_by.only("form")) == ("always", "completion")
    assert set(going_on.all("hook")) == {"hook"}
    assert all(one is generator for one in going_on.all("generator"))
    assert all(one is wanted for one in going_on.all("search"))


def test_batched_equals_one_by_one() -> None:
    model = scripted(patient)
    together = revise(model, ITEMS, search())
    alone = [revise(model, [item], search())[0] for item in ITEMS]
    assert together == alone == revise(model, ITEMS, search(rows=5))


def test_revisions_keep_their_promises_and_add_up() -> None:
    for revision in revise(scripted(hasty), ITEMS, search(alternatives=2)):
        before, after = segment(revision.item.trace, KEYWORDS), segment(revision.trace, KEYWORDS)
        assert revision.item.is_correct(revision.trace)
        saved = sum(was - now for _, was, now in revision.accepted)
        assert sum(map(len, before)) - sum(map(len, after)) == saved
        assert all(was > now for _, was, now in revision.accepted)
        assert revision.rollouts % 2 == 0
        assert (revision.rollouts == 0) == (len(before) == 1)  # the last thought has no switch behind it


def test_a_model_that_never_ends_changes_nothing() -> None:
    restless = scripted(lambda one, steps: ["Wait, " + hop(one.start, one.rules[0]), hop(one.start, one.rules[0])])
    revisions = revise(restless, ITEMS[:4], search(max_new_tokens=30))
    assert [r.trace for r in revisions] == [item.trace for item in ITEMS[:4]]
    assert all(r.tokens == 30 * r.rollouts for r in revisions)


def test_at_gamma_one_length_does_not_count() -> None:
    assert not any(r.accepted for r in revise(scripted(patient), ITEMS, search(gamma=1.0)))


def test_a_partial_revision_that_starts_at_the_first_thought_is_the_full_one() -> None:
    two = [item for item in ITEMS if len(segment(item.trace, KEYWORDS)) == 2]
    full, partial_ = (revise(scripted(patient), two, search(start=start)) for start in ("first", "random"))
    assert full == partial_
    assert two


def test_a_partial_revision_costs_less() -> None:
    full, part = (revise(scripted(patient), ITEMS, search(start=start)) for start in ("first", "random"))
    assert sum(r.rollouts for r in part) < sum(r.rollouts for r in full)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 3.0), st.sampled_from(["first step", "always", "never"]))
def test_any_model_leaves_traces_right_and_no_longer(seed: int, temperature: float, ban: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    changed = search(temperature=temperature * 100, ban=ban, max_new_tokens=25, start="random")
    for revision in revise(scripted(patient), ITEMS[:3], changed, generator, seed):
        assert revision.item.is_correct(revision.trace)
        assert len(split_steps(revision.trace)) <= len(split_steps(revision.item.trace))


def test_wrong_traces_are_refused() -> None:
    wrong = Traced(ITEMS[0].prompt, "so what", ITEMS[0].is_correct)
    with pytest.raises(ValueError, match=r"1 traces do not end in the right answer, the first is 1"):
        revise(scripted(patient), [ITEMS[0], wrong], search())


# --- mistakes


NAN, INF = math.nan, math.inf
POLICY = tiny_policy.tiny_policy()
SUM = Item("sum", "1+1", "2")
TRACED = Traced("1+1=", "a\n\nWait, b", lambda trace: True)
SEARCH = RevisionSettings(max_new_tokens=4)
SETTINGS = GRPOSettings(1, prompts=1, group=2, max_new_tokens=2)


@one_wrong(
    {
        "gamma": [0, -1, 1.1, NAN, None, "x", True],
        "alternatives": [0, -1, 1.5, NAN, None, True],
        "rows": [0, 2.5, None],
        "max_new_tokens": [0, -3, 2.5, NAN, None],
        "temperature": [-1, NAN, INF, None, "x"],
        "keywords": [(), None, "wait", [""], (" ",), [1], ("wait", None)],
        "start": [None, "last", 3],
        "ban": [None, "no"],
        "form": [None, "x"],
    }
)
def test_settings_of_a_search(name: str, wrong: object) -> None:
    refused(lambda: RevisionSettings(**{name: wrong}), name.removesuffix("s"))


def revised(**changed: Any) -> object:
    return revise(**{"policy": POLICY, "items": [TRACED], "search": SEARCH} | changed)


@one_wrong(
    {
        "policy": [None, POLICY.model, Codec()],
        "items": [None, [], "x", ["x"], [SUM], TRACED, [replace(TRACED, trace="")]],
        "search": [None, {}, SETTINGS],
        "generator": [3],
    }
)
def test_a_revision(name: str, wrong: object) -> None:
    refused(lambda: revised(**{name: wrong}))


@one_wrong({"prompt": [None, 3], "trace": [None, ["a"]], "is_correct": [None, True]})
def test_a_traced_question(name: str, wrong: object) -> None:
    refused(lambda: replace(TRACED, **{name: wrong}), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: value(-1, True, 0.9),
        lambda: value(None, True, 0.9),  # type: ignore[arg-type]
        lambda: value(3, True, NAN),
    ],
)
def test_no_value_of_what_is_no_number(call: Call) -> None:
    refused(call)
