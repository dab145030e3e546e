"""The experiments of notebook 07 on one trained parent, as jobs that return numbers.

`train_parent` trains a parent and looks at it: importance and layer scores. `sweep`, `group_gap`, `score_places`
and `depth_orders` score its children before any distillation. `equal_size_recipes`, `random_heads_recipe`,
`loss_recipes` and `budgeted` list the children that `recovery.recover` then distils. A `score` is a function of a
model, lower is better; in the notebook it is held-out bits per byte.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from nemo_lab.compression.importance import MAMBA_SCORES, Importance, measure_importance, random_importance
from nemo_lab.compression.layers import MEASURES, layer_scores, remove_iteratively
from nemo_lab.compression.minipuzzle import Candidate, candidates, greedy_scores
from nemo_lab.compression.ranking import HEAD_RANKINGS, keep_best
from nemo_lab.compression.slicing import Kept, removed_layers, slice_model
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.studies.pruning_distillation.plans import PLANS, feasible, planned_child
from nemo_lab.studies.pruning_distillation.recovery import ChildRecipe, Score
from nemo_lab.training import Packed, TrainSettings, batch, train


@dataclass(frozen=True)
class Parent:
    """A trained model and what forward passes say about it; `score` is its own."""

    model: HybridLM
    importance: Importance
    layers: dict[str, list[float]]
    score: float

    @property
    def config(self) -> HybridConfig:
        """The model's shape."""
        return self.model.config


def train_parent(
    config: HybridConfig, seed: int, data: Packed, settings: TrainSettings, calibration: Sequence[Any], score: Score
) -> Parent:
    """Train a model from `seed` and measure the importance of its parts on the calibration batches."""
    model = HybridLM(config, seed=seed)
    train(model, data, dataclasses.replace(settings, seed=seed), progress=False)
    model.eval()
    return Parent(model, measure_importance(model, calibration), layer_scores(model, calibration), score(model))


def calibration_batches(data: Packed, count: int, size: int, seed: int = 0) -> list[Any]:
    """So many batches of `size` rows."""
    return [batch(data, size, seed, step) for step in range(count)]


def sweep(parent: Parent, score: Score, axis: str, sizes: Sequence[int]) -> list[float]:
    """Scores of children that are narrower along one axis only, not distilled.

    Args:
        axis: a width of `HybridConfig`: ssm_heads, ssm_head_dim, d_ff or d_model.
    """
    return [
        score(slice_model(parent.model, keep_best(parent.importance, parent.config, parent.config.with_(**{axis: n}))))
        for n in sizes
    ]


def group_gap(parent: Parent, score: Score, heads: int) -> dict[str, float]:
    """Scores with so many heads left, by every ranking of `HEAD_RANKINGS`, and drawn at random within groups."""
    target = parent.config.with_(ssm_heads=heads)
    kept = {name: keep_best(parent.importance, parent.config, target, heads=name) for name in HEAD_RANKINGS}
    kept["random"] = keep_best(random_importance(parent.config, 0), parent.config, target)
    return {name: score(slice_model(parent.model, one, across_groups=True)) for name, one in kept.items()}


def score_places(parent: Parent, score: Score, targets: Sequence[HybridConfig]) -> dict[str, list[float]]:
    """Scores of children by where heads and channels are scored (the paper's Table 2), and at random."""
    found = {}
    for name in MAMBA_SCORES:
        kept = [keep_best(parent.importance, parent.config, target, mamba=name) for target in targets]
        found[name] = [score(slice_model(parent.model, one)) for one in kept]
    by_chance = [random_importance(parent.config, seed) for seed in range(3)]
    found["random"] = [
        float(np.mean([score(slice_model(parent.model, keep_best(one, parent.config, t))) for one in by_chance]))
        for t in targets
    ]
    return found


def depth_orders(parent: Parent, score: Score, calibration: Sequence[Any], count: int) -> dict[str, float]:
    """Scores without `count` layers by measure, ranked once; then iteratively; then the mean of random choices."""
    depth = range(len(parent.config.pattern))
    orders = {f"{name}, once": tuple(sorted(depth, key=parent.layers[name].__getitem__)[:count]) for name in MEASURES}
    for name in ("hidden mse", "logits mse", "logits kl"):
        orders[f"{name}, iterative"] = remove_iteratively(parent.model, calibration, count, name)
    found = {name: score(removed_layers(parent.model, order)) for name, order in orders.items()}
    draws = np.random.default_rng(0)
    chosen = [tuple(draws.choice(len(depth), count, replace=False).tolist()) for _ in range(4)]
    found["random"] = float(np.mean([score(removed_layers(parent.model, order)) for order in chosen]))
    return found


def equal_size_recipes(parent: Parent, target: int, measure: str = "logits kl") -> list[ChildRecipe]:
    """One recipe for every feasible plan of `PLANS`, all of `target` parameters."""
    scores = parent.layers[measure]
    child = partial(planned_child, parent=parent.config, target=target, layer_scores=scores)
    return [
        ChildRecipe(plan.name, child(plan, importance=parent.importance))
        for plan in feasible(PLANS, parent.config, target, scores)
    ]


def random_heads_recipe(parent: Parent, plan: str, target: int, measure: str = "logits kl") -> ChildRecipe:
    """A plan's child with its Mamba-2 heads drawn at random over all groups: the control of ssm-pruning.needed."""
    chosen = next(one for one in PLANS if one.name == plan)
    chance = random_importance(parent.config, 1)
    mixed = dataclasses.replace(parent.importance, mamba=chance.mamba)
    kept = planned_child(chosen, parent.config, target, mixed, parent.layers[measure], heads="across")
    return ChildRecipe(f"{plan}, random heads", kept, across_groups=True)


def loss_recipes(kept: Kept, objectives: Sequence[str]) -> list[ChildRecipe]:
    """The same child under several losses, and one of its shape with random weights under KL."""
    return [ChildRecipe(name, kept, objective=name) for name in objectives] + [
        ChildRecipe("random start", kept, fresh=True)
    ]


def budgeted(
    parent: Parent,
    widths: Sequence[int],
    size: Callable[[HybridConfig], float],
    budget: float,
    rows: Sequence[Any],
    tried: int,
    few: int,
) -> list[tuple[Candidate, ChildRecipe, float]]:
    """MiniPuzzle up to its third step: the `few` of the `tried` largest fitting children that agree most.

    Returns:
        Candidates with their recipes and the shares of tokens on which they agree with the parent, best first.
    """
    fitting = candidates(parent.config, parent.layers["hidden mse"], widths, size, budget)[:tried]
    scored = []
    for number, one in enumerate(fitting):
        kept = keep_best(parent.importance, parent.config, one.config, one.kept(len(parent.config.pattern)))
        agreed = greedy_scores(slice_model(parent.model, kept), parent.model, rows)[1]
        scored.append((one, ChildRecipe(f"candidate {number}", kept), agreed))
    return sorted(scored, key=lambda row: -row[2])[:few]
