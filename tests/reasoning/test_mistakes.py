"""What a user gets wrong: a sentence of `LabError` for every public function, from a table of senseless values."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny_policy
import torch

from nemo_lab.errors import LabError
from nemo_lab.reasoning import blends, curriculum, evaluate, sft
from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.evaluate import Answer
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, small_policy
from nemo_lab.reasoning.questions import checking, domains, templates
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.retro.search import RevisionSettings, Traced, revise, value
from nemo_lab.reasoning.retro.switch_bans import ban_switches, penalise_switches
from nemo_lab.reasoning.retro.thoughts import segment, shape, split_steps
from nemo_lab.reasoning.rollouts import sample_responses
from nemo_lab.studies.reasoning_toggle_rl.lessons import SumTeacher
from nemo_lab.studies.retro_search import rule_puzzles
from nemo_lab.studies.retro_search.baselines import (
    cut_and_answered,
    penalised,
    sample_traces,
    shortest_correct,
    truncate_and_regenerate,
)

NAN, INF = math.nan, math.inf
POLICY = tiny_policy.tiny_policy()
SUM = Item("sum", "1+1", "2")
TRACED = Traced("1+1=", "a\n\nWait, b", lambda trace: True)
SEARCH = RevisionSettings(max_new_tokens=4)
SETTINGS = GRPOSettings(1, prompts=1, group=2, max_new_tokens=2)
RNG = np.random.default_rng(0)
Call = Callable[[], object]


def refused(call: Call, words: str | None = None) -> None:
    """The call raises one short sentence, with these words."""
    with pytest.raises(LabError, match=words) as caught:
        call()
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def one_wrong(table: dict[str, list[Any]]) -> Any:
    """A parameter `name` with each of its senseless `wrong` values."""
    pairs = [(name, wrong) for name, values in table.items() for wrong in values]
    return pytest.mark.parametrize(("name", "wrong"), pairs, ids=[f"{n}={str(w)[:20]!r}" for n, w in pairs])


# --- Retro-Search


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
        lambda: value(-1, True, 0.9),
        lambda: value(None, True, 0.9),  # type: ignore[arg-type]
        lambda: value(3, True, NAN),
        lambda: split_steps(None),  # type: ignore[arg-type]
        lambda: segment("a\n\nb", "wait"),
        lambda: segment("a\n\nb", ()),
        lambda: shape("a", None),  # type: ignore[arg-type]
        lambda: shape("a", POLICY.encode, keywords=[""]),
        lambda: ban_switches(None),  # type: ignore[arg-type]
        lambda: ban_switches(POLICY, []),
        lambda: ban_switches(POLICY, "wait"),
        lambda: ban_switches(POLICY, [" "], form="completion"),
        lambda: penalise_switches(POLICY, alpha=NAN),
        lambda: penalise_switches(POLICY, beta=-1),
    ],
)
def test_parts_of_retro_search(call: Call) -> None:
    refused(call)


# --- the engine


@one_wrong(
    {
        "model": [None, POLICY],
        "prompts": [None, [], [[]], ["ab"], [[1.5]], [None], [5], [[999]], [[-1]]],
        "max_new_tokens": [None, 0, 1.5, NAN],
        "end": [None, -1, 1, 500],
        "pad": [None, 0, 500],
        "group": [None, 0, -1, 1.5],
        "temperature": [None, -1, NAN, INF, "x"],
        "generator": [3],
        "adjust": [3],
    }
)
def test_rollouts(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {"model": POLICY.model, "prompts": [[5]], "max_new_tokens": 2, "end": 0, "pad": 1}
    refused(lambda: sample_responses(**usual | {name: wrong}))


@one_wrong(
    {
        "policy": [None, POLICY.model],
        "items": [None, ["x"], SUM, [TRACED]],
        "mode": [None, "onn"],
        "template": [None, "x"],
        "max_new_tokens": [None, 0, 1.5],
        "samples": [None, 0, -1, 1.5],
        "temperature": [None, -1, NAN],
        "seed": [None, -1, 1.5],
    }
)
def test_answers(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {"policy": POLICY, "items": [SUM], "mode": "on", "max_new_tokens": 2}
    refused(lambda: evaluate.answer(**usual | {name: wrong}))


@one_wrong(
    {
        "policy": [None, POLICY.model],
        "prompts": [None, [], lambda step, attempt: None, lambda step, attempt: [Prompt("")]],
        "reward": [None, "x", lambda *given: None, lambda *given: NAN, lambda *given: "x"],
        "settings": [None, {}, SEARCH, replace(SETTINGS, kl=0.1)],
    }
)
def test_grpo(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {
        "policy": POLICY,
        "prompts": lambda step, attempt: [Prompt("1+1=")],
        "reward": lambda *given: 1.0,
        "settings": SETTINGS,
        "progress": False,
    }
    refused(lambda: grpo(**usual | {name: wrong}))


@one_wrong(
    {
        "steps": [None, 0, 1.5, NAN, True],
        "prompts": [None, 0],
        "group": [None, 1],
        "peak_lr": [None, 0, NAN, "x"],
        "temperature": [None, 0, NAN],
        "kl": [None, -1, NAN],
        "clip_low": [NAN],
        "seed": [None, -1],
        "updates": [3],
        "advantage": [None, "x"],
    }
)
def test_settings_of_grpo(name: str, wrong: object) -> None:
    refused(lambda: replace(SETTINGS, **{name: wrong}), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: Prompt(None),  # type: ignore[arg-type]
        lambda: sft.pair_batch([], [], 1),
        lambda: sft.pair_batch(None, None, 1),  # type: ignore[arg-type]
        lambda: sft.pair_batch([[]], [[3]], 1),
        lambda: sft.pair_batch([[3]], [[]], 1),
        lambda: sft.pair_batch([[3]], [[3], [4]], 1),
        lambda: sft.pair_batch([[3]], [[3]], None),  # type: ignore[arg-type]
        lambda: evaluate.score(None),  # type: ignore[arg-type]
        lambda: evaluate.pass_rates(None),  # type: ignore[arg-type]
        lambda: evaluate.pass_at([], 1),
        lambda: evaluate.pass_at([[Answer(SUM, "", True, True, True, 1)]], 2),
        lambda: evaluate.pass_at([[Answer(SUM, "", True, True, True, 1)]], 0),
        lambda: small_policy(0, "*-"),
        lambda: small_policy(None, "*-"),  # type: ignore[arg-type]
        lambda: small_policy(16, ""),
        lambda: small_policy(16, "*-", None),  # type: ignore[arg-type]
        lambda: small_policy(16, "*-", nothing=3),
        lambda: POLICY.with_state({}),
        lambda: POLICY.with_state(None),  # type: ignore[arg-type]
        lambda: POLICY.with_state(small_policy(32, "*-").state()),
        lambda: Policy.of(None, Codec()),  # type: ignore[arg-type]
        lambda: Policy.of(POLICY.model, None),  # type: ignore[arg-type]
        lambda: replace(POLICY, model=None),
        lambda: replace(POLICY, encode=None),
        lambda: replace(POLICY, end=POLICY.pad),
        lambda: Codec(None),  # type: ignore[arg-type]
        lambda: Codec([""]),
        lambda: Codec(["wait", "wait"]),
        lambda: Codec().encode(None),  # type: ignore[arg-type]
        lambda: Codec().decode([999]),
        lambda: SumTeacher(NAN),
        lambda: SumTeacher(2),
        lambda: SumTeacher().accuracy([]),
        lambda: curriculum.gaussian_batches([0.5], 1, 0),
        lambda: curriculum.gaussian_batches([0.5], None, 1),  # type: ignore[arg-type]
        lambda: curriculum.gaussian_batches([0.5], 1, 1, centres=(NAN, NAN)),
        lambda: rule_puzzles.puzzle(0, "all", 1),
        lambda: rule_puzzles.puzzle(0, "train", 1, rules=99),
        lambda: rule_puzzles.puzzle(0, "train", 1, hops=None),  # type: ignore[arg-type]
    ],
)
def test_parts_of_the_engine(call: Call) -> None:
    refused(call)


# --- questions


@pytest.mark.parametrize(
    "call",
    [
        lambda: domains.draw("sum", None, seed=0),  # type: ignore[arg-type]
        lambda: domains.draw("sum", 1.5, seed=0),  # type: ignore[arg-type]
        lambda: domains.draw("sum", 1, seed=-1),
        lambda: domains.draw(None, 1, seed=0),  # type: ignore[arg-type]
        lambda: Item("sum", None, "2"),  # type: ignore[arg-type]
        lambda: Item("sum", "1+1", 2),  # type: ignore[arg-type]
        lambda: Item("sum", "1+1", "2", options=["2", "3"]),  # type: ignore[arg-type]
        lambda: templates.prompt_of(None, "on"),  # type: ignore[arg-type]
        lambda: templates.response_of(None, "on"),  # type: ignore[arg-type]
        lambda: templates.gold_letter(None),  # type: ignore[arg-type]
        lambda: templates.gold_letter(Item("x", "q", "k", options=tuple("abcdefghijk"))),
        lambda: templates.parse(None),  # type: ignore[arg-type]
        lambda: templates.as_choice(None, RNG),  # type: ignore[arg-type]
        lambda: templates.as_choice(SUM, None),  # type: ignore[arg-type]
        lambda: templates.as_open(None),  # type: ignore[arg-type]
        lambda: templates.needs_options(None),  # type: ignore[arg-type]
        lambda: templates.items_from(None),  # type: ignore[arg-type]
        lambda: templates.items_from([{}]),
        lambda: templates.items_from([{"domain": "x", "question": "q", "answer": None, "options": None}]),
        lambda: templates.filter_reasons(None),  # type: ignore[arg-type]
        lambda: templates.keep(None),  # type: ignore[arg-type]
        lambda: templates.corrupt(None, 0.5, RNG),  # type: ignore[arg-type]
        lambda: templates.corrupt([SUM], None, RNG),  # type: ignore[arg-type]
        lambda: templates.corrupt([SUM], NAN, RNG),
        lambda: templates.adheres(None, "on"),  # type: ignore[arg-type]
        lambda: templates.is_right(SUM, None),  # type: ignore[arg-type]
        lambda: templates.is_right(None, "2"),  # type: ignore[arg-type]
        lambda: templates.reward(SUM, None, ended=True, mode="on"),  # type: ignore[arg-type]
        lambda: templates.reward(None, "2", ended=True, mode="on"),  # type: ignore[arg-type]
        lambda: checking.same_answer(None, "1"),  # type: ignore[arg-type]
        lambda: checking.same_answer("1", None),  # type: ignore[arg-type]
        lambda: checking.same_answer("x", "y", kind="math", seconds=NAN),
        lambda: blends.natural(None),  # type: ignore[arg-type]
        lambda: blends.blend_prompts({("sum", "open"): 1.0}, {("sum", "open"): [SUM]}, 0, size=0),
        lambda: blends.blend_prompts({("sum", "open"): 1.0}, {("sum", "open"): [SUM]}, -1, size=1),
        lambda: blends.blend_prompts({("sum", "open"): NAN}, {("sum", "open"): [SUM]}, 0, size=1),
    ],
)
def test_questions(call: Call) -> None:
    refused(call)


# --- what a policy keeps


def test_kept_weights_come_back_and_the_policy_stays() -> None:
    before = POLICY.state()
    other = POLICY.with_state({name: tensor + 1 for name, tensor in before.items()})
    assert all(torch.equal(tensor, before[name]) for name, tensor in POLICY.state().items())
    assert all(torch.equal(tensor, before[name] + 1) for name, tensor in other.state().items())
    before["head.weight"].zero_()
    assert POLICY.state()["head.weight"].any()


@pytest.mark.parametrize(("pattern", "rope"), [("*-*-", 10_000.0), ("M*-", 0.0)])
def test_a_small_policy_has_positions_where_nothing_else_gives_them(pattern: str, rope: float) -> None:
    policy = small_policy(32, pattern, 3)
    assert policy.model.config.rope_theta == rope
    assert policy.vocab_size == Codec().vocab_size
    again = small_policy(32, pattern, 3).state()
    assert all(torch.equal(tensor, again[name]) for name, tensor in policy.state().items())
    assert not torch.equal(small_policy(32, pattern, 4).state()["head.weight"], again["head.weight"])
