"""The study of CrossThink at a tiny size."""

import torch

from nemo_lab.reasoning.policy import Policy
from nemo_lab.studies.crossthink_rl import start as crossthink
from nemo_lab.studies.crossthink_rl.settings import CrossThink

TINY = CrossThink(
    seeds=1,
    pattern="M-*-",
    d_model=16,
    sft_steps=10,
    sft_batch=8,
    sft_lr=4e-3,
    sft_items=20,
    short=0.6,
    choice=0.4,
    steps=2,
    prompts=4,
    group=4,
    rl_lr=1e-4,
    pool=8,
    held_out=8,
    max_new_tokens=8,
)


def same_weights(policy: Policy, state: crossthink.State) -> bool:
    return all(torch.equal(value, state[name]) for name, value in policy.model.state_dict().items())
