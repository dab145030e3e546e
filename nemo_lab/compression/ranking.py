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
from dataclasses import asdict

import torch
from torch import Tensor

from nemo_lab.compression.importance import MAMBA_SCORES, NEURON_SCORES, Importance, Scores
from nemo_lab.compression.slicing import Kept
from nemo_lab.errors import LabError, check_instance, check_whole, one_of
from nemo_lab.modeling import HybridConfig

AXES = {  # what pruning can change, and the kind of layer that has it ("": all)
    "d_model": "",
    "d_ff": "-",
    "ssm_heads": "M",
    "ssm_head_dim": "M",
    "ssm_state": "M",
    "n_heads": "*",
    "n_kv_heads": "*",
}


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


def states_of_groups(score_GN: Tensor, count: int) -> Tensor:
    """States that each group keeps, (G, count): a ranking of its own for each, for only they share B and C."""
    return torch.stack([top(score_N, count) for score_N in score_GN])


def attention_heads(score_Q: Tensor, kv_heads: int, heads: int, kept_kv_heads: int) -> tuple[Tensor, Tensor]:
    """Query heads (Q',) and, for each key-value head of the child, the parent's heads that it is made of, (K', m).

    Fewer query heads for as many key-value heads: the best of each group. Fewer of both in the same ratio: whole
    groups, by the root of the sum of squares of their heads. Fewer key-value heads alone: neighbours are merged.

    Args:
        score_Q: of the parent's query heads; not read where heads are merged. kv_heads: of the parent.
        heads, kept_kv_heads: of the child.

    Raises:
        LabError: another ratio of the two, or a number that does not divide.
    """
    each = len(score_Q) // kv_heads
    if heads == len(score_Q):
        return torch.arange(heads), _neighbours(kv_heads, kept_kv_heads)
    if kept_kv_heads == kv_heads:
        return heads_within_groups(score_Q, kv_heads, heads), torch.arange(kv_heads)[:, None]
    if heads != kept_kv_heads * each:
        raise LabError(
            f"n_heads={heads} and n_kv_heads={kept_kv_heads} of {len(score_Q)} and {kv_heads}: prune whole groups "
            f"(n_heads={kept_kv_heads * each}), or one of the two at a time."
        )
    groups = top(score_Q.unflatten(0, (kv_heads, each)).square().sum(1), kept_kv_heads)
    return (groups[:, None] * each + torch.arange(each)).flatten(), groups[:, None]


def _neighbours(kv_heads: int, count: int) -> Tensor:
    if kv_heads % count:
        raise LabError(f"n_kv_heads: {kv_heads} heads cannot be merged evenly into {count}; choose a divisor.")
    return torch.arange(kv_heads).view(count, -1)


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
        layers: the parent's layers that stay, all by default; `target.pattern` is the parent's or what they make.
        mamba: the score of heads and channels, one of x, z, out, flap. neurons: before, after, flap.
        heads: one of `HEAD_RANKINGS`; all but "within" need `slice_model(…, across_groups=True)`.

    Raises:
        LabError: no scores, an unknown score, ranking or layer, a target larger than the parent or with another
            value where pruning changes none, or what `attention_heads` raises.
    """
    if not isinstance(importance, Importance):
        raise LabError(f"importance is {importance!r:.60}, expected what `measure_importance` returns.")
    choices = (mamba, MAMBA_SCORES), (neurons, NEURON_SCORES), (heads, tuple(HEAD_RANKINGS))
    for value, known in choices:
        if value not in list(known):  # a list has no hash
            raise LabError(one_of("score or ranking", value, known))
    places = tuple(range(len(parent.pattern))) if layers is None else _places(layers, parent)
    _check_target(parent, target, places)
    channels, chosen_heads = {}, {}
    for i in (i for i in places if parent.pattern[i] == "M"):
        score_HP = importance.mamba[mamba][i]
        channels[i] = channels_of_heads(score_HP, target.ssm_head_dim)
        score_H = score_HP[:, channels[i]].square().sum(1)
        chosen_heads[i] = HEAD_RANKINGS[heads](score_H, parent.ssm_groups, target.ssm_heads)
    chosen = {i: top(importance.neurons[neurons][i], target.d_ff) for i in places if parent.pattern[i] == "-"}
    states = _states(importance, parent, target, places)
    queries, keys = _attention(importance, parent, target, places)
    embedding = top(importance.embedding, target.d_model)
    return Kept(places, embedding, chosen, chosen_heads, channels, states, queries, keys)


def _states(
    importance: Importance, parent: HybridConfig, target: HybridConfig, places: tuple[int, ...]
) -> dict[int, Tensor]:
    if parent.ssm_state == target.ssm_state:
        return {}
    scores = {i: _score(importance.states, i, "states") for i in places if parent.pattern[i] == "M"}
    return {i: states_of_groups(score_GN, target.ssm_state) for i, score_GN in scores.items()}


def _attention(
    importance: Importance, parent: HybridConfig, target: HybridConfig, places: tuple[int, ...]
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    asked = target.n_heads, target.n_kv_heads
    if asked == (parent.n_heads, parent.n_kv_heads):
        return {}, {}
    scores = {i: _score(importance.attention, i, "attention heads") for i in places if parent.pattern[i] == "*"}
    both = {i: attention_heads(score_Q, parent.n_kv_heads, *asked) for i, score_Q in scores.items()}
    return {i: queries for i, (queries, _) in both.items()}, {i: keys for i, (_, keys) in both.items()}


def _score(scores: Scores, place: int, what: str) -> Tensor:
    if place not in scores:
        raise LabError(f"importance has no scores of {what} in layer {place}; measure it with `measure_importance`.")
    return scores[place]


def _check_target(parent: HybridConfig, target: HybridConfig, places: tuple[int, ...]) -> None:
    """Every difference is one that pruning can make: what would be ignored is refused by its name."""
    check_instance("target", target, HybridConfig, "give the parent's configuration with smaller widths")
    left = "".join(parent.pattern[i] for i in places)
    if target.pattern not in (parent.pattern, left):
        raise LabError(f"pattern is {target.pattern!r} in the target, but the layers that stay make {left!r}.")
    for name, have in asdict(parent).items():
        asked = getattr(target, name)
        if asked == have or name == "pattern":
            continue
        if name not in AXES:
            axes = ", ".join(AXES)
            raise LabError(f"{name} is {asked} in the target and {have} in the parent; pruning changes only {axes}.")
        if asked > have:
            raise LabError(f"{name}: {asked} of {have} cannot be kept; choose 1 to {have}.")
        if AXES[name] not in parent.pattern:
            raise LabError(f"{name} is {asked} in the target, but {parent.pattern!r} has no layer '{AXES[name]}'.")


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
