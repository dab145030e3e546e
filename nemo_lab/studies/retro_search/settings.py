"""The numbers behind notebook 11, traces revised, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nemo_lab.errors import LabError
from nemo_lab.studies.checks import check_share


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
        check_share("leave", self.leave)
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


SETTINGS: Mapping[str, RetroSearch] = {
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
}
