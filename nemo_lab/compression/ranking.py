"""From scores to indices: which heads, channels, neurons and layers stay when a target size is given.

Algorithm of group-aware SSM pruning (arXiv 2504.11409, eq. 19-25): channels of a head are ranked once for all
heads of a layer, by the root of the sum of squares over heads; heads are then scored on the surviving channels
alone and ranked *inside their group*, and every group keeps the same number.

Two rankings that ignore the groups stand beside it as negative examples, for `slice_model(…, across_groups=True)`.
"across" does to heads what Minitron does to neurons: sort all of a layer by their score and cut behind the last
that stays, so that any head may land in any group. "in place" picks the same heads but keeps their order, so
that only those slip into another group before which the groups lost more or fewer than their share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from nemo_lab.compression.importance import MAMBA_SCORES, NEURON_SCORES, Importance
from nemo_lab.compression.slicing import Kept
from nemo_lab.errors import LabError, check_whole, one_of
from nemo_lab.modeling import HybridConfig


def top(scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` highest scores, ascending; of equal scores the earlier index.

    Raises:
        LabError: fewer than one or more than there are.
    """
    return _ranked(scores, count).sort().values


def _ranked(scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` highest scores, best first."""
    if not 1 <= check_whole("count", count, 0) <= len(scores):
        raise LabError(f"{count} of {len(scores)} cannot be kept; choose 1 to {len(scores)}.")
    return torch.argsort(scores, descending=True, stable=True)[:count]


def channels_of_heads(score_HP: Tensor, count: int) -> Tensor:
    """Channels that every head of a layer keeps: one ranking for all heads (eq. 18, 20-21)."""
    return top(score_HP.square().sum(0), count)


def heads_within_groups(score_H: Tensor, groups: int, count: int) -> Tensor:
    """The `count` heads with the highest scores in their own group, count/groups each, group by group, best first.

    Raises:
        LabError: `groups` does not divide `count` or the number of heads.
    """
    if count % groups or len(score_H) % groups:
        raise LabError(f"{count} of {len(score_H)} heads cannot be shared by {groups} groups; use multiples of them.")
    each = len(score_H) // groups
    ranked = [_ranked(part, count // groups) + g * each for g, part in enumerate(score_H.split(each))]
    return torch.cat(ranked)


def heads_across_groups(score_H: Tensor, groups: int, count: int) -> Tensor:
    """The `count` heads with the highest scores of the layer, best first: what the constraint forbids."""
    return _ranked(score_H, count)


def heads_in_place(score_H: Tensor, groups: int, count: int) -> Tensor:
    """The same heads as `heads_across_groups`, in the parent's order."""
    return top(score_H, count)


HEAD_RANKINGS: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "within": heads_within_groups,
    "across": heads_across_groups,
    "in place": heads_in_place,
}


def keep_best(
    importance: Importance,
    parent: HybridConfig,
    target: HybridConfig,
    layers: Sequence[int] | None = None,
    *,
    mamba: str = "x",
    neurons: str = "after",
    heads: str = "within",
) -> Kept:
    """What stays of `parent` in a child of `target`'s widths.

    Args:
        importance: scores of the parent.
        layers: the parent's layers that stay, all by default; `target.pattern` is not read.
        mamba: the score of heads and channels, one of x, z, out, flap. neurons: before, after, flap.
        heads: one of `HEAD_RANKINGS`; all but "within" need `slice_model(…, across_groups=True)`.

    Raises:
        LabError: no scores, an unknown score, ranking or layer, or a target larger than the parent.
    """
    if not isinstance(importance, Importance):
        raise LabError(f"importance is {importance!r:.60}, expected what `measure_importance` returns.")
    choices = (mamba, MAMBA_SCORES), (neurons, NEURON_SCORES), (heads, tuple(HEAD_RANKINGS))
    for value, known in choices:
        if value not in list(known):  # a list has no hash
            raise LabError(one_of("score or ranking", value, known))
    places = tuple(range(len(parent.pattern))) if layers is None else _places(layers, parent)
    channels, chosen_heads = {}, {}
    for i in (i for i in places if parent.pattern[i] == "M"):
        score_HP = importance.mamba[mamba][i]
        channels[i] = channels_of_heads(score_HP, target.ssm_head_dim)
        score_H = score_HP[:, channels[i]].square().sum(1)
        chosen_heads[i] = HEAD_RANKINGS[heads](score_H, parent.ssm_groups, target.ssm_heads)
    chosen = {i: top(importance.neurons[neurons][i], target.d_ff) for i in places if parent.pattern[i] == "-"}
    return Kept(places, top(importance.embedding, target.d_model), chosen, chosen_heads, channels)


def _places(layers: Sequence[int], parent: HybridConfig) -> tuple[int, ...]:
    depth = len(parent.pattern)
    if not isinstance(layers, Sequence) or any(place not in range(depth) for place in layers):
        raise LabError(f"layers are {layers!r:.60}, expected numbers from 0 to {depth - 1}.")
    return tuple(layers)


def lowest_by_kind(pattern: str, scores: Sequence[float], counts: dict[str, int]) -> tuple[int, ...]:
    """The layers to remove: of each kind so many with the lowest scores, all ranked at once (one-shot).

    Raises:
        LabError: more layers of a kind than there are, or not one score for each layer.
    """
    if len(scores) != len(pattern):
        raise LabError(
            f"There are {len(scores)} scores for the {len(pattern)} layers of {pattern!r}; give one for each."
        )
    removed: list[int] = []
    for kind, count in counts.items():
        places = sorted((i for i, letter in enumerate(pattern) if letter == kind), key=lambda i: scores[i])
        if not 0 <= count <= len(places):
            raise LabError(f"{count} layers '{kind}' cannot be removed: {pattern!r} has {len(places)}.")
        removed += places[:count]
    return tuple(sorted(removed))


def without(pattern: str, removed: Sequence[int]) -> str:
    """The pattern that is left."""
    return "".join(letter for i, letter in enumerate(pattern) if i not in set(removed))
