"""Experience of a policy: groups of answers with rewards and advantages, as rows that an update can use.

A step's experience is a function of (weights, settings, step): prompts come from `prompts(step, attempt)`, random
numbers from (seed, step, attempt).

B answers, P prompts, G answers to a prompt, L tokens of a row, T tokens of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nemo_lab.errors import check_instance, shown
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, autocast
from nemo_lab.reasoning.rollouts import Rollout, sample_responses
from nemo_lab.reasoning.sft import pair_batch
from nemo_lab.training.packing import IGNORE, Batch
from nemo_lab.training.settings import TrainingError

RATE_BINS = 8  # of the histogram of pass rates, beside the one for groups that are always right


@dataclass(frozen=True)
class Prompt:
    """What is asked, and whatever the reward needs to judge the answer (an `Item`, a mode, …).

    Raises:
        LabError: the text is none.
    """

    text: str
    about: Any = None

    def __post_init__(self) -> None:
        check_instance("text", self.text, str, "give the text of the prompt")


Prompts = Callable[[int, int], Sequence[Prompt]]
"""The prompts of (step, attempt); attempts above 0 are dynamic sampling's. Nothing else may decide them."""

Reward = Callable[[Prompt, str, bool], float]
"""The reward of (prompt, response text without its end token, whether it ended by itself)."""

Row = dict[str, float]


@dataclass(frozen=True)
class Experience:
    """B scored answers, G to a prompt one after another.

    Attributes:
        batch: prompts and responses as tokens and targets, (B, L). sampled_BL: log-probabilities as drawn.
        reward_B: rewards. advantage_B: relative to the group. counted_B: whether the answer is in the loss.
        length_B: tokens of each response. ended_B: whether it ended by itself. entropy: of the sampler, in nats.
    """

    batch: Batch
    sampled_BL: Tensor
    reward_B: Tensor
    advantage_B: Tensor
    counted_B: Tensor
    length_B: Tensor
    ended_B: Tensor
    entropy: float


def gather(
    policy: Policy, prompts: Prompts, reward: Reward, settings: GRPOSettings, step: int
) -> tuple[Experience, int]:
    """The experience of a step and the number of attempts it took.

    Dynamic sampling (`resamples` above 0): groups whose answers are all worth the same are replaced by groups of
    further prompts, as long as attempts are left; what is still missing then is filled with such groups.
    """
    useful: list[Experience] = []
    spare: list[Experience] = []
    for attempt in range(settings.resamples + 1):
        groups = _split_groups(_attempt(policy, prompts, reward, settings, step, attempt), settings.group)
        useful += [g for g in groups if not settings.resamples or float(g.reward_B.std()) > 0]
        spare += [g for g in groups if settings.resamples and float(g.reward_B.std()) == 0]
        if len(useful) >= settings.prompts:
            break
    chosen = (useful + spare)[: settings.prompts]
    return (chosen[0] if len(chosen) == 1 else join_experience(chosen, policy.pad)), attempt + 1


def _attempt(
    policy: Policy, prompts: Prompts, reward: Reward, settings: GRPOSettings, step: int, attempt: int
) -> Experience:
    asked = prompts(step, attempt)
    if not isinstance(asked, Sequence):
        raise TrainingError(f"The prompts of step {step} are {shown(asked)}; return a list of Prompt.")
    if len(asked) != settings.prompts:
        raise TrainingError(f"The prompts of step {step} are {len(asked)}, not prompts={settings.prompts}.")
    if strange := [prompt for prompt in asked if not isinstance(prompt, Prompt)]:
        raise TrainingError(f"A prompt of step {step} is {strange[0]!r}; make each a `Prompt`, as Prompt('2+3=').")
    seed = np.random.SeedSequence([settings.seed, step, attempt]).generate_state(1, np.uint64)[0]
    generator = torch.Generator(next(policy.model.parameters()).device).manual_seed(int(seed) >> 1)
    policy.model.eval()
    with autocast(policy.model, settings.precision):
        rollout = sample_responses(
            policy.model,
            [policy.encode(p.text) for p in asked],
            settings.max_new_tokens,
            end=policy.end,
            pad=policy.pad,
            group=settings.group,
            temperature=settings.temperature,
            generator=generator,
        )
    repeated = [prompt for prompt in asked for _ in range(settings.group)]
    ended = rollout.ended_B.tolist()
    answers = zip(repeated, rollout.responses(), ended, strict=True)
    rewards = [_judge(reward, p, policy.decode(tokens[:-1] if end else tokens), end) for p, tokens, end in answers]
    return experience_of(rollout, torch.tensor(rewards, dtype=torch.float32), policy.pad, settings)


def _judge(reward: Reward, prompt: Prompt, text: str, ended: bool) -> float:
    """The reward of an answer; one that is no finite number would spoil every weight."""
    found = reward(prompt, text, ended)
    try:
        worth = float(found)
    except (TypeError, ValueError):
        worth = math.nan
    if not math.isfinite(worth):
        raise TrainingError(
            f"The reward of {text[:60]!r} to {prompt.text[:60]!r} is {found!r}; a reward must be a finite number."
        )
    return worth


def experience_of(rollout: Rollout, reward_B: Tensor, pad: int, settings: GRPOSettings) -> Experience:
    """Scored answers as rows of tokens, with advantages within groups of `settings.group`."""
    if settings.overlong == "soft":
        reward_B = reward_B + soft_overlong(rollout.lengths_B, rollout.ended_B, settings)
    counted_B = rollout.ended_B if settings.overlong == "mask" else torch.ones_like(rollout.ended_B)
    batch = pair_batch(rollout.prompts, rollout.responses(), pad)
    sampled_BL = torch.zeros(batch.tokens_BL.shape)
    drawn_BT = torch.arange(rollout.tokens_BT.shape[1]) < rollout.lengths_B[:, None]
    sampled_BL[batch.targets_BL != IGNORE] = rollout.logprobs_BT[drawn_BT]
    return Experience(
        batch,
        sampled_BL,
        reward_B,
        advantages(reward_B, counted_B, settings),
        counted_B,
        rollout.lengths_B,
        rollout.ended_B,
        rollout.entropy,
    )


def example(rewards: Sequence[float], lengths: Sequence[int]) -> Experience:
    """Made-up answers of given rewards and lengths that all ended: to look at advantages and weights."""
    batch = pair_batch([[2]] * len(lengths), [[3] * length for length in lengths], 1)
    reward_B, length_B = torch.tensor(rewards, dtype=torch.float32), torch.tensor(lengths)
    ended_B = torch.ones(len(lengths), dtype=torch.bool)
    nothing = torch.zeros(batch.tokens_BL.shape)
    return Experience(batch, nothing, reward_B, torch.zeros_like(reward_B), ended_B, length_B, ended_B, 0.0)


def advantages(reward_B: Tensor, counted_B: Tensor, settings: GRPOSettings) -> Tensor:
    """Advantage of each answer within its group, 0 for answers that do not count and in groups of one.

    Masked answers enter neither the baseline nor the spread (so does NVIDIA's released code).
    """
    r_PG, w_PG = (x.view(-1, settings.group) for x in (reward_B, counted_B.float()))
    n_P1 = w_PG.sum(1, keepdim=True)
    mean_P1 = (r_PG * w_PG).sum(1, keepdim=True) / n_P1.clamp(min=1)
    centred_PG = (r_PG - mean_P1) * w_PG
    if settings.advantage == "loo":  # r - (n mean - r) / (n - 1) = (r - mean) n / (n - 1)
        centred_PG = centred_PG * n_P1 / (n_P1 - 1).clamp(min=1)
    if settings.advantage == "std":
        variance_P1 = centred_PG.square().sum(1, keepdim=True) / (n_P1 - 1).clamp(min=1)
        centred_PG = centred_PG / (variance_P1.sqrt() + 1e-4)
    return (centred_PG * (n_P1 > 1)).flatten()


def soft_overlong(length_B: Tensor, ended_B: Tensor, settings: GRPOSettings) -> Tensor:
    """DAPO's soft punishment: 0 up to max - cache tokens, then linearly down to -1; -1 if it did not end."""
    cache = max(settings.overlong_cache, 1)
    over_B = (length_B - (settings.max_new_tokens - cache)).clamp(0, cache) / cache
    return -torch.where(ended_B, over_B, torch.ones_like(over_B))


def _split_groups(experience: Experience, group: int) -> list[Experience]:
    count = len(experience.reward_B) // group
    return [rows_of(experience, slice(i * group, (i + 1) * group)) for i in range(count)] if count > 1 else [experience]


def rows_of(experience: Experience, rows: slice) -> Experience:
    """Some rows of an experience."""
    e = experience
    return Experience(
        Batch(*(tensor[rows] for tensor in e.batch)),
        e.sampled_BL[rows],
        e.reward_B[rows],
        e.advantage_B[rows],
        e.counted_B[rows],
        e.length_B[rows],
        e.ended_B[rows],
        e.entropy,
    )


def join_experience(parts: Sequence[Experience], pad: int) -> Experience:
    """Experiences one after another, padded to the longest row."""
    longest = max(part.sampled_BL.shape[1] for part in parts)

    def rows(tensors: list[Tensor], fill: int) -> Tensor:
        return torch.cat([torch.nn.functional.pad(t, (0, longest - t.shape[1]), value=fill) for t in tensors])

    fills = (pad, IGNORE, 0)
    batch = Batch(*(rows([p.batch[i] for p in parts], fill) for i, fill in enumerate(fills)))
    joined = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("reward_B", "advantage_B", "counted_B", "length_B", "ended_B")
    }
    weights = [float(part.length_B.sum()) for part in parts]
    entropy = float(np.average([part.entropy for part in parts], weights=weights))
    sampled_BL = rows([part.sampled_BL for part in parts], 0)
    return Experience(batch=batch, sampled_BL=sampled_BL, entropy=entropy, **joined)


def summary(experience: Experience, settings: GRPOSettings) -> Row:
    """Reward, signal, entropy and lengths of an experience; see `grpo`."""
    reward_PG = experience.reward_B.view(-1, settings.group)
    mean_P = reward_PG.mean(1)
    bins = np.clip(np.floor(mean_P.numpy() * RATE_BINS), 0, RATE_BINS).astype(int)
    shares = np.bincount(bins, minlength=RATE_BINS + 1) / len(bins)
    right_B, length_B = experience.reward_B > 0, experience.length_B.float()
    return {
        "reward": float(experience.reward_B.mean()),
        "zero_std": float((reward_PG.std(1) == 0).float().mean()),
        **{f"rate_{k}": float(share) for k, share in enumerate(shares)},
        "entropy": experience.entropy,
        "length": float(length_B.mean()),
        "length_right": float(length_B[right_B].mean()) if right_B.any() else float("nan"),
        "length_wrong": float(length_B[~right_B].mean()) if not right_B.all() else float("nan"),
        "ended": float(experience.ended_B.float().mean()),
    }
