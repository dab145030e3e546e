"""Retro-Search: what would have happened had the model not changed its mind (arXiv 2504.04383).

Take a trace T with thoughts s¹, s², … that ends in the right answer a*. For each thought sᵗ but the last, go on from
its end with transition keywords banned while the next step is decoded, and freely afterwards:

    {s^t_{k+1}, …, a} ~ M̂( q, s¹, …, sᵗ )

The continuation replaces the rest of the trace if its value is larger, V(s_i, a*) = γ^(N−i) · R(a, a*), where N − i
steps separate s_i from the end and R is 1 for the right answer and 0 otherwise. For γ < 1 this is 'right and in
fewer steps'. Then t grows by one, in the trace as it is by then, up to its last thought. With M̂ = M it is
self-revision, with a smaller M̂ it is weak-to-strong.

Confirmed are the thoughts, the right answer, the ban for one step and 'the same answer in fewer steps'. The formula
of the value, γ, the strict inequality, the random start of a partial revision and the keywords are **our reading**,
each a parameter of `RevisionSettings`; so is how many continuations are tried. What never ends has value 0.

All traces advance together: each round decodes one continuation, or a few, of every trace that has a thought left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from nemo_lab.errors import LabError, check_callable, check_each, check_instance, check_number, check_whole, one_of
from nemo_lab.reasoning.policy import Policy, check_policy
from nemo_lab.reasoning.retro.switch_bans import BANS, FORMS, ban_switches
from nemo_lab.reasoning.retro.thoughts import KEYWORDS, check_keywords, join, segment, split_steps
from nemo_lab.reasoning.rollouts import Adjust, sample_responses

STARTS = ("first", "random")


@dataclass(frozen=True)
class RevisionSettings:
    """How to revise. What is not marked as the paper's is our reading or our choice.

    Attributes:
        gamma: of the value, above 0 and at most 1; at 1 length does not count and nothing is accepted.
        alternatives: continuations tried at a thought, of which the best counts.
        start: "first" sweeps all thoughts; "random" begins at a random one (partial revision, cheaper).
        ban: when keywords are banned, of `switch_bans.BANS`; "first step" is the paper's.
        form: of the ban, of `switch_bans.FORMS`. keywords: what opens a thought.
        max_new_tokens: of a continuation; one that has not ended by then has value 0.
        temperature: of the draws. rows: decoded together.

    Raises:
        LabError: a value that makes no search.
    """

    gamma: float = 0.9
    alternatives: int = 1
    start: str = "first"
    ban: str = "first step"
    form: str = "first token"
    keywords: tuple[str, ...] = KEYWORDS
    max_new_tokens: int = 128
    temperature: float = 1.0
    rows: int = 512

    def __post_init__(self) -> None:
        """Refuse values that cannot work, each with a sentence of its own."""
        check_number("gamma", self.gamma, above=0, most=1)
        check_number("temperature", self.temperature, least=0)
        for name in ("alternatives", "max_new_tokens", "rows"):
            check_whole(name, getattr(self, name))
        check_keywords(self.keywords)
        for name, known in (("start", STARTS), ("ban", BANS), ("form", FORMS)):
            if getattr(self, name) not in known:
                raise LabError(one_of(name, getattr(self, name), known))


@dataclass(frozen=True)
class Traced:
    """A question with a trace that answers it.

    Attributes:
        prompt, trace: texts; a question that is still to be answered has an empty trace.
        is_correct: judges a whole trace.

    Raises:
        LabError: something else than two texts and a function.
    """

    prompt: str
    trace: str
    is_correct: Callable[[str], bool]

    def __post_init__(self) -> None:
        check_instance("prompt", self.prompt, str, "give the text of the question")
        check_instance("trace", self.trace, str, "give the text of the trace")
        check_callable("is_correct", self.is_correct, "give a function of a trace")


@dataclass(frozen=True)
class Revision:
    """What became of one trace.

    Attributes:
        item: as it was. trace: as it is. rollouts, tokens: spent on it; end tokens are counted.
        accepted: for each continuation that was taken, the thought it went on from (from 0) and the steps that
            were left before and after.
    """

    item: Traced
    trace: str
    rollouts: int
    tokens: int
    accepted: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Continuation:
    """What a model wrote behind a part of a trace, and whether it drew its end token."""

    text: str
    ended: bool
    tokens: int


@dataclass
class Trail:
    """A trace under revision: its thoughts by now, and the thought that is next."""

    item: Traced
    thoughts: list[list[str]]
    position: int = 0
    rollouts: int = 0
    tokens: int = 0
    accepted: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def has_switch(self) -> bool:
        """Whether the next thought is followed by another one."""
        return self.position < len(self.thoughts) - 1

    @property
    def prefix(self) -> str:
        """The trace through the next thought."""
        return join(self.thoughts[: self.position + 1])

    def revision(self) -> Revision:
        """The trail as a record."""
        return Revision(self.item, join(self.thoughts), self.rollouts, self.tokens, tuple(self.accepted))


def value(steps_to_end: int, correct: bool, gamma: float) -> float:
    """V = γ^(N−i) · R: the worth of standing N − i steps before the end of a trace (our reading).

    Raises:
        LabError: fewer than 0 steps, or γ out of range.
    """
    check_whole("steps_to_end", steps_to_end, 0)
    check_number("gamma", gamma, above=0, most=1)
    return gamma**steps_to_end if correct else 0.0


def revise(
    policy: Policy,
    items: Sequence[Traced],
    search: RevisionSettings,
    generator: torch.Generator | None = None,
    seed: int = 0,
) -> list[Revision]:
    """Retro-Search over all traces at once.

    Args:
        policy: M̂. items: right traces. generator: of the draws. seed: of random starts.

    Returns:
        One revision an item, in order; each ends in the right answer and has no more steps than before.

    Raises:
        LabError: a trace whose answer is wrong or that is empty: only right ones are revised; no trace, no policy.
    """
    check_policy(policy)
    trails = trails_of(items, search)
    rng = random.Random(f"starts {seed}")
    for trail in trails:
        trail.position = rng.randrange(max(len(trail.thoughts) - 1, 1)) if search.start == "random" else 0
    hook = ban_switches(policy, search.keywords, search.ban, search.form)
    while active := [trail for trail in trails if trail.has_switch]:
        advance(active, continuations(policy, active, search, generator, hook), search)
        for trail in active:
            trail.position += 1
    return [checked(trail.revision()) for trail in trails]


def trails_of(items: Sequence[Traced], search: RevisionSettings) -> list[Trail]:
    """Traces cut into thoughts, after a look at their answers.

    Raises:
        LabError: as `check_traces`, or other settings.
    """
    check_traces(items)
    check_instance("search", search, RevisionSettings, "make it with RevisionSettings(...)")
    return [Trail(item, segment(item.trace, search.keywords)) for item in items]


def check_traces(items: Sequence[Traced]) -> None:
    """Refuse traces that are no start for a revision.

    Raises:
        LabError: no trace at all, one that is empty or wrong, something else than `Traced`.
    """
    check_each("items", items, Traced, some=True)
    wrong = [number for number, item in enumerate(items) if not item.trace or not item.is_correct(item.trace)]
    if wrong:
        raise LabError(f"{len(wrong)} traces do not end in the right answer, the first is {wrong[0]}; leave them out.")


def continuations(
    policy: Policy,
    trails: Sequence[Trail],
    search: RevisionSettings,
    generator: torch.Generator | None,
    hook: Adjust | None,
) -> list[list[Continuation]]:
    """For each trail `search.alternatives` continuations from the end of its next thought."""
    prompts = [[*policy.encode(trail.item.prompt), *policy.encode(trail.prefix)] for trail in trails]
    found: list[Continuation] = []
    most = max(search.rows // search.alternatives, 1)
    for first in range(0, len(prompts), most):
        rollout = sample_responses(
            policy.model,
            prompts[first : first + most],
            search.max_new_tokens,
            end=policy.end,
            pad=policy.pad,
            group=search.alternatives,
            temperature=search.temperature,
            generator=generator,
            adjust=hook,
        )
        for tokens, ended in zip(rollout.responses(), rollout.ended_B.tolist(), strict=True):
            found.append(Continuation(policy.decode(tokens), ended, len(tokens)))
    group = search.alternatives
    return [found[i * group : (i + 1) * group] for i in range(len(trails))]


def advance(trails: Sequence[Trail], found: Sequence[Sequence[Continuation]], search: RevisionSettings) -> None:
    """Where the best continuation is worth more than what there is, it takes its place."""
    for trail, alternatives in zip(trails, found, strict=True):
        trail.rollouts += len(alternatives)
        trail.tokens += sum(alternative.tokens for alternative in alternatives)
        rest = sum(map(len, trail.thoughts[trail.position + 1 :]))
        worths = [_worth(trail, alternative, search.gamma) for alternative in alternatives]
        best = max(range(len(worths)), key=worths.__getitem__)
        if worths[best] > value(rest - 1, True, search.gamma):
            text = alternatives[best].text
            trail.thoughts = segment(trail.prefix + text, search.keywords)
            trail.accepted.append((trail.position, rest, len(split_steps(text))))


def checked(revision: Revision) -> Revision:
    """The revision, after a look at what a revision promises.

    Raises:
        RuntimeError: it is wrong, or has more steps than before.
    """
    longer = len(split_steps(revision.trace)) > len(split_steps(revision.item.trace))
    if longer or not revision.item.is_correct(revision.trace):
        raise RuntimeError(f"A revision is {'longer' if longer else 'wrong'}; splicing is broken: {revision.trace!r}")
    return revision


def _worth(trail: Trail, found: Continuation, gamma: float) -> float:
    right = found.ended and trail.item.is_correct(trail.prefix + found.text)
    return value(max(len(split_steps(found.text)) - 1, 0), right, gamma)
