"""What Retro-Search is measured against: other ways to shorter traces, at the same number of generated tokens.

    shortest_correct            sample whole traces, keep the shortest right one of each question
    truncate_and_regenerate     cut at a random thought, go on without any ban, keep what is right and shorter
    penalised                   sample with TIP's penalty on switch tokens, keep the first right trace
    cut_and_answered            cut at a random thought and write the answer: short and right, without its reason

Each takes the budget of tokens that a revision spent, and stops at it within one batch of continuations. All but
the last keep the original where they find nothing better, so that every method trains on the same questions. Each
raises `LabError` for a wrong or empty trace and for a budget that is no number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from nemo_lab.errors import check_each, check_number
from nemo_lab.reasoning.policy import Policy, check_policy
from nemo_lab.reasoning.retro.search import (
    Continuation,
    RevisionSettings,
    Traced,
    advance,
    check_traces,
    checked,
    continuations,
    trails_of,
)
from nemo_lab.reasoning.retro.thoughts import join, segment, split_steps
from nemo_lab.reasoning.rollouts import Adjust, sample_responses

Drawn = tuple[list[Traced], int]
"""Items with the traces that were kept, and the tokens spent."""


def sample_traces(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    generator: torch.Generator | None = None,
    adjust: Adjust | None = None,
) -> list[Continuation]:
    """One whole trace for every item's prompt; the items' own traces are not looked at.

    Raises:
        LabError: no policy, or something else than `Traced`.
    """
    check_policy(policy)
    check_each("items", items, Traced)
    found: list[Continuation] = []
    for first in range(0, len(items), search.rows):
        rollout = sample_responses(
            policy.model,
            [policy.encode(item.prompt) for item in items[first : first + search.rows]],
            search.max_new_tokens,
            end=policy.end,
            pad=policy.pad,
            temperature=search.temperature,
            generator=generator,
            adjust=adjust,
        )
        for tokens, ended in zip(rollout.responses(), rollout.ended_B.tolist(), strict=True):
            found.append(Continuation(policy.decode(tokens), ended, len(tokens)))
    return found


def correct_items(items: Sequence[Traced], found: Sequence[Continuation]) -> list[Traced]:
    """The items whose new trace ended and is right, with that trace."""
    pairs = zip(items, found, strict=True)
    return [replace(item, trace=new.text) for item, new in pairs if new.ended and item.is_correct(new.text)]


def shortest_correct(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    budget: int,
    generator: torch.Generator | None = None,
) -> Drawn:
    """The trace with the fewest steps among the original and new samples, until `budget` tokens are spent."""
    check_traces(items)
    best = list(items)

    def keep(index: int, text: str) -> None:
        if len(split_steps(text)) < len(split_steps(best[index].trace)):
            best[index] = replace(best[index], trace=text)

    spent = _spend(policy, items, search, budget, generator, None, keep)
    return best, spent


def penalised(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    budget: int,
    adjust: Adjust,
    generator: torch.Generator | None = None,
) -> Drawn:
    """The first right trace that is drawn under a penalty, else the original, until `budget` tokens are spent."""
    check_traces(items)
    first: dict[int, Traced] = {}

    def keep(index: int, text: str) -> None:
        first.setdefault(index, replace(items[index], trace=text))

    spent = _spend(policy, items, search, budget, generator, adjust, keep)
    return [first.get(index, item) for index, item in enumerate(items)], spent


def truncate_and_regenerate(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    budget: int,
    generator: torch.Generator | None = None,
    seed: int = 0,
) -> Drawn:
    """Cuts traces at random thoughts and regenerates without a ban, until `budget` tokens are spent.

    What is accepted, and its value, are those of Retro-Search; a later round cuts the trace as it is by then.
    """
    trails = trails_of(items, search)
    rng, spent, price = random.Random(f"cuts {seed}"), 0, _price(policy, items, budget) * search.alternatives / 2
    while spent < budget and (active := [trail for trail in trails if len(trail.thoughts) > 1]):
        part = _at_most(active, budget - spent, price, rng)
        for trail in part:
            trail.position = rng.randrange(len(trail.thoughts) - 1)
        found = continuations(policy, part, search, generator, None)
        advance(part, found, search)
        tokens = sum(one.tokens for alternatives in found for one in alternatives)
        spent, price = spent + tokens, tokens / len(part)
    return [replace(trail.item, trace=checked(trail.revision()).trace) for trail in trails], spent


def cut_and_answered(items: Sequence[Traced], search: RevisionSettings, seed: int = 0) -> list[Traced]:
    """Each trace cut behind a random thought but the last, with its last step, the answer, put behind it.

    Raises:
        LabError: as `check_traces`.
    """
    check_traces(items)
    rng, cut = random.Random(f"answered {seed}"), []
    for item in items:
        thoughts = segment(item.trace, search.keywords)
        kept = join(thoughts[: rng.randrange(len(thoughts) - 1) + 1]) if len(thoughts) > 1 else ""
        cut.append(replace(item, trace=kept + split_steps(item.trace)[-1]))
    return cut


def _spend(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    budget: int,
    generator: torch.Generator | None,
    adjust: Adjust | None,
    keep: Callable[[int, str], None],
) -> int:
    """Samples round after round and hands every right trace to `keep`; returns the tokens spent."""
    rng, spent, price = random.Random("parts"), 0, _price(policy, items, budget)
    while spent < budget:
        part = sorted(_at_most(range(len(items)), budget - spent, price, rng))
        found = sample_traces(policy, [items[i] for i in part], search, generator, adjust)
        for index, new in zip(part, found, strict=True):
            if new.ended and items[index].is_correct(new.text):
                keep(index, new.text)
        tokens = sum(new.tokens for new in found)
        spent, price = spent + tokens, tokens / len(part)
    return spent


def _at_most(these: Sequence[Any], left: int, price: float, rng: random.Random) -> list[Any]:
    """All of these, or as many as the tokens that are left will about pay for."""
    count = max(int(left / price), 1)
    return list(these) if count >= len(these) else rng.sample(these, count)


def _price(policy: Policy, items: Sequence[Traced], budget: int) -> float:
    """Tokens of a trace, the mean; after a look at who is to pay."""
    check_policy(policy)
    check_number("budget", budget, least=0)
    return sum(len(policy.encode(item.trace)) for item in items) / len(items)
