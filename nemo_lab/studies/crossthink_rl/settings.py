"""The numbers behind notebook 10, blends of questions, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class CrossThink:
    """10: one start, many blends, formats and filters of questions for RL."""

    seeds: int  # repeats of the start and of every run from it
    pattern: str  # of the model's layers
    d_model: int  # its width, a multiple of 16
    sft_steps: int  # of tuning the start
    sft_batch: int  # rows a step
    sft_lr: float  # its peak; LOG.md has the search
    sft_items: int  # questions of each domain to tune on
    short: float  # share of short solutions at the end of tuning
    choice: float  # share of tuning's steps in the choice format
    steps: int  # of every run of RL
    prompts: int  # a step
    group: int  # answers to a prompt
    rl_lr: float
    pool: int  # questions of RL: three times as many of a math domain, twice as many of another
    held_out: int  # questions of each domain that are examined, in both formats
    max_new_tokens: int  # of an answer


_CROSSTHINK = CrossThink(
    seeds=3,
    pattern="M*-*-",
    d_model=64,
    sft_steps=1200,
    sft_batch=64,
    sft_lr=8e-3,
    sft_items=2500,
    short=0.65,
    choice=0.2,
    steps=30,
    prompts=24,
    group=8,
    rl_lr=3e-4,
    pool=120,
    held_out=250,
    max_new_tokens=24,
)


SETTINGS: Mapping[str, CrossThink] = {
    "smoke": replace(
        _CROSSTHINK,
        seeds=1,
        d_model=16,
        sft_steps=4,
        sft_batch=8,
        sft_items=20,
        steps=1,
        prompts=4,
        group=4,
        pool=8,
        held_out=8,
        max_new_tokens=8,
    ),
    "laptop": _CROSSTHINK,
    "gpu": replace(
        _CROSSTHINK,
        seeds=5,
        d_model=512,
        sft_steps=10_000,
        sft_batch=256,
        sft_lr=1e-3,
        sft_items=50_000,
        steps=400,
        prompts=64,
        rl_lr=1e-4,
        pool=5000,
        held_out=1000,
    ),
    "cluster": replace(
        _CROSSTHINK,
        seeds=5,
        d_model=1024,
        sft_steps=20_000,
        sft_batch=1024,
        sft_lr=5e-4,
        sft_items=100_000,
        steps=650,
        prompts=128,
        rl_lr=3e-5,
        pool=30_000,
        held_out=2000,
    ),
}
