"""What a model does on held-out questions, and what a revision did to traces, as numbers and plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from nemo_lab.reasoning.policy import Policy
from nemo_lab.reasoning.retro.search import Continuation, Revision, RevisionSettings, Traced
from nemo_lab.reasoning.retro.thoughts import Shape, shape
from nemo_lab.studies.retro_search import rule_puzzles
from nemo_lab.studies.retro_search.baselines import correct_items, sample_traces

KEYWORDS = tuple(word.lower() for word in rule_puzzles.SWITCHES)


@dataclass(frozen=True)
class ExamResult:
    """What a model does on held-out questions.

    Attributes:
        accuracy: share of right answers, greedy. tokens: mean of greedy traces, right or not, end included.
        sampled_accuracy, sampled_tokens: the same at temperature 1. shapes: of the right ones among these samples.
    """

    accuracy: float
    tokens: float
    sampled_accuracy: float
    sampled_tokens: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Cost:
    """What a revision of many traces did and cost.

    Attributes:
        traces: how many. before, after: their mean steps. tokens_before, tokens_after: mean tokens.
        rollouts, tokens: spent, in all. accepted: share of rollouts that were taken.
        sound_before, sound_after: share of the traces in which every step is right, beside the answer.
    """

    traces: int
    before: float
    after: float
    tokens_before: float
    tokens_after: float
    rollouts: int
    tokens: int
    accepted: float
    sound_before: float
    sound_after: float


def measure(policy: Policy, items: Sequence[Traced], search: RevisionSettings, seed: int = 0) -> ExamResult:
    """Greedy and sampled answers to held-out questions; the answer's place is taken from right samples."""
    generator = torch.Generator().manual_seed(seed)
    greedy = sample_traces(policy, items, replace(search, temperature=0.0))
    drawn = sample_traces(policy, items, search, generator)
    right = correct_items(items, drawn)
    return ExamResult(
        len(correct_items(items, greedy)) / len(items),
        _mean_tokens(greedy),
        len(right) / len(items),
        _mean_tokens(drawn),
        shapes(right),
    )


def shapes(items: Sequence[Traced]) -> tuple[Shape, ...]:
    """Counts of each item's trace; the answer is what the trace ends with."""
    encode = rule_puzzles.codec().encode
    return tuple(shape(i.trace, encode, rule_puzzles.answer_of(i.trace) or "", KEYWORDS) for i in items)


def _mean_tokens(found: Sequence[Continuation]) -> float:
    return sum(one.tokens for one in found) / len(found)


def cost_of(revisions: Sequence[Revision], hops: int) -> Cost:
    """Sums and means over the revisions of one data set."""
    before, after = shapes([r.item for r in revisions]), shapes(revised_items(revisions))
    rollouts = sum(r.rollouts for r in revisions)
    return Cost(
        len(revisions),
        fmean(s.steps for s in before),
        fmean(s.steps for s in after),
        fmean(s.tokens for s in before),
        fmean(s.tokens for s in after),
        rollouts,
        sum(r.tokens for r in revisions),
        sum(len(r.accepted) for r in revisions) / max(rollouts, 1),
        sound_share([r.item for r in revisions], hops),
        sound_share(revised_items(revisions), hops),
    )


def sound_share(items: Sequence[Traced], hops: int) -> float:
    """Share of traces in which not only the answer is right but every step."""
    return fmean(rule_puzzles.is_sound(rule_puzzles.read(i.prompt, hops), i.trace) for i in items)


def revised_items(revisions: Sequence[Revision]) -> list[Traced]:
    """The items with their revised traces."""
    return [replace(r.item, trace=r.trace) for r in revisions]
