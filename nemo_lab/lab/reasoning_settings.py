"""The numbers behind the notebooks on reasoning, 09 to 11; `settings` says how such a file is read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nemo_lab.errors import LabError


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
        _share("slip", self.slip)
        for name in ("sft_lr", "rl_lr", "chat_lr"):
            if not 0 < getattr(self, name) < 1:
                raise LabError(f"Parameter {name} is {getattr(self, name)}, expected between 0 and 1, such as 3e-4.")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise LabError(f"Parameter {name} is {value}, expected from 0 to 1, such as 0.8.")


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


@dataclass(frozen=True)
class RetroSearch:
    """11: a model with needless switches, revised by itself and by a much smaller one."""

    seeds: int  # repeats of the whole experiment
    rules: int  # that a puzzle offers
    hops: int  # applications of a rule
    leave: float  # how likely a rule is given up at an odd number when it is first tried
    d_model: int  # width of the strong model, a multiple of 16
    steps: int  # training steps that teach it the habit
    batch_size: int  # traces a step, everywhere
    peak_lr: float  # LOG.md has the search
    d_weak: int  # width of reviser and student
    weak_steps: tuple[int, ...]  # training steps after which the reviser is tried; 0 is untrained, the last the whole
    weak_lr: float
    questions: int  # training questions that the strong model answers, once each; right traces are revised
    tune_steps: int  # of fine-tuning on any set of traces
    tune_lr: float
    gamma: float  # of the value
    alternatives: int  # continuations tried at a thought
    beta: int  # tokens of a thought for which TIP's penalty holds
    max_new_tokens: int  # of a trace or a continuation
    held_out: int  # questions that models are judged on
    ablations: int  # traces on which kinds of revision, and revisers on their way, are compared

    def __post_init__(self) -> None:
        _share("leave", self.leave)
        if not 0 < self.gamma <= 1:
            raise LabError(f"Parameter gamma is {self.gamma}, expected above 0 and at most 1, such as 0.9.")
        if self.weak_steps[0] != 0:
            raise LabError("Parameter weak_steps must begin with 0, the untrained reviser.")


_RETRO = RetroSearch(
    seeds=4,
    rules=3,
    hops=3,
    leave=0.8,
    d_model=80,
    steps=240,
    batch_size=32,
    peak_lr=1e-2,
    d_weak=12,
    weak_steps=(0, 300, 450, 600),
    weak_lr=2e-2,
    questions=450,
    tune_steps=100,
    tune_lr=2e-3,
    gamma=0.9,
    alternatives=2,
    beta=8,
    max_new_tokens=100,
    held_out=300,
    ablations=100,
)


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

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "09_reasoning_toggle_rl": {
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
    },
    "10_crossthink_rl": {
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
    },
    "11_retro_search": {
        "smoke": replace(
            _RETRO,
            seeds=1,
            rules=2,
            hops=2,
            d_model=32,
            steps=320,
            peak_lr=1.5e-2,
            weak_steps=(0, 50),
            questions=40,
            tune_steps=2,
            held_out=20,
            ablations=8,
            max_new_tokens=60,
        ),
        "laptop": _RETRO,
        "gpu": replace(
            _RETRO,
            seeds=5,
            rules=5,
            hops=6,
            d_model=512,
            steps=5000,
            batch_size=256,
            peak_lr=1e-3,
            d_weak=96,
            weak_steps=(0, 1000, 2000, 5000),
            weak_lr=3e-3,
            questions=10_000,
            tune_steps=500,
            tune_lr=1e-4,
            max_new_tokens=400,
            held_out=2000,
            ablations=1000,
        ),
        "cluster": replace(
            _RETRO,
            seeds=5,
            rules=6,
            hops=10,
            d_model=1024,
            steps=20_000,
            batch_size=1024,
            peak_lr=5e-4,
            d_weak=192,
            weak_steps=(0, 2000, 5000, 20_000),
            weak_lr=2e-3,
            questions=40_000,
            tune_steps=1000,
            tune_lr=1e-4,
            max_new_tokens=800,
            held_out=5000,
            ablations=2000,
        ),
    },
}
