"""Bans token by token, values, and revisions by scripted models for which the right revision is known."""

import re
from collections.abc import Callable
from functools import partial
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.policy import Policy
from nemo_lab.reasoning.retro import search as retro_search
from nemo_lab.reasoning.retro.search import Continuation, RevisionSettings, Traced, Trail, advance, revise, value
from nemo_lab.reasoning.retro.switch_bans import ban_switches, open_step, penalise_switches, switch_tokens
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
from tests.recorders import record

CODEC = rp.codec()
KEYWORDS = tuple(word.lower() for word in rp.SWITCHES)


class Scripted:
    """A causal model that writes step by step what a policy prefers; banned tokens move it to the next preference.

    Hugging Face's calling convention, so that `sample_responses` decodes it like any other model.
    """

    def __init__(self, policy: Callable[[rp.Puzzle, list[str]], list[str]]) -> None:
        self.policy = policy

    config = SimpleNamespace(vocab_size=CODEC.vocab_size)

    def parameters(self) -> Any:
        return iter([torch.zeros(1)])

    def __call__(self, tokens: Any, attention_mask: Any, past_key_values: Any = None, **_: Any) -> SimpleNamespace:
        seen = tokens if past_key_values is None else torch.cat([past_key_values, tokens], 1)
        rows = zip(seen.tolist(), attention_mask.tolist(), strict=True)
        texts = [CODEC.decode(t for t, real in zip(row, mask, strict=True) if real) for row, mask in rows]
        logits = torch.zeros(len(texts), 1, CODEC.vocab_size)
        for row, text in enumerate(texts):
            for rank, rest in enumerate(self.preferred(text)):
                logits[row, 0, CODEC.encode(rest)[0] if rest else CODEC.end] = 100.0 - rank
        return SimpleNamespace(logits=logits, past_key_values=seen)

    def preferred(self, text: str) -> list[str]:
        """What is left to write of each preferred step."""
        prompt, trace = text[: text.index("?") + 4], text[text.index("?") + 4 :]
        finished, written = open_step(trace)
        steps = [step.rstrip("\n") for step in split_steps(trace)[:finished]]
        whole = [step if step.startswith("so") else step + "\n\n" for step in self.policy(PUZZLES[prompt], steps)]
        return [step[len(written) :] for step in whole if step.startswith(written)]


def scripted(policy: Callable[[rp.Puzzle, list[str]], list[str]]) -> Policy:
    return Policy(Scripted(policy), CODEC.encode, CODEC.decode, CODEC.end, CODEC.pad)


def patient(one: rp.Puzzle, steps: list[str]) -> list[str]:
    """Each rule in its turn, to its end. Where it may not switch, it guesses; to what is no step it has no answer."""
    if not steps:
        return [hop(one.start, one.rules[0])]
    last = re.fullmatch(r"(?:.*, )?\d\d(\D\d+)=(\d\d)(?: vs \d\d)?", steps[-1])
    if last is None or last[1] not in one.rules:
        return []
    made = len(segment("\n\n".join(steps), KEYWORDS)[-1])
    if made < one.hops:
        return [hop(int(last[2]), last[1]) + f" vs {one.goal:02d}" * (made == one.hops - 1)]
    guess = f"so {steps[-1].split(', ')[-1].split('=')[0]}"
    return [guess] if int(last[2]) == one.goal else [f"Not sure, {hop(one.start, after(one, steps))}", guess]


def hasty(one: rp.Puzzle, steps: list[str]) -> list[str]:
    """Would rather switch after two steps of the first rule; where that is banned, goes on."""
    go_on = patient(one, steps)
    short = bool(steps) and len(segment("\n\n".join(steps), KEYWORDS)[-1]) == 2 and one.rules[0] in steps[-1]
    return [f"Hmm, {hop(one.start, after(one, steps))}", *go_on] if short else go_on


def after(one: rp.Puzzle, steps: list[str]) -> str:
    rule = steps[-1].split("=")[0].split(" ")[-1][2:]
    return one.rules[(one.rules.index(rule) + 1) % len(one.rules)]


def hop(number: int, rule: str) -> str:
    return f"{number:02d}{rule}={rp.apply(rule, number):02d}"


def items_of(some: list[rp.Puzzle], leave: float = 0.6) -> list[Traced]:
    return [Traced(one.prompt, rp.attempt(one, leave, 5), partial(rp.is_correct, one)) for one in some]


def search(**changes: Any) -> RevisionSettings:
    return RevisionSettings(**{"keywords": KEYWORDS, "temperature": 0.0, "max_new_tokens": 120} | changes)


PUZZLES = {one.prompt: one for one in (rp.puzzle(0, "train", n) for n in range(24))}
ITEMS = items_of(list(PUZZLES.values()))


# --- bans, token by token


def banned(adjust: Any, codec: Codec, new: str) -> set[str]:
    adjust(torch.zeros(1, codec.vocab_size), [[]])  # a rollout begins without new tokens
    logits = adjust(torch.zeros(1, codec.vocab_size), [codec.encode(new)])
    return {codec.decode([i]) for i in range(codec.vocab_size) if logits[0, i] == -torch.inf}


def test_first_tokens_are_banned_through_the_first_blank_line_only() -> None:
    adjust = ban_switches(CODEC, KEYWORDS)
    first = {CODEC.decode([token]) for token in switch_tokens(CODEC, KEYWORDS)}
    assert {"Wait", "H", "Alternatively", "N", "w", "W"} <= first
    assert not {" ", "\n\n", "02", "so ", " sure"} & first
    for new in ("", "02x3=06", "\n\n", "\n\n02"):
        assert banned(adjust, CODEC, new) == first
    for new in ("02x3=06\n\n", "02x3=06\n\nW", "so x3\n\n06"):
        assert banned(adjust, CODEC, new) == set()


def test_always_bans_in_every_step_and_never_is_no_hook() -> None:
    adjust = ban_switches(CODEC, KEYWORDS, "always")
    assert banned(adjust, CODEC, "02x3=06\n\n02x3=06\n\n") == banned(adjust, CODEC, "") != set()
    assert ban_switches(CODEC, KEYWORDS, "never") is None


def test_completions_are_banned_given_the_text_so_far() -> None:
    adjust = ban_switches(CODEC, KEYWORDS, form="completion")
    assert banned(adjust, CODEC, "") == {"Wait", "Alternatively"}  # those of one token
    assert banned(adjust, CODEC, "Hm") == {"m", "M"}
    assert banned(adjust, CODEC, "Not") == {" sure"}  # a token for what is left
    assert banned(adjust, CODEC, "Not sur") == {"e", "E"}
    assert banned(adjust, CODEC, "Wai") == {"t", "T"}
    assert banned(adjust, CODEC, "x Hm") == set()  # not at the beginning of the step
    assert banned(adjust, CODEC, "02x3=06\n\nHm") == set()  # free


def test_keywords_of_any_case_and_of_pieces_are_caught() -> None:
    codec = Codec(["wa", "Wait", " wait", "waiting", "it"])
    completion = ban_switches(codec, ["wait"], form="completion")
    assert banned(completion, codec, "") == {"Wait", " wait"}  # not "waiting", another word
    assert banned(completion, codec, "wa") == {"it"}
    assert banned(completion, codec, " wai") == {"t", "T"}
    assert banned(ban_switches(codec, ["wait"]), codec, "") == {"wa", "Wait", " wait", "W"}


@pytest.mark.parametrize("form", ["first token", "completion"])
def test_rows_are_banned_each_for_itself_and_logits_stay(form: str) -> None:
    logits = torch.zeros(2, CODEC.vocab_size)
    out = ban_switches(CODEC, KEYWORDS, form=form)(logits, [[], CODEC.encode("02x3=06\n\n")])  # type: ignore[misc]
    assert (out[0] == -torch.inf).any()
    assert not (out[1] == -torch.inf).any()
    assert not logits.any()


@pytest.mark.parametrize("wrong", [{"ban": "sometimes"}, {"form": "last token"}])
def test_unknown_bans_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="valid:"):
        ban_switches(CODEC, KEYWORDS, **wrong)


def test_the_penalty_holds_for_beta_tokens_of_a_thought() -> None:
    adjust, wait = penalise_switches(CODEC, KEYWORDS, alpha=3, beta=4), CODEC.encode("Wait")[0]

    def off(new: str) -> float:
        return float(adjust(torch.zeros(1, CODEC.vocab_size), [CODEC.encode(new)])[0, wait])

    assert [off(new) for new in ("", "02x3=06", "02x3=06\n\n", "02x3=06\n\nWait")] == [-3, -3, 0, -3]
    assert float(adjust(torch.zeros(1, CODEC.vocab_size), [[]]).sum()) == -3 * len(switch_tokens(CODEC, KEYWORDS))


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


LONG = ["03+5=08", "08+5=13", "13+5=01", "so 13+5"]


def trail(steps: list[str], keywords: tuple[str, ...] = KEYWORDS) -> Trail:
    """A trace of these steps behind one thought that was given up; right is what ends with `so 13+5`."""
    text = BLANK.join(["03+8=11", f"Hmm, {steps[0]}", *steps[1:]])
    item = Traced("p", text, lambda trace: trace.endswith("so 13+5"))
    return Trail(item, segment(text, keywords))


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


# --- baselines


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
