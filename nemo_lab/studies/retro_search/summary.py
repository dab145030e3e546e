"""What the seeds of the Retro-Search experiment say together: tables, savings, and bootstrap intervals.

Lengths of traces are skewed, so that single traces are summed up by medians with a percentile bootstrap; seeds, of
which there are few, by Student's interval, as the ledger does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.errors import LabError
from nemo_lab.reasoning.retro.thoughts import Shape
from nemo_lab.studies.retro_search.measures import Cost
from nemo_lab.studies.retro_search.runs import SeedResult

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("accuracy", "tokens", "sampled_accuracy", "sampled_tokens")
TRAITS = ("tokens", "switches", "steps_per_thought", "answer_at")


def per_seed(results: Sequence[SeedResult], kind: str, measure: str = "accuracy") -> np.ndarray:
    """One measure of the models tuned on one kind of data, a number a seed."""
    return np.array([getattr(result.outcomes[kind], measure) for result in results])


def saved(results: Sequence[SeedResult], kind: str, against: str, measure: str = "tokens") -> list[float]:
    """Tokens that one kind saves against another, in per cent, a number a seed."""
    new, old = per_seed(results, kind, measure), per_seed(results, against, measure)
    return [float(number) for number in 100 * (1 - new / old)]


def gained(results: Sequence[SeedResult], kind: str, against: str) -> list[float]:
    """Greedy accuracy of one kind minus that of another, in points, a number a seed."""
    new, old = per_seed(results, kind), per_seed(results, against)
    return [float(number) for number in 100 * (new - old)]


def outcome_table(results: Sequence[SeedResult], kinds: Sequence[str]) -> pd.DataFrame:
    """Means over seeds: of the data a model was tuned on, and of what it then writes."""
    import pandas as pd

    rows = {}
    for kind in kinds:
        steps = [shape.steps for result in results for shape in result.data[kind]]
        means = {measure: per_seed(results, kind, measure).mean() for measure in MEASURES}
        rows[kind] = {"data steps": np.mean(steps), **means}
    return pd.DataFrame(rows).T


def cost_table(results: Sequence[SeedResult], kinds: Sequence[str]) -> pd.DataFrame:
    """Means over seeds: what kinds of revision save and cost, a trace."""
    import pandas as pd

    return pd.DataFrame({kind: _cost_row([result.costs[kind] for result in results]) for kind in kinds}).T


def shortened(cost: Cost) -> float:
    """Steps that a revision saves, in per cent of those there were."""
    return 100 * (1 - cost.after / cost.before)


def traits(results: Sequence[SeedResult], kind: str) -> dict[str, tuple[float, float, float]]:
    """Median and 95 % bootstrap interval of each trait of right samples of the models tuned on one kind."""
    shapes = [shape for result in results for shape in result.outcomes[kind].shapes]
    return {name: bootstrap_median(_trait(shapes, name)) for name in TRAITS}


def bootstrap_median(values: Sequence[float], draws: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """The median of values that are numbers, and the ends of its 95 % percentile-bootstrap interval.

    Raises:
        LabError: there is no value, or all are NaN.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[~np.isnan(finite)]
    if not finite.size:
        raise LabError("A median needs at least one value that is a number.")
    drawn = np.random.default_rng(seed).choice(finite, (draws, finite.size))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(np.median(finite)), float(low), float(high)


def _trait(shapes: Sequence[Shape], name: str) -> list[float]:
    return [float(getattr(shape, name)) for shape in shapes]


def _cost_row(costs: Sequence[Cost]) -> dict[str, float]:
    return {
        "steps before": float(np.mean([cost.before for cost in costs])),
        "steps after": float(np.mean([cost.after for cost in costs])),
        "saved, %": float(np.mean([shortened(cost) for cost in costs])),
        "rollouts": float(np.mean([cost.rollouts / cost.traces for cost in costs])),
        "tokens": float(np.mean([cost.tokens / cost.traces for cost in costs])),
        "sound before, %": float(np.mean([100 * cost.sound_before for cost in costs])),
        "sound after, %": float(np.mean([100 * cost.sound_after for cost in costs])),
        "taken, %": float(np.mean([100 * cost.accepted for cost in costs])),
    }
