"""One seed of the Retro-Search experiment: a model with a habit, its revised traces, and copies tuned on them.

`one_seed` makes both experiments. In the first M̂ = M (`_self_data`): the model revises its own traces, and copies of
it are tuned on the originals, on the revisions and on what every baseline made of the same questions with the same
number of tokens. The second (`_weak`) has a reviser about twenty times smaller, and students of the reviser's size
that learn from the strong model's traces.

Models are taught by sampling puzzles without end, copies are tuned on a fixed set of traces; all arms of a seed take
equal steps, batches and orders of questions. What comes back are plain records, so that seeds can run in processes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from nemo_lab.errors import LabError
from nemo_lab.reasoning.policy import Policy, State, small_policy
from nemo_lab.reasoning.retro.search import Revision, RevisionSettings, Traced, revise
from nemo_lab.reasoning.retro.switch_bans import BANS, penalise_switches
from nemo_lab.reasoning.retro.thoughts import Shape
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.studies.retro_search import rule_puzzles
from nemo_lab.studies.retro_search.baselines import (
    correct_items,
    cut_and_answered,
    penalised,
    sample_traces,
    shortest_correct,
    truncate_and_regenerate,
)
from nemo_lab.studies.retro_search.measures import KEYWORDS, Cost, ExamResult, cost_of, measure, revised_items, shapes
from nemo_lab.studies.retro_search.settings import RetroSearch
from nemo_lab.training import TrainSettings, train, with_fingerprint


@dataclass
class SeedResult:
    """All of one seed, as plain records.

    Attributes:
        outcomes: of models, by what they were tuned on. data: counts of the traces of each data set.
        costs: of revisions, by kind. spent: generated tokens of each baseline. accuracy: of models before tuning.
        revisers: accuracy of weak revisers, greedy, with what their revision of the same traces did.
        revisions: prompt, trace before and after, of a few traces. state: weights of the strong model.
    """

    seed: int
    outcomes: dict[str, ExamResult] = field(default_factory=dict)
    data: dict[str, tuple[Shape, ...]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    revisers: list[tuple[float, Cost]] = field(default_factory=list)
    revisions: list[tuple[str, str, str]] = field(default_factory=list)
    state: State = field(default_factory=dict)


def revision_settings(plan: RetroSearch, **changes: Any) -> RevisionSettings:
    """The paper's search at these sizes, with changes."""
    usual = RevisionSettings(plan.gamma, plan.alternatives, keywords=KEYWORDS, max_new_tokens=plan.max_new_tokens)
    return replace(usual, **changes)


def untrained(width: int, seed: int = 0) -> Policy:
    """A policy of this experiment: Mamba-2, which sees the last tokens, then attention, twice."""
    return small_policy(
        width,
        "M*-*-",
        seed,
        rule_puzzles.codec(),
        rope_theta=10_000.0,
        ssm_heads=max(width // 16, 2),
        ssm_head_dim=16,
        chunk=64,
    )


def teach(
    plan: RetroSearch,
    seed: int,
    d_model: int,
    steps: int,
    peak_lr: float,
    on_step: Callable[[Policy, int], None] | None = None,
) -> Policy:
    """A model from scratch with the habit of `rule_puzzles.attempt`, taught on a stream of puzzles.

    `on_step` is called with the policy and the number of updates after each of them.
    """

    def pairs(step: int) -> list[tuple[str, str]]:
        numbers = range(step * plan.batch_size, (step + 1) * plan.batch_size)
        puzzles = [rule_puzzles.puzzle(seed, "train", n, plan.rules, plan.hops) for n in numbers]
        return [(p.prompt, rule_puzzles.attempt(p, plan.leave, n)) for n, p in zip(numbers, puzzles, strict=True)]

    known = with_fingerprint(pairs, "puzzles", plan.batch_size, plan.rules, plan.hops, plan.leave, seed)
    policy = untrained(d_model, seed)
    settings = TrainSettings(steps, plan.batch_size, peak_lr, steps // 20, seed=seed)
    seen = None if on_step is None else lambda row: on_step(policy, int(row["step"]))
    source = pair_source(known, policy.encode, policy.end, policy.pad)
    train(policy.model, source, settings, progress=False, on_step=seen)
    return policy


def weak_models(plan: RetroSearch, seed: int) -> list[Policy]:
    """One small model after each of `plan.weak_steps` updates; 0 is untrained, the last is the whole training."""
    found = [untrained(plan.d_weak, seed + 250)] if 0 in plan.weak_steps else []

    def look(policy: Policy, step: int) -> None:
        if step in plan.weak_steps:
            found.append(policy.with_state(policy.state()))

    teach(plan, seed + 250, plan.d_weak, plan.weak_steps[-1], plan.weak_lr, look)
    return found


def tune(plan: RetroSearch, policy: Policy, items: Sequence[Traced], seed: int) -> Policy:
    """A copy of a model, trained further on traces; which question comes when depends on the seed alone."""
    tuned = policy.with_state(policy.state())

    def pairs(step: int) -> list[tuple[str, str]]:
        rng = random.Random(f"tune {seed} {step}")
        chosen = [rng.randrange(len(items)) for _ in range(plan.batch_size)]
        return [(items[i].prompt, items[i].trace) for i in chosen]

    settings = TrainSettings(plan.tune_steps, plan.batch_size, plan.tune_lr, plan.tune_steps // 10, seed=seed)
    known = with_fingerprint(pairs, "traces", [(item.prompt, item.trace) for item in items], plan.batch_size, seed)
    train(tuned.model, pair_source(known, tuned.encode, tuned.end, tuned.pad), settings, progress=False)
    return tuned


def questions(plan: RetroSearch, seed: int, split: str, count: int) -> list[Traced]:
    """Puzzles as items without a trace; training questions are others than those that models are taught on."""
    first = max(10_000_000, plan.steps * plan.batch_size) if split == "train" else 0
    puzzles = [rule_puzzles.puzzle(seed, split, first + n, plan.rules, plan.hops) for n in range(count)]
    return [Traced(one.prompt, "", partial(rule_puzzles.is_correct, one)) for one in puzzles]


def own_traces(plan: RetroSearch, policy: Policy, items: Sequence[Traced], generator: torch.Generator) -> list[Traced]:
    """The items that the policy answers rightly in one sample, with that trace.

    Raises:
        LabError: it answers none.
    """
    found = sample_traces(policy, items, revision_settings(plan), generator)
    right = correct_items(items, found)
    if not right:
        raise LabError("The model answers no question, so that there is no trace to revise; train it for longer.")
    return right


def one_seed(plan: RetroSearch, seed: int, keep: int = 40, ablations: int = 0) -> SeedResult:
    """The whole experiment of one seed; see the head of this module.

    Args:
        keep: revisions that are returned as texts. ablations: traces on which kinds of revision are compared.
    """
    result, generator = SeedResult(seed), torch.Generator().manual_seed(seed)
    policy = teach(plan, seed, plan.d_model, plan.steps, plan.peak_lr)
    held_out = questions(plan, seed, "test", plan.held_out)
    items = own_traces(plan, policy, questions(plan, seed, "train", plan.questions), generator)
    result.state = policy.state()
    result.accuracy["strong"] = measure(policy, held_out, revision_settings(plan)).accuracy
    sets = _self_data(plan, policy, items, generator, result)
    result.revisions = result.revisions[:keep]
    for kind, data in sets.items():
        tuned = tune(plan, policy, data, seed + 1000 * (kind == "originals, other seed"))
        result.outcomes[kind] = measure(tuned, held_out, revision_settings(plan))
        result.data[kind] = shapes(data)
    result.costs |= _ablations(plan, policy, items[:ablations], generator)
    _weak(plan, items, ablations or len(items), held_out, generator, result)
    return result


def _self_data(
    plan: RetroSearch, policy: Policy, items: list[Traced], generator: torch.Generator, result: SeedResult
) -> dict[str, list[Traced]]:
    """The data sets on which copies of the model are tuned, all on the same questions."""
    search, seed = revision_settings(plan), result.seed
    revisions = revise(policy, items, search, generator, seed)
    cost = result.costs["self"] = cost_of(revisions, plan.hops)
    result.revisions = [(r.item.prompt, r.item.trace, r.trace) for r in revisions if r.accepted]
    shared = policy, items, search, cost.tokens
    tip = penalise_switches(policy, KEYWORDS, beta=plan.beta)
    found = {
        "shortest of n": shortest_correct(*shared, generator),
        "truncated": truncate_and_regenerate(*shared, generator, seed),
        "penalised": penalised(*shared, tip, generator),
    }
    result.spent |= {kind: spent for kind, (_, spent) in found.items()}
    return {
        "originals": items,
        "originals, other seed": items,
        "Retro-Search": revised_items(revisions),
        **{kind: data for kind, (data, _) in found.items()},
        "cut": cut_and_answered(items, search, seed),
    }


def _ablations(plan: RetroSearch, policy: Policy, items: list[Traced], generator: torch.Generator) -> dict[str, Cost]:
    """Kinds of revision of the same traces: when keywords are banned, and where the sweep begins."""
    kinds = {f"ban: {ban}": {"ban": ban} for ban in BANS} | {"random start": {"start": "random"}}
    if not items:
        return {}
    return {
        kind: cost_of(revise(policy, items, revision_settings(plan, **changes), generator), plan.hops)
        for kind, changes in kinds.items()
    }


def _weak(
    plan: RetroSearch,
    items: list[Traced],
    few: int,
    held_out: list[Traced],
    generator: torch.Generator,
    result: SeedResult,
) -> None:
    """Revisers along the training of one small model, and students tuned on what the last one made.

    Those between the untrained and the last one revise `few` traces: only their rates are wanted.
    """
    revisions, seed = list[Revision](), result.seed
    sets = {"originals": items, "cut": cut_and_answered(items, revision_settings(plan), seed)}
    for steps, reviser in zip(plan.weak_steps, weak_models(plan, seed), strict=True):
        whole = steps in (0, plan.weak_steps[-1])
        revisions = revise(reviser, items if whole else items[:few], revision_settings(plan), generator, seed)
        accuracy = measure(reviser, held_out, revision_settings(plan)).accuracy
        result.revisers.append((accuracy, cost_of(revisions, plan.hops)))
        if steps == 0:
            sets["revised by an untrained model"] = revised_items(revisions)
    sets["revised"] = revised_items(revisions)
    result.accuracy["reviser"] = result.revisers[-1][0]
    student = teach(plan, seed + 500, plan.d_weak, plan.weak_steps[-1], plan.weak_lr)
    result.accuracy["student"] = measure(student, held_out, revision_settings(plan)).accuracy
    for kind, data in sets.items():
        result.outcomes[f"student: {kind}"] = measure(
            tune(plan, student, data, seed), held_out, revision_settings(plan)
        )
        result.data[f"student: {kind}"] = shapes(data)
