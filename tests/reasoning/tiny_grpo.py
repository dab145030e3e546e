"""Settings, prompts and a reward for GRPO at a tiny size."""

from dataclasses import replace

import torch

from nemo_lab.reasoning.experience import (
    Prompt,
    experience_of,
)
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.rollouts import sample_responses

SETTINGS = GRPOSettings(steps=2, prompts=3, group=4, max_new_tokens=6)
PROMPTS = [Prompt("1+1="), Prompt("<on>2"), Prompt("abc")]


def letters(prompt, text, ended):
    """A reward that every group has a spread of."""
    return float(len(set(text)) % 3) + ended


def experience_for(policy, chosen):
    """Sampled answers, two of three taken as ended: a fresh model hardly ever ends one."""
    rollout = sample_responses(
        policy.model,
        [policy.encode(p.text) for p in PROMPTS],
        chosen.max_new_tokens,
        end=policy.end,
        pad=policy.pad,
        group=chosen.group,
        generator=torch.Generator().manual_seed(1),
    )
    ended_B = torch.arange(len(rollout.lengths_B)) % 3 > 0
    rewards = [letters(None, policy.decode(row), True) for row in rollout.responses()]
    return experience_of(replace(rollout, ended_B=ended_B), torch.tensor(rewards), policy.pad, chosen)
