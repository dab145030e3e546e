"""Children of one parent, each cut, scored, distilled and scored again: the runs behind every comparison.

A `ChildRecipe` says how a child is made, trained and named; `recover` runs a list of them with one teacher, whose
answers are computed once for all, because all students see the same batches in the same order. What comes back
are numbers only, so that lists of recipes run side by side in processes (`nemo_lab.jobs.run_many`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from nemo_lab.compression.distillation import Distilled, Teacher
from nemo_lab.compression.slicing import Kept, slice_model, sliced_config
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import Packed, TrainSettings, train

Score = Callable[[HybridLM], float]


@dataclass(frozen=True)
class ChildRecipe:
    """How one child is made and trained.

    `fresh` takes the child's shape but random weights; `across_groups` lets heads leave their group;
    `objective` is one of `distillation.OBJECTIVES`; `steps` 0 means the settings' own.
    """

    name: str
    kept: Kept = field(default_factory=Kept)
    objective: str = "kl"
    steps: int = 0
    fresh: bool = False
    across_groups: bool = False


@dataclass(frozen=True)
class ChildOutcome:
    """What became of a child: `zero_shot` and `recovered` are the score before and after training.

    `curve` has (tokens seen, score) pairs, the last of them after training; `tokens` is their total.
    """

    name: str
    config: HybridConfig
    parameters: int
    zero_shot: float
    recovered: float
    tokens: int
    curve: tuple[tuple[int, float], ...]


def make_child(parent: HybridLM, recipe: ChildRecipe, seed: int = 0) -> HybridLM:
    """The child of a recipe, untrained; `seed` is of the weights of a fresh one."""
    if recipe.fresh:
        return HybridLM(sliced_config(parent.config, recipe.kept), seed=seed)
    return slice_model(parent, recipe.kept, across_groups=recipe.across_groups)


def recover(
    parent: HybridLM, recipes: Sequence[ChildRecipe], data: Packed, settings: TrainSettings, score: Score
) -> list[ChildOutcome]:
    """Make, score, train and score again every recipe's child, in order.

    Args:
        parent: the teacher; left as it was.
        settings: of all runs; `steps` is replaced where a recipe has its own, `validate_every` gives the curve.
        score: of a model, such as held-out bits per byte.
    """
    teacher = Teacher(copy.deepcopy(parent), precision=settings.precision)
    return [_recover_one(parent, teacher, recipe, data, settings, score)[0] for recipe in recipes]


def recover_model(
    parent: HybridLM, recipe: ChildRecipe, data: Packed, settings: TrainSettings, score: Score
) -> tuple[ChildOutcome, HybridLM]:
    """One recipe, with the trained child."""
    teacher = Teacher(copy.deepcopy(parent), precision=settings.precision)
    return _recover_one(parent, teacher, recipe, data, settings, score)


def from_scratch(
    config: HybridConfig, data: Packed, settings: TrainSettings, score: Score, name: str = "scratch"
) -> ChildOutcome:
    """A model of random weights trained on the text itself, without any teacher."""
    model = HybridLM(config, seed=settings.seed)
    before = score(model)
    history = train(model, data, settings, validate=lambda _: {"score": score(model)}, progress=False)
    return _outcome(name, model, before, history)


def _recover_one(
    parent: HybridLM, teacher: Teacher, recipe: ChildRecipe, data: Packed, settings: TrainSettings, score: Score
) -> tuple[ChildOutcome, HybridLM]:
    child = make_child(parent, recipe, settings.seed)
    before = score(child)
    steps = recipe.steps or settings.steps
    own = replace(settings, steps=steps, warmup_steps=min(settings.warmup_steps, steps))
    distilled = Distilled(child, teacher, recipe.objective)
    history = train(distilled, data, own, validate=lambda _: {"score": score(child)}, progress=False)
    return _outcome(recipe.name, child, before, history), child.eval()


def _outcome(name: str, model: HybridLM, before: float, history: Any) -> ChildOutcome:
    scored = history.dropna(subset=["score"])
    curve = tuple((int(t), float(s)) for t, s in zip(scored.tokens, scored.score, strict=True))
    return ChildOutcome(name, model.config, model.parameter_count(), before, curve[-1][1], curve[-1][0], curve)


class Reached(NamedTuple):
    """A number of tokens, and what it is: "exact", or a bound of the true one, "at least" or "at most"."""

    tokens: float
    how: str


def tokens_to_reach(runs: Sequence[ChildOutcome], target: float) -> Reached:
    """Tokens that training from scratch needs to come down to a score, from runs of growing length.

    Each run is a whole schedule, decayed to its end, because a run stopped half way is worse than a short one.
    Between the last run above the target and the first below, interpolated in the logarithm of the tokens.

    Returns:
        The tokens, "exact"; those of the shortest run, "at most", where it is below the target already; those of
        the longest, "at least", where none gets there.

    Raises:
        LabError: no run.
    """
    if not runs:
        raise LabError("There is no run from scratch to count the tokens of; give at least one.")
    ordered = sorted(runs, key=lambda run: run.tokens)
    earlier = None
    for run in ordered:
        if run.recovered <= target:
            if earlier is None:
                return Reached(float(run.tokens), "exact" if run.recovered == target else "at most")
            share = (earlier.recovered - target) / (earlier.recovered - run.recovered)
            return Reached(float(earlier.tokens * (run.tokens / earlier.tokens) ** share), "exact")
        earlier = run
    return Reached(float(ordered[-1].tokens), "at least")
