"""One seed of the Retro-Search experiment: a model with a habit, its revised traces, and copies tuned on them.

`self_search` is M̂ = M: the model revises its own traces, and copies of it are tuned on the originals, on the
revisions and on what every baseline made of the same questions with the same number of tokens. `weak_search` has
a reviser about twenty times smaller, and students of the reviser's size that learn from the strong model's traces.

Models are taught by sampling puzzles without end, copies are tuned on a fixed set of traces; all arms of a seed take
equal steps, batches and orders of questions. What comes back are plain records, so that seeds can run in processes.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import torch

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.reasoning import rule_puzzles
from nemo_lab.reasoning.retro_baselines import (
    correct_items,
    cut_and_answered,
    penalised,
    sample_traces,
    shortest_correct,
    truncate_and_regenerate,
)
from nemo_lab.reasoning.retro_measures import KEYWORDS, Cost, Outcome, cost_of, measure, revised_items, shapes
from nemo_lab.reasoning.retro_search import Item, Revision, Search, revise
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.reasoning.switch_bans import BANS, penalise_switches
from nemo_lab.reasoning.thoughts import Shape
from nemo_lab.training import TrainSettings, train


@dataclass(frozen=True)
class Plan:
    """Sizes of an experiment; `nemo_lab.lab.reasoning_settings` says what each is."""

    rules: int
    hops: int
    leave: float
    batch_size: int
    peak_lr: float
    steps: int
    tune_steps: int
    tune_lr: float
    questions: int
    held_out: int
    max_new_tokens: int
    alternatives: int
    gamma: float
    beta: int
    d_model: int
    d_weak: int
    weak_steps: tuple[int, ...]
    weak_lr: float

    @classmethod
    def of(cls, settings: Any) -> Plan:
        """The plan in a notebook's settings, which have a field for each of ours."""
        return cls(**{each.name: getattr(settings, each.name) for each in fields(cls)})

    def search(self, **changes: Any) -> Search:
        """The paper's search at these sizes, with changes."""
        usual = Search(self.gamma, self.alternatives, keywords=KEYWORDS, max_new_tokens=self.max_new_tokens)
        return replace(usual, **changes)


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
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    data: dict[str, tuple[Shape, ...]] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    revisers: list[tuple[float, Cost]] = field(default_factory=list)
    revisions: list[tuple[str, str, str]] = field(default_factory=list)
    state: dict[str, torch.Tensor] = field(default_factory=dict)


def config(d_model: int, vocab_size: int) -> HybridConfig:
    """The shape of a model of this experiment: Mamba-2, which sees the last tokens, then attention, twice."""
    heads = max(d_model // 16, 1)
    return HybridConfig(
        pattern="M*-*-",
        vocab_size=vocab_size,
        d_model=d_model,
        d_ff=4 * d_model,
        n_heads=heads,
        n_kv_heads=heads,
        head_dim=16,
        rope_theta=10_000.0,
        init_std=0.05,
        ssm_heads=max(heads, 2),
        ssm_head_dim=16,
        ssm_state=16,
        ssm_groups=1,
    )


def teach(
    plan: Plan,
    seed: int,
    d_model: int,
    steps: int,
    peak_lr: float,
    on_step: Callable[[HybridLM, int], None] | None = None,
) -> HybridLM:
    """A model from scratch with the habit of `rule_puzzles.attempt`, taught on a stream of puzzles.

    `on_step` is called with the model and the number of updates after each of them.
    """
    codec = rule_puzzles.codec()

    def pairs(step: int) -> list[tuple[str, str]]:
        numbers = range(step * plan.batch_size, (step + 1) * plan.batch_size)
        puzzles = [rule_puzzles.puzzle(seed, "train", n, plan.rules, plan.hops) for n in numbers]
        return [(p.prompt, rule_puzzles.attempt(p, plan.leave, n)) for n, p in zip(numbers, puzzles, strict=True)]

    model = HybridLM(config(d_model, codec.vocab_size), seed=seed)
    settings = TrainSettings(steps, plan.batch_size, peak_lr, steps // 20, seed=seed)
    seen = None if on_step is None else lambda row: on_step(model, int(row["step"]))
    source = pair_source(pairs, codec.encode, codec.end, codec.pad)
    train(model, source, settings, progress=False, on_step=seen)
    return model


def weak_models(plan: Plan, seed: int) -> list[HybridLM]:
    """One small model after each of `plan.weak_steps` updates; 0 is untrained, the last is the whole training."""
    vocab_size = rule_puzzles.codec().vocab_size
    untrained = HybridLM(config(plan.d_weak, vocab_size), seed=seed + 250)
    found = [untrained] if 0 in plan.weak_steps else []

    def look(model: HybridLM, step: int) -> None:
        if step in plan.weak_steps:
            found.append(copy.deepcopy(model))

    teach(plan, seed + 250, plan.d_weak, plan.weak_steps[-1], plan.weak_lr, look)
    return found


def tune(plan: Plan, model: HybridLM, items: Sequence[Item], seed: int) -> HybridLM:
    """A copy of a model, trained further on traces; which question comes when depends on the seed alone."""
    codec, tuned = rule_puzzles.codec(), copy.deepcopy(model)

    def pairs(step: int) -> list[tuple[str, str]]:
        rng = random.Random(f"tune {seed} {step}")
        chosen = [rng.randrange(len(items)) for _ in range(plan.batch_size)]
        return [(items[i].prompt, items[i].trace) for i in chosen]

    settings = TrainSettings(plan.tune_steps, plan.batch_size, plan.tune_lr, plan.tune_steps // 10, seed=seed)
    train(tuned, pair_source(pairs, codec.encode, codec.end, codec.pad), settings, progress=False)
    return tuned


def questions(plan: Plan, seed: int, split: str, count: int) -> list[Item]:
    """Puzzles as items without a trace; training questions are others than those that models are taught on."""
    first = max(10_000_000, plan.steps * plan.batch_size) if split == "train" else 0
    puzzles = [rule_puzzles.puzzle(seed, split, first + n, plan.rules, plan.hops) for n in range(count)]
    return [Item(one.prompt, "", partial(rule_puzzles.is_correct, one)) for one in puzzles]


def own_traces(plan: Plan, model: HybridLM, items: Sequence[Item], generator: torch.Generator) -> list[Item]:
    """The items that the model answers rightly in one sample, with that trace."""
    found = sample_traces(model, items, rule_puzzles.codec(), plan.search(), generator)
    right = correct_items(items, found)
    if not right:
        raise ValueError("The model answers no question, so that there is no trace to revise; train it for longer.")
    return right


def one_seed(plan: Plan, seed: int, keep: int = 40, ablations: int = 0) -> SeedResult:
    """The whole experiment of one seed; see the head of this module.

    Args:
        keep: revisions that are returned as texts. ablations: traces on which kinds of revision are compared.
    """
    result, generator = SeedResult(seed), torch.Generator().manual_seed(seed)
    model = teach(plan, seed, plan.d_model, plan.steps, plan.peak_lr)
    held_out = questions(plan, seed, "test", plan.held_out)
    items = own_traces(plan, model, questions(plan, seed, "train", plan.questions), generator)
    result.state = dict(model.state_dict())
    result.accuracy["strong"] = measure(model, held_out, plan.search()).accuracy
    sets = _self_data(plan, model, items, generator, result)
    result.revisions = result.revisions[:keep]
    for kind, data in sets.items():
        tuned = tune(plan, model, data, seed + 1000 * (kind == "originals, other seed"))
        result.outcomes[kind] = measure(tuned, held_out, plan.search())
        result.data[kind] = shapes(data)
    result.costs |= _ablations(plan, model, items[:ablations], generator)
    _weak(plan, items, ablations or len(items), held_out, generator, result)
    return result


def _self_data(
    plan: Plan, model: HybridLM, items: list[Item], generator: torch.Generator, result: SeedResult
) -> dict[str, list[Item]]:
    """The data sets on which copies of the model are tuned, all on the same questions."""
    codec, search, seed = rule_puzzles.codec(), plan.search(), result.seed
    revisions = revise(model, items, codec, search, generator, seed)
    cost = result.costs["self"] = cost_of(revisions, plan.hops)
    result.revisions = [(r.item.prompt, r.item.trace, r.trace) for r in revisions if r.accepted]
    shared = model, items, codec, search, cost.tokens
    tip = penalise_switches(codec, KEYWORDS, beta=plan.beta)
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


def _ablations(plan: Plan, model: HybridLM, items: list[Item], generator: torch.Generator) -> dict[str, Cost]:
    """Kinds of revision of the same traces: when keywords are banned, and where the sweep begins."""
    kinds = {f"ban: {ban}": {"ban": ban} for ban in BANS} | {"random start": {"start": "random"}}
    if not items:
        return {}
    return {
        kind: cost_of(revise(model, items, rule_puzzles.codec(), plan.search(**changes), generator), plan.hops)
        for kind, changes in kinds.items()
    }


def _weak(
    plan: Plan, items: list[Item], few: int, held_out: list[Item], generator: torch.Generator, result: SeedResult
) -> None:
    """Revisers along the training of one small model, and students tuned on what the last one made.

    Those between the untrained and the last one revise `few` traces: only their rates are wanted.
    """
    codec, revisions, seed = rule_puzzles.codec(), list[Revision](), result.seed
    sets = {"originals": items, "cut": cut_and_answered(items, plan.search(), seed)}
    for steps, reviser in zip(plan.weak_steps, weak_models(plan, seed), strict=True):
        whole = steps in (0, plan.weak_steps[-1])
        revisions = revise(reviser, items if whole else items[:few], codec, plan.search(), generator, seed)
        accuracy = measure(reviser, held_out, plan.search()).accuracy
        result.revisers.append((accuracy, cost_of(revisions, plan.hops)))
        if steps == 0:
            sets["revised by an untrained model"] = revised_items(revisions)
    sets["revised"] = revised_items(revisions)
    result.accuracy["reviser"] = result.revisers[-1][0]
    student = teach(plan, seed + 500, plan.d_weak, plan.weak_steps[-1], plan.weak_lr)
    result.accuracy["student"] = measure(student, held_out, plan.search()).accuracy
    for kind, data in sets.items():
        result.outcomes[f"student: {kind}"] = measure(tune(plan, student, data, seed), held_out, plan.search())
        result.data[f"student: {kind}"] = shapes(data)
