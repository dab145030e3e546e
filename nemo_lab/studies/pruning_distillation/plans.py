"""Ways to prune a model to one size: which axes give, and how much; the FFN takes the rest.

Table 1 of group-aware SSM pruning (arXiv 2504.11409) compares children of equal size that were pruned along
different axes. A `PruningPlan` names the shares that stay of four axes; the FFN width then brings the child to the
target's parameter count, so that all plans are compared at equal parameters. The first plans use the
traditional axes, embedding, FFN and depth; as many others prune Mamba-2 heads as well, so that the best of
either side is picked from equally many. "published ratios" are those of Nemotron-H-4B: 112 of 128 heads, 3072 of
4096 channels. The last two plans show head channels, which the paper found to hurt more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nemo_lab.compression.importance import Importance
from nemo_lab.compression.ranking import keep_best, without
from nemo_lab.compression.slicing import Kept
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.placement import match_parameters


@dataclass(frozen=True)
class PruningPlan:
    """Shares of layers, embedding channels, Mamba-2 heads and head channels that stay."""

    name: str
    layers: float = 1.0
    embedding: float = 1.0
    heads: float = 1.0
    channels: float = 1.0

    @property
    def prunes_heads(self) -> bool:
        """Whether it takes Mamba-2 heads, and no head channels: the paper's own side of the comparison."""
        return self.heads < 1 and self.channels == 1

    @property
    def traditional(self) -> bool:
        """Whether it leaves the inside of Mamba-2 layers alone."""
        return self.heads == self.channels == 1


PLANS = (
    PruningPlan("FFN"),
    PruningPlan("embedding", embedding=3 / 4),
    PruningPlan("less embedding", embedding=7 / 8),
    PruningPlan("depth", layers=7 / 10),
    PruningPlan("depth and embedding", layers=8 / 10, embedding=7 / 8),
    PruningPlan("heads", heads=3 / 4),
    PruningPlan("published ratios", heads=7 / 8, embedding=3 / 4),
    PruningPlan("heads, less embedding", heads=3 / 4, embedding=7 / 8),
    PruningPlan("half the heads", heads=1 / 2),
    PruningPlan("heads and depth", heads=7 / 8, layers=8 / 10),
    PruningPlan("channels", channels=3 / 4),
    PruningPlan("heads and channels", heads=7 / 8, channels=7 / 8),
)


def planned_config(plan: PruningPlan, parent: HybridConfig, target: int, removed: Sequence[int]) -> HybridConfig:
    """The child's configuration: shares of the plan, FFN width for `target` parameters.

    Heads come out as a multiple of the groups, embedding channels of eight.

    Raises:
        LabError: the FFN would have to be wider than the parent's, or vanish.
    """
    child = parent.with_(
        pattern=without(parent.pattern, removed),
        d_model=max(8, 8 * round(parent.d_model * plan.embedding / 8)),
        ssm_heads=parent.ssm_groups * max(1, round(parent.ssm_heads * plan.heads / parent.ssm_groups)),
        ssm_head_dim=max(1, round(parent.ssm_head_dim * plan.channels)),
    )
    try:
        matched = match_parameters(child, target)
    except ValueError as error:
        raise LabError(f"Plan {plan.name!r} cannot reach {target:,} parameters: {error}") from None
    if matched.d_ff > parent.d_ff:
        raise LabError(
            f"Plan {plan.name!r} would need {matched.d_ff} of {parent.d_ff} FFN neurons for {target:,} parameters; "
            f"prune less along its other axes."
        )
    return matched


def layers_to_remove(plan: PruningPlan, pattern: str, scores: Sequence[float]) -> tuple[int, ...]:
    """The layers with the lowest scores, as many as the plan takes; of each kind one stays."""
    wanted = len(pattern) - round(len(pattern) * plan.layers)
    removed: list[int] = []
    for place in sorted(range(len(pattern)), key=lambda i: scores[i]):
        kind = pattern[place]
        if len(removed) < wanted and sum(pattern[i] == kind for i in removed) < pattern.count(kind) - 1:
            removed.append(place)
    return tuple(sorted(removed))


def planned_child(
    plan: PruningPlan,
    parent: HybridConfig,
    target: int,
    importance: Importance,
    layer_scores: Sequence[float],
    *,
    heads: str = "within",
) -> Kept:
    """What stays of the parent under a plan, by its scores; arguments as in `planned_config` and `keep_best`."""
    removed = layers_to_remove(plan, parent.pattern, layer_scores)
    config = planned_config(plan, parent, target, removed)
    stay = [i for i in range(len(parent.pattern)) if i not in removed]
    return keep_best(importance, parent, config, stay, heads=heads)


def feasible(
    plans: Sequence[PruningPlan], parent: HybridConfig, target: int, layer_scores: Sequence[float]
) -> list[PruningPlan]:
    """The plans that can reach the target."""
    found = []
    for plan in plans:
        try:
            planned_config(plan, parent, target, layers_to_remove(plan, parent.pattern, layer_scores))
        except LabError:
            continue
        found.append(plan)
    return found
