"""The arms of notebook 10: what RL learns from, one thing changed at a time (CrossThink, arXiv 2504.13941).

`run` copies the start of `start.start_model` and trains the copy by GRPO on one `Arm`: a blend, a format, a
state of the questions, a kind of reward. Arms of a seed start alike, take equal numbers of updates and, where they
share a domain, are asked the same questions of it. What comes back are numbers, so that runs can be made in
processes.

**Relative to the paper.** Blends are compared on open questions, and options come in only where the format is the
question, since our model hardly reads them; the paper's sets are half multiple choice. The natural blend holds as
much math as general reasoning; by the sizes of the paper's sets its natural blend is already 1 : 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nemo_lab.errors import LabError, one_of
from nemo_lab.reasoning import blends
from nemo_lab.reasoning.blends import Blend, Key
from nemo_lab.reasoning.evaluate import answer
from nemo_lab.reasoning.experience import Prompt, Reward
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, State, small_policy
from nemo_lab.reasoning.questions.domains import DOMAINS, check_canaries
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import corrupt, keep, reward
from nemo_lab.studies.crossthink_rl.settings import CrossThink
from nemo_lab.studies.crossthink_rl.start import MODE, RL_DOMAINS, RL_SEED, Start, accuracy, by_domain, draws, evaluate

MANY = {"math": 3, "general": 2}  # sizes of a domain's pool: as much math as general, with two domains to three
CORRUPTED = 0.2  # share of wrong gold answers
KIND_DOMAINS = {kind: [name for name in RL_DOMAINS if DOMAINS[name].kind == kind] for kind in blends.KINDS}


@dataclass(frozen=True)
class Arm:
    """What a run of RL learns from.

    Attributes:
        blend: natural; math or general with `2:1`; open or choice with `2:1`; math or general alone; usefulness.
        format: open, choice, or mixed, in which half of the questions have options; the same questions.
        items: clean; corrupted (a fifth has a wrong answer); filtered (what `templates.keep` leaves of those);
            thinned (as many dropped at random); hard (what a weaker model fails); as many (of all, at random);
            dealt (the answers belong to other questions of the domain).
        reward: right, or random (a coin a response).
        shift: another stream of prompts and samples.
    """

    blend: str = "natural"
    format: str = "open"
    items: str = "clean"
    reward: str = "right"
    shift: int = 0


ARMS = {
    "natural": Arm(),
    "math 2:1": Arm("math 2:1"),
    "general 2:1": Arm("general 2:1"),
    "open 2:1": Arm("open 2:1", "mixed"),
    "choice 2:1": Arm("choice 2:1", "mixed"),
    "usefulness": Arm("usefulness"),
    "math only": Arm("math"),
    "general only": Arm("general"),
    "all choice": Arm(format="choice"),
    "corrupted": Arm(items="corrupted"),
    "corrupted, filtered": Arm(items="filtered"),
    "corrupted, thinned": Arm(items="thinned"),
    "hard": Arm(items="hard"),
    "as many": Arm(items="as many"),
    "general 2:1, random rewards": Arm("general 2:1", reward="random"),
    "answers dealt": Arm(items="dealt"),
    "math only, other seed": Arm("math", shift=1),
}


@dataclass(frozen=True)
class ArmResult:
    """What became of an arm.

    Attributes:
        arm, seed: which run. answers: to held-out questions, as `evaluate` gives them.
        rewards: mean reward of the prompts of each domain, columns step, domain, reward. history: as `grpo` gives it.
        questions: how many there were to learn from. blend: weights by domain and template.
    """

    arm: str
    seed: int
    answers: pd.DataFrame
    rewards: pd.DataFrame
    history: pd.DataFrame
    questions: int
    blend: Blend


def run(arm: str, start: Start, study: CrossThink) -> ArmResult:
    """Train a copy of the start on one of `ARMS`.

    Raises:
        LabError: an unknown arm.
    """
    if arm not in ARMS:
        raise LabError(one_of("arm", arm, list(ARMS)))
    chosen, policy = ARMS[arm], _policy(study, start.state)
    sources = sources_of(questions(chosen, start, study))
    blend = blend_of(chosen.blend, sources, start, study)
    history, rewards = learn(policy, blend, sources, chosen, start.seed, study)
    answers = evaluate(policy, study, start.seed)
    total = sum(map(len, sources.values()))
    return ArmResult(arm, start.seed, answers, rewards, history, total, blend)


def _policy(study: CrossThink, state: State) -> Policy:
    """A policy with the weights of a start, free to be trained on."""
    return small_policy(study.d_model, study.pattern).with_state(state)


def learn(
    policy: Policy, blend: Blend, sources: Mapping[Key, Sequence[Item]], arm: Arm, seed: int, study: CrossThink
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train by GRPO; returns its history and the rewards by step and domain.

    Raises:
        LabError: the checker of a domain fails one of its canaries, so that no reward could be believed.
    """
    check_canaries({domain for domain, _ in sources})
    settings = GRPOSettings(
        steps=study.steps,
        prompts=study.prompts,
        group=study.group,
        max_new_tokens=study.max_new_tokens,
        peak_lr=study.rl_lr,
        seed=seed + 100 * arm.shift,
    )
    prompts = blends.blend_prompts(blend, sources, settings.seed, size=study.prompts, mode=MODE)
    seen: list[tuple[str, float]] = []
    history = grpo(policy, prompts, rewarder(arm, settings.seed, seen), settings, progress=False)
    rewards = pd.DataFrame(seen, columns=["domain", "reward"])
    rewards.insert(0, "step", np.arange(len(seen)) // (study.prompts * study.group) + 1)
    return history, rewards.groupby(["step", "domain"], as_index=False)["reward"].mean()


def rewarder(arm: Arm, seed: int, seen: list[tuple[str, float]]) -> Reward:
    """The arm's reward, right answer in the right form or a coin; `seen` gets domain and reward of each response."""
    random = np.random.default_rng([seed, 9])

    def judge(prompt: Prompt, text: str, ended: bool) -> float:
        item, template = prompt.about
        value = reward(item, text, ended=ended, mode=MODE, template=template)
        value = float(random.random() < 0.5) if arm.reward == "random" else value
        seen.append((item.domain, value))
        return value

    return judge


def sources_of(items: Sequence[Item]) -> dict[Key, list[Item]]:
    """The items by domain and template; those with options are choice."""
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault((item.domain, "choice" if item.options else "open"), []).append(item)
    return found


def questions(arm: Arm, start: Start, study: CrossThink) -> list[Item]:
    """The questions an arm learns from."""
    items = formatted(pool(study, start.seed), arm.format)
    random = np.random.default_rng([start.seed, 8])
    if arm.items in ("corrupted", "filtered", "thinned"):
        items = corrupt(items, CORRUPTED, random)
    if arm.items == "dealt":
        return dealt(items, random)
    if arm.items in ("filtered", "thinned"):
        kept = keep(items)[0]
        return kept if arm.items == "filtered" else at_random(items, len(kept), random)
    if arm.items in ("hard", "as many"):
        kept = too_hard_for(_policy(study, start.early), items, study)
        return kept if arm.items == "hard" else at_random(items, len(kept), random)
    return items


def pool(study: CrossThink, seed: int) -> list[Item]:
    """The questions of RL, with options: as much math as general, two or three times `study.pool` a domain."""
    found = []
    for kind, names in KIND_DOMAINS.items():
        found += draws(seed + RL_SEED, MANY[kind] * study.pool, "train", names)
    return found


def formatted(items: Sequence[Item], form: str) -> list[Item]:
    """The items open, as choice, or mixed: every second one of a domain open."""
    return [
        replace(item, options=()) if form == "open" or (form == "mixed" and k % 2) else item
        for k, item in enumerate(items)
    ]


def dealt(items: Sequence[Item], random: np.random.Generator) -> list[Item]:
    """The items with answers that belong to other questions of the domain."""
    found = []
    for group in by_domain(items).values():
        order = random.permutation(len(group))
        answers = {order[k]: group[order[k - 1]].answer for k in range(len(group))}
        found += [replace(item, answer=answers[k]) for k, item in enumerate(group)]
    return found


def at_random(items: Sequence[Item], count: int, random: np.random.Generator) -> list[Item]:
    """So many of the items, in their order."""
    return [items[k] for k in sorted(random.permutation(len(items))[:count])]


def too_hard_for(policy: Policy, items: Sequence[Item], study: CrossThink) -> list[Item]:
    """The items that a policy does not solve greedily, each in its own template."""
    failed = []
    for (_, template), group in sources_of(items).items():
        found = answer(policy, group, mode=MODE, template=template, max_new_tokens=study.max_new_tokens)
        failed += [item for item, (one,) in zip(group, found, strict=True) if not one.right]
    return failed


def blend_of(name: str, sources: Mapping[Key, Sequence[Item]], start: Start, study: CrossThink) -> Blend:
    """The blend of an arm over its sources."""
    sizes = {key: len(items) for key, items in sources.items()}
    if name.endswith("2:1"):
        side = name.removesuffix(" 2:1")
        return blends.two_to_one(sizes, side) if side in blends.KINDS else blends.by_format(sizes, side)
    if name in blends.KINDS:
        return blends.only(sizes, name)
    if name == "usefulness":
        return blends.by_usefulness(usefulness(sources, start, study))
    return blends.natural(sizes)


def usefulness(sources: Mapping[Key, Sequence[Item]], start: Start, study: CrossThink) -> dict[Key, float]:
    """Mean accuracy over all RL domains, 0 to 1, after a short run on one domain alone, for each of its sources."""
    brief = replace(study, steps=max(1, study.steps // 5), held_out=max(1, study.held_out // 4))
    scores: dict[Key, float] = {}
    for domain in RL_DOMAINS:
        own = {key: items for key, items in sources.items() if key[0] == domain}
        policy = _policy(study, start.state)
        learn(policy, blends.natural({key: len(items) for key, items in own.items()}), own, Arm(), start.seed, brief)
        score = float(accuracy(evaluate(policy, brief, start.seed + 1, RL_DOMAINS)).mean()) / 100
        scores |= dict.fromkeys(own, max(score, 0.01))  # nothing solved is no reason to leave a source out
    return scores
