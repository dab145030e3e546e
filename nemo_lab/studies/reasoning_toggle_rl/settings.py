"""The numbers behind notebook 09, a reasoning toggle, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nemo_lab.errors import LabError
from nemo_lab.studies.checks import check_share


@dataclass(frozen=True)
class ToggleRL:
    """09: a reasoning toggle by SFT on a teacher who errs by rule, then GRPO beyond the teacher."""

    seeds: int  # repeats of every comparison
    pairs: int  # of an attention and a feed-forward layer
    d_model: int  # width, a multiple of 16
    items: int  # questions to learn from
    exam_items: int  # held-out questions of each mode
    slip: float  # how often the teacher follows its mistaken rule
    sft_steps: int
    batch_size: int  # pairs of prompt and response a step
    sft_lr: float  # its peak; LOG.md has the search
    early: float  # share of the SFT steps after which the early checkpoint is taken
    middle: float  # the same for the middle one
    control_steps: int  # SFT steps with the mode words dealt at random
    confused_steps: int  # of the same, after the whole lesson: the start for rewards of format
    curve_points: int  # exams during SFT
    rl_steps: int
    prompts: int  # a GRPO step
    group: int  # answers to a prompt
    rl_lr: float
    samples: int  # answers to an item for pass@k
    chat_steps: int  # SFT steps of SmolLM2-135M-Instruct
    chat_batch: int  # rows a step
    chat_lr: float
    chat_layers: int  # of its 30, the last so many are trained
    chat_questions: int  # held-out questions of each kind
    chat_tokens: int  # of an answer at most

    def __post_init__(self) -> None:
        check_share("slip", self.slip)
        for name in ("sft_lr", "rl_lr", "chat_lr"):
            if not 0 < getattr(self, name) < 1:
                raise LabError(f"Parameter {name} is {getattr(self, name)}, expected between 0 and 1, such as 3e-4.")


_TOGGLE = ToggleRL(
    seeds=3,
    pairs=2,
    d_model=64,
    items=12_000,
    exam_items=400,
    slip=0.8,
    sft_steps=1500,
    batch_size=64,
    sft_lr=4e-3,
    early=0.28,
    middle=0.42,
    control_steps=300,
    confused_steps=60,
    curve_points=5,
    rl_steps=50,
    prompts=32,
    group=8,
    rl_lr=3e-4,
    samples=16,
    chat_steps=40,
    chat_batch=8,
    chat_lr=3e-4,
    chat_layers=30,
    chat_questions=16,
    chat_tokens=48,
)


SETTINGS: Mapping[str, ToggleRL] = {
    "smoke": replace(
        _TOGGLE,
        seeds=1,
        d_model=32,
        items=64,
        exam_items=8,
        sft_steps=6,
        batch_size=8,
        control_steps=2,
        confused_steps=2,
        curve_points=2,
        rl_steps=2,
        prompts=2,
        group=4,
        samples=4,
        chat_steps=1,
        chat_batch=2,
        chat_layers=1,
        chat_questions=1,
        chat_tokens=4,
    ),
    "laptop": _TOGGLE,
    "gpu": replace(
        _TOGGLE,
        seeds=5,
        pairs=6,
        d_model=512,
        items=200_000,
        exam_items=2000,
        sft_steps=4000,
        batch_size=256,
        sft_lr=1e-3,
        rl_steps=300,
        prompts=64,
        group=16,
        rl_lr=1e-4,
        chat_steps=500,
        chat_batch=64,
        chat_lr=5e-5,
        chat_questions=200,
    ),
    "cluster": replace(
        _TOGGLE,
        seeds=5,
        pairs=12,
        d_model=1024,
        items=1_000_000,
        exam_items=5000,
        sft_steps=10_000,
        batch_size=1024,
        sft_lr=5e-4,
        rl_steps=1000,
        prompts=72,
        group=16,
        rl_lr=3e-5,
        chat_steps=2000,
        chat_batch=256,
        chat_lr=5e-5,
        chat_questions=1000,
    ),
}
