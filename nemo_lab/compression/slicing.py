r"""Cutting a hybrid model for real: a smaller `HybridLM` made of slices of a larger one's tensors.

Axes (group-aware SSM pruning, arXiv 2504.11409, section 3; Minitron, arXiv 2407.14679): whole layers, FFN
neurons, embedding channels, Mamba-2 heads and the channels of a head, attention heads. A checkpoint of this
architecture has one width for all layers, so every layer keeps the same number, though not the same indices.

    tensor of a Mamba-2 layer        rows or entries kept
    in_proj   [z | x | B C | dt]     z and x of the kept (head, channel) pairs, B and C of the states, dt of the heads
    conv      [x | B C]              x of the kept pairs, B and C of the states
    A_log, D, dt_bias                the heads
    norm_weight, out_proj (columns)  the pairs

**Attention.** Query heads go alone, inside their group, or with the key-value head that they read (Minitron,
section 2). Key-value heads alone can only be merged: each is the mean of those that it stands for (Puzzle, arXiv
2411.19146, appendix A). The group-aware paper leaves attention as it is, for it is 8 % of the layers.

**States** are not pruned in the papers, which keep B and C whole; this axis is ours. State n of a group adds
B_n C_n to what its heads read and nothing else knows n, so any of them can go, others in each group.

**The group constraint** (section 3.1). B and C belong to a group of H/G heads. The child's head number j reads
group j // (H'/G), so a kept head must stay in the group it was trained in, and every group keeps equally many;
`slice_model` refuses anything else unless told otherwise. Since indices may come in any order, a slice that
keeps everything in another order is a permutation: exact within groups, another function across them.

**Masked is not sliced** (our derivation). RMSNorm divides by the root of a mean: over k of n values, the
others zero, the masked mean is k/n of the sliced one. `mask_model` builds the full-size model that equals the
slice: it scales the norm's weight by sqrt(k/n) and its eps by k/n; with `norms=False` it only writes zeros, as
a search by masking would.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nemo_lab.compression.rows import conv_rows, head_rows, in_place, in_proj_rows, merged, query_rows
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM, costs
from nemo_lab.precision import plain_state

NORMS = ("norm.weight", "norm_weight")
KEYS = ("k_proj.weight", "v_proj.weight")
OUTPUTS = {"M": "out_proj", "*": "o_proj", "-": "down_proj"}  # what a layer adds to the residual stream


@dataclass(frozen=True)
class Kept:
    """Indices of what stays, in the order that the child gets them; None or a missing layer: everything.

    `layers` are the parent's layer numbers; all below `embedding` are keyed by them too. Key-value head j of the
    child is the mean of the parent's heads `keys[layer][j]`; one that stays as it is stands alone in its row.
    """

    layers: tuple[int, ...] | None = None
    embedding: Tensor | None = None  # (d',)
    neurons: Mapping[int, Tensor] = field(default_factory=dict)  # FFN layer -> (F',)
    heads: Mapping[int, Tensor] = field(default_factory=dict)  # Mamba-2 layer -> (H',)
    channels: Mapping[int, Tensor] = field(default_factory=dict)  # Mamba-2 layer -> (P',)
    states: Mapping[int, Tensor] = field(default_factory=dict)  # Mamba-2 layer -> (G, N'), a row a group
    queries: Mapping[int, Tensor] = field(default_factory=dict)  # attention layer -> (Q',)
    keys: Mapping[int, Tensor] = field(default_factory=dict)  # attention layer -> (K', m)


def slice_model(model: HybridLM, kept: Kept, *, across_groups: bool = False) -> HybridLM:
    """A new model with its own copy of the kept parts of `model`.

    Layers in FP8 (`precision.to_fp8`) become plain ones with the same weights; put the child into FP8 anew.

    Args:
        kept: what stays.
        across_groups: let heads change group, which breaks them; for the experiment that shows it.

    Raises:
        LabError: an index out of range or twice, layers that would differ in width, or heads that leave their
            group, of Mamba-2 or of attention. Also when the child's size is not what its configuration says, for a
            slice that silently does nothing is this field's worst bug.
    """
    _check_request(model, kept)
    parent = model.config
    plan = _complete(parent, kept)
    config = sliced_config(parent, plan)
    if not across_groups:
        _check_groups(parent, plan)
    state, source = {}, plain_state(model)
    for name, tensor in source.items():
        place, rest = _split(name)
        if place is not None and place not in plan.layers:  # type: ignore[operator]
            continue
        target = name if place is None else f"blocks.{plan.layers.index(place)}.{rest}"  # type: ignore[union-attr]
        state[target] = _slice(name, tensor, parent, plan).clone()
    with torch.device("meta"):
        child = HybridLM(config)
    child.load_state_dict(state, strict=True, assign=True)
    _check_size(child)
    return child.train(model.training)


def sliced_config(parent: HybridConfig, kept: Kept) -> HybridConfig:
    """The configuration of the child: the same for all layers, whatever their indices.

    Raises:
        LabError: layers that keep different numbers, or heads that the groups cannot share equally.
    """
    plan = _complete(parent, kept)
    letters = [parent.pattern[i] for i in plan.layers or ()]
    for place, heads in plan.heads.items():
        if len(heads) % parent.ssm_groups:
            raise LabError(
                f"Layer {place} keeps {len(heads)} heads, which its {parent.ssm_groups} groups cannot share; keep a "
                f"multiple of {parent.ssm_groups}."
            )
    return parent.with_(
        pattern="".join(letters),
        d_model=len(plan.embedding),  # type: ignore[arg-type]
        d_ff=_one_width(plan.neurons, plan, "-", "neurons", parent.d_ff),
        ssm_heads=_one_width(plan.heads, plan, "M", "heads", parent.ssm_heads),
        ssm_head_dim=_one_width(plan.channels, plan, "M", "channels", parent.ssm_head_dim),
        ssm_state=_one_width({i: s[0] for i, s in plan.states.items()}, plan, "M", "states", parent.ssm_state),
        n_heads=_one_width(plan.queries, plan, "*", "query heads", parent.n_heads),
        n_kv_heads=_one_width(plan.keys, plan, "*", "key-value heads", parent.n_kv_heads),
    )


def mask_model(model: HybridLM, kept: Kept, *, norms: bool = True) -> HybridLM:
    """A full-size copy of `model` in which all that is not kept is zero: the slice's logits, the parent's shape.

    Key-value heads that the slice merges all become their mean.
    Zeros cannot reorder: where a slice also permutes, the two agree only because the permutation is harmless.

    Args:
        norms: scale norms as the module's docstring says, which makes it equal to the slice; False only zeroes.
            Layers in FP8 stay in FP8, where the rounding of a masked weight may differ from that of its slice.
    """
    _check_request(model, kept)
    plan = _complete(model.config, kept)
    masked = copy.deepcopy(model)
    with torch.no_grad():
        for name, tensor in plain_state(masked).items():
            place, _ = _split(name)
            if place is not None and place not in plan.layers:  # type: ignore[operator]
                if name.split(".")[-2] in OUTPUTS.values():
                    tensor.zero_()
                continue
            if name.endswith(KEYS):
                tensor.copy_(in_place(tensor, plan.keys[place], model.config.head_dim))  # type: ignore[index]
            mask = torch.zeros_like(tensor)
            _spread(name, mask, model.config, plan)
            tensor.mul_(mask)
            if norms and name.endswith(NORMS):
                tensor.mul_((float(mask.sum()) / mask.numel()) ** 0.5)
    if norms:
        _scale_eps(masked, plan)
    return masked


def removed_layers(model: HybridLM, removed: tuple[int, ...]) -> HybridLM:
    """The model without some layers; the others unchanged.

    Raises:
        LabError: a number that is no layer's, or no layer left.
    """
    if not isinstance(removed, tuple | list | range):
        raise LabError(f"removed is {removed!r:.60}, expected the numbers of layers, such as (3, 4).")
    depth = len(model.blocks)
    stray = sorted(i for i in set(removed) if not 0 <= i < depth)
    if stray:
        raise LabError(f"Layer {stray[0]} cannot be removed: the layers are numbered from 0 to {depth - 1}.")
    return slice_model(model, Kept(layers=tuple(i for i in range(depth) if i not in set(removed))))


def _axes(name: str, config: HybridConfig, plan: Kept) -> tuple[Tensor | None, ...]:
    """For each dimension of the tensor `name`, the indices that stay (None: all)."""
    place, rest = _split(name)
    e, last = plan.embedding, rest.removesuffix(".weight").split(".")[-1]
    if place is None or last == "norm":  # embedding (V, d), head (V, d), norms (d,)
        return (e,) if last == "norm" else (None, e)
    if last in ("k_proj", "v_proj"):  # the heads are chosen in `merged`
        return None, e
    if last in ("q_proj", "o_proj"):
        rows = query_rows(config, plan.queries[place])
        return (rows, e) if last == "q_proj" else (e, rows)
    if last in ("up_proj", "down_proj"):
        neurons = plan.neurons[place]
        return (neurons, e) if last == "up_proj" else (e, neurons)
    heads, channels, states = plan.heads[place], plan.channels[place], plan.states[place]
    of: dict[str, Callable[[], tuple[Tensor | None, ...]]] = {
        "in_proj": lambda: (in_proj_rows(config, heads, channels, states), e),
        "conv_weight": lambda: (conv_rows(config, heads, channels, states), None),
        "conv_bias": lambda: (conv_rows(config, heads, channels, states),),
        "norm_weight": lambda: (head_rows(config, heads, channels),),
        "out_proj": lambda: (e, head_rows(config, heads, channels)),
    }
    return of[last]() if last in of else (heads,)  # dt_bias, A_log, D


def _slice(name: str, tensor: Tensor, config: HybridConfig, plan: Kept) -> Tensor:
    if name.endswith(KEYS):
        tensor = merged(tensor, plan.keys[_split(name)[0]], config.head_dim)  # type: ignore[index]
    for dimension, index in enumerate(_axes(name, config, plan)):
        tensor = tensor if index is None else tensor.index_select(dimension, index)
    return tensor


def _spread(name: str, mask: Tensor, config: HybridConfig, plan: Kept) -> None:
    """Write ones into `mask` where the tensor `name` stays."""
    axes = [torch.arange(n) if i is None else i for i, n in zip(_axes(name, config, plan), mask.shape, strict=True)]
    mask[torch.meshgrid(*axes, indexing="ij")] = 1


def _scale_eps(masked: HybridLM, plan: Kept) -> None:
    """eps·k/n in every norm that sees k of n values."""
    config = masked.config
    of_stream = config.norm_eps * len(plan.embedding) / config.d_model  # type: ignore[arg-type]
    masked.norm.eps = of_stream
    blocks: Any = masked.blocks
    for i, block in enumerate(blocks):
        block.norm.eps = of_stream
        if block.kind == "M" and i in plan.layers:  # type: ignore[operator]
            share = len(plan.heads[i]) * len(plan.channels[i]) / config.d_inner
            block.mixer.config = config.with_(norm_eps=config.norm_eps * share)


def _split(name: str) -> tuple[int | None, str]:
    """`blocks.3.mixer.D` -> (3, "mixer.D"); other names -> (None, name)."""
    if not name.startswith("blocks."):
        return None, name
    _, place, rest = name.split(".", 2)
    return int(place), rest


def _complete(config: HybridConfig, kept: Kept) -> Kept:
    """`kept` with every None and every missing layer filled in, and all indices checked."""
    layers = tuple(range(len(config.pattern))) if kept.layers is None else kept.layers
    _check_indices(torch.tensor(layers, dtype=torch.long), len(config.pattern), "layers")
    embedding = torch.arange(config.d_model) if kept.embedding is None else kept.embedding
    _check_indices(embedding, config.d_model, "embedding")

    def fill(axis: str, kind: str, everything: Tensor) -> dict[int, Tensor]:
        given: Mapping[int, Tensor] = getattr(kept, axis)
        stray = sorted(i for i in given if not 0 <= i < len(config.pattern) or config.pattern[i] != kind)
        if stray:
            raise LabError(f"{axis} are given for layer {stray[0]}, which is no '{kind}' layer of {config.pattern!r}.")
        return {i: given.get(i, everything) for i in layers if config.pattern[i] == kind}

    everything = torch.arange
    plan = Kept(
        layers,
        embedding,
        fill("neurons", "-", everything(config.d_ff)),
        fill("heads", "M", everything(config.ssm_heads)),
        fill("channels", "M", everything(config.ssm_head_dim)),
        fill("states", "M", everything(config.ssm_state).repeat(config.ssm_groups, 1)),
        fill("queries", "*", everything(config.n_heads)),
        fill("keys", "*", everything(config.n_kv_heads)[:, None]),
    )
    _check_plan(config, plan)
    return plan


def _check_plan(config: HybridConfig, plan: Kept) -> None:
    """All indices of the layers: of the right shape, there, and none twice."""
    sizes = {"neurons": config.d_ff, "heads": config.ssm_heads, "channels": config.ssm_head_dim}
    for axis, size in (sizes | {"queries": config.n_heads}).items():
        for i, index in getattr(plan, axis).items():
            _check_indices(index, size, f"{axis} of layer {i}")
    for i, states_GN in plan.states.items():
        _check_table(states_GN, config.ssm_groups, f"states of layer {i}")
        for group, index in enumerate(states_GN):
            _check_indices(index, config.ssm_state, f"states of group {group} of layer {i}")
    for i, keys_Km in plan.keys.items():
        _check_table(keys_Km, None, f"keys of layer {i}")
        _check_indices(keys_Km.flatten(), config.n_kv_heads, f"keys of layer {i}")


def _check_table(index: Tensor, rows: int | None, what: str) -> None:
    if not isinstance(index, Tensor) or index.ndim != 2 or (rows is not None and len(index) != rows):
        wanted = "a row for each head that stays" if rows is None else f"{rows} rows, one a group"
        raise LabError(f"{what}: expected a table of whole numbers with {wanted}, not {index}.")


def _check_request(model: HybridLM, kept: Kept) -> None:
    if not isinstance(model, HybridLM) or not isinstance(kept, Kept):
        kinds = f"{type(model).__name__} and {type(kept).__name__}"
        raise LabError(f"model and kept are {kinds}, expected a HybridLM and Kept, such as `keep_best` makes.")
    if any(type(place) is not int for place in kept.layers or ()):
        raise LabError(f"layers are {kept.layers!r:.60}, expected whole numbers.")


def _check_indices(index: Tensor, size: int, what: str) -> None:
    if not isinstance(index, Tensor) or index.dtype != torch.long or index.ndim != 1 or not len(index):
        raise LabError(f"{what}: expected a non-empty vector of whole numbers (torch.long), not {index}.")
    if int(index.min()) < 0 or int(index.max()) >= size or len(index.unique()) < len(index):
        raise LabError(f"{what}: {index.tolist()} must be different numbers from 0 to {size - 1}.")


def _one_width(kept: Mapping[int, Tensor], plan: Kept, kind: str, what: str, default: int) -> int:
    widths = {i: len(index) for i, index in kept.items()}
    if len(set(widths.values())) > 1:
        raise LabError(f"Layers keep different numbers of {what}, {widths}; all '{kind}' layers need the same.")
    return next(iter(widths.values()), default)


def _check_groups(config: HybridConfig, plan: Kept) -> None:
    for place, queries in plan.queries.items():
        _check_readers(config, queries, plan.keys[place], place)
    G = config.ssm_groups
    for place, heads in plan.heads.items():
        was = heads // (config.ssm_heads // G)
        if not torch.equal(was, torch.arange(G).repeat_interleave(len(heads) // G)):
            raise LabError(
                f"Heads {heads.tolist()} of layer {place} would leave the groups whose B and C they read; keep as "
                f"many of each group, group by group (`ranking.heads_within_groups` does)."
            )


def _check_readers(config: HybridConfig, queries: Tensor, keys_Km: Tensor, place: int) -> None:
    """Each query head reads, in the child, a key-value head that the one it was trained with went into."""
    was = queries // (config.n_heads // config.n_kv_heads)
    now_Qm = keys_Km.repeat_interleave(max(1, len(queries) // len(keys_Km)), 0)
    if len(now_Qm) != len(queries) or not (now_Qm == was[:, None]).any(1).all():
        raise LabError(
            f"Query heads {queries.tolist()} of layer {place} would read other key-value heads than their own in "
            f"{keys_Km.tolist()}; keep as many for each, in its order (`ranking.attention_heads` does)."
        )


def _check_size(child: HybridLM) -> None:
    found, wanted = child.parameter_count(), costs.parameter_count(child.config)
    if found != wanted:
        raise LabError(f"The slice has {found:,} parameters, but its configuration stands for {wanted:,}.")
