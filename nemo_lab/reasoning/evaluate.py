"""Measuring a policy: accuracy, adherence to the mode, length, pass@k. Always on items it was not trained on.

    found = answer(policy, items, mode="on", max_new_tokens=32)          # greedy
    score(found).accuracy

pass@k is the unbiased estimator of Chen et al. 2021 (arXiv 2107.03374): the chance that at least one of k answers
drawn from n is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nemo_lab.errors import LabError, check_each, check_whole
from nemo_lab.reasoning.policy import Policy, check_policy
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import adheres, prompt_of, reward
from nemo_lab.reasoning.rollouts import sample_responses

ROWS = 512  # decoded together


@dataclass(frozen=True)
class Answer:
    """One answer of a policy: its text, whether it was right and in the mode asked for, its tokens."""

    item: Item
    text: str
    right: bool
    adheres: bool
    ended: bool
    tokens: int


@dataclass(frozen=True)
class Score:
    """Means over answers: accuracy and adherence (shares), tokens of all and of right answers (NaN if none)."""

    accuracy: float
    adherence: float
    tokens: float
    tokens_right: float


def answer(
    policy: Policy,
    items: Sequence[Item],
    *,
    mode: str,
    max_new_tokens: int,
    template: str = "open",
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[list[Answer]]:
    """`samples` answers to every item; at temperature 0 the greedy one.

    An answer is right when it ended by itself and its final part is, whatever the mode it was given in.

    Raises:
        LabError: no policy, something else than items, an unknown mode or template, a number out of range.
    """
    check_policy(policy)
    check_each("items", items, Item)
    check_whole("samples", samples)
    check_whole("seed", seed, 0)
    found: list[list[Answer]] = []
    generator = torch.Generator(next(policy.model.parameters()).device).manual_seed(seed)
    policy.model.eval()
    size = max(1, ROWS // samples)
    for start in range(0, len(items), size):
        part = items[start : start + size]
        rollout = sample_responses(
            policy.model,
            [policy.encode(prompt_of(item, mode, template)) for item in part],
            max_new_tokens,
            end=policy.end,
            pad=policy.pad,
            group=samples,
            temperature=temperature,
            generator=generator,
        )
        rows = zip(rollout.responses(), rollout.ended_B.tolist(), strict=True)
        judged = [
            _judge(part[i // samples], policy.decode(tokens), len(tokens), ended, mode, template)
            for i, (tokens, ended) in enumerate(rows)
        ]
        found += [judged[i : i + samples] for i in range(0, len(judged), samples)]
    return found


def _judge(item: Item, text: str, tokens: int, ended: bool, mode: str, template: str) -> Answer:
    right = reward(item, text, ended=ended, mode=mode, template=template, combine="accuracy") > 0
    return Answer(item, text, right, adheres(text, mode), ended, tokens)


def score(answers: Sequence[Sequence[Answer]]) -> Score:
    """Means over all answers."""
    check_each("answers", answers, Sequence)
    flat = [one for group in answers for one in group]
    right = [one.tokens for one in flat if one.right]
    return Score(
        _mean([one.right for one in flat]),
        _mean([one.adheres for one in flat]),
        _mean([one.tokens for one in flat]),
        _mean(right),
    )


def pass_rates(answers: Sequence[Sequence[Answer]]) -> list[float]:
    """Share of right answers of every item."""
    check_each("answers", answers, Sequence)
    return [_mean([one.right for one in group]) for group in answers]


def pass_at(answers: Sequence[Sequence[Answer]], k: int) -> float:
    """pass@k, mean over items: 1 - C(n - c, k) / C(n, k) with c right of n answers.

    Raises:
        LabError: k is below 1 or above the number of answers, or there are none.
    """
    check_each("answers", answers, Sequence, some=True)
    check_whole("k", k)
    n = min(map(len, answers))
    if k > n:
        raise LabError(f"k is {k}; it must be from 1 to the {n} answers of an item.")
    return _mean([_pass_at(len(group), sum(one.right for one in group), k) for group in answers])


def _pass_at(n: int, c: int, k: int) -> float:
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
