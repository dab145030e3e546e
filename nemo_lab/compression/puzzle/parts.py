"""The sub-blocks of a Llama: what each can be, a walk through them, and cheaper ones before any training.

An `Option` is what one sub-block can be; libraries, slots, choices and files are made of options.

How an alternative starts (Puzzle, arXiv 2411.19146, appendix A):

    fewer key-value heads   mean of the heads that are merged
    linear for attention    W_O W_V, as if every token attended to itself alone
    narrower feed-forward   keep the channels that contribute most, C_i = mean |x_i| · ‖W_down[:, i]‖
    linear for feed-forward W_down W_up, the gate left out

Shapes: N rows, L length, D width of the stream, T = N·L tokens, F inputs of a last matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.compression.puzzle.model import LINEAR, Part, attention_part, ffn_part
from nemo_lab.errors import LabError, one_of

KINDS = ("attention", "ffn")
NONE = 0


@dataclass(frozen=True)
class Option:
    """What a sub-block can be, such as `Option("ffn", 768)`; in files and tables it goes by its `name`, "ffn.768".

    Raises:
        LabError: the kind is none of `KINDS`, or the size neither a whole number nor LINEAR.
    """

    kind: str
    size: Part  # key-value heads of attention, channels of the feed-forward part, LINEAR for one matrix, or NONE

    def __post_init__(self) -> None:
        """Refuse what is no option."""
        if self.kind not in KINDS:
            raise LabError(one_of("kind of sub-block", self.kind, KINDS))
        if self.size != LINEAR and (type(self.size) is not int or self.size < 0):
            raise LabError(f"{self.size!r} is no option of {self.kind}; give a whole number, {LINEAR!r} or {NONE}.")

    @property
    def name(self) -> str:
        """Kind and size, "attention.linear"; `parse` reads it."""
        return f"{self.kind}.{self.size}"

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @classmethod
    def parse(cls, name: str) -> Option:
        """Return the option of a name.

        Raises:
            LabError: the name is no option's.
        """
        kind, _, size = name.partition(".")
        return cls(kind, int(size) if size.isdecimal() else size)


def module_of(option: Option, config: Any) -> Any:
    """Return the module of an option with weights at random, None for NONE."""
    if option.kind == "attention":
        return attention_part(config, option.size, 0)
    return ffn_part(config, option.size)


def reason_of(error: Exception) -> str:
    """Return what an error says, on one line and not too long, to be quoted in a sentence."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


# --- a walk through the parent


@dataclass
class Visit:
    """What one sub-block of the parent sees and says: `stream` behind, `out` of shape (N, L, D)."""

    layer: int
    kind: str
    stream_NLD: Tensor
    out_NLD: Tensor
    context: dict[str, Any]


def start_of(model: Any, tokens_NL: Tensor) -> tuple[Tensor, dict[str, Any]]:
    """Return the stream in front of the first layer and what Llama's attention needs to know of positions."""
    stream_NLD = model.model.embed_tokens(tokens_NL)
    positions_1L = torch.arange(tokens_NL.shape[1], device=tokens_NL.device)[None]
    rotary = model.model.rotary_emb(stream_NLD, position_ids=positions_1L)
    return stream_NLD, {"position_embeddings": rotary, "attention_mask": None}


@torch.no_grad()
def walk(model: Any, tokens_NL: Tensor) -> Iterator[Visit]:
    """Go through all sub-blocks of a Puzzle model in order, with the stream before each and what each adds to it."""
    stream_NLD, context = start_of(model, tokens_NL)
    for number, layer in enumerate(model.model.layers):
        for kind in KINDS:
            out_NLD = layer.attend(stream_NLD, **context) if kind == "attention" else layer.feed(stream_NLD)
            yield Visit(number, kind, stream_NLD, out_NLD, context)
            stream_NLD = stream_NLD + out_NLD


def norm_of(layer: Any, kind: str) -> nn.Module:
    """Return the norm in front of a sub-block."""
    norm: nn.Module = layer.input_layernorm if kind == "attention" else layer.post_attention_layernorm
    return norm


def forward(part: nn.Module, kind: str, normed_NLD: Tensor, context: dict[str, Any]) -> Tensor:
    """Return the output of a sub-block for normalised inputs, (N, L, D)."""
    if kind == "attention" and hasattr(part, "o_proj"):
        return part(hidden_states=normed_NLD, **context)[0]  # type: ignore[no-any-return]
    return part(normed_NLD)  # type: ignore[no-any-return]


def last_matrix(part: Any) -> nn.Linear:
    """Return the matrix that writes to the stream."""
    name = next(name for name in ("o_proj", "down_proj", "proj") if hasattr(part, name))
    matrix: nn.Linear = getattr(part, name)
    return matrix


def inputs_of_last(part: nn.Module, kind: str, normed_NLD: Tensor, context: dict[str, Any]) -> Tensor:
    """Return what enters the last matrix, (T, F), in float32."""
    seen: list[Tensor] = []
    hook = last_matrix(part).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        forward(part, kind, normed_NLD, context)
    finally:
        hook.remove()
    return seen[0].flatten(0, 1).float()


# --- alternatives without training


def channel_contributions(hidden_TF: Tensor, down_DF: Tensor) -> Tensor:
    """C_i = mean over tokens of |x_i|, times the norm of the column that channel i writes with; (F,)."""
    return hidden_TF.abs().mean(0) * down_DF.float().norm(dim=0)


def untrained(parent: Any, option: Option, config: Any, contributions_F: Tensor | None = None) -> nn.Module:
    """Return what stands in for a parent's attention or feed-forward part as `option`, initialised from it.

    Raises:
        LabError: more heads or channels than the parent has, or heads that do not divide its own.
    """
    made: nn.Module | None = module_of(option, config)
    if made is None:
        raise LabError(f"{option} is nothing, and there is nothing to initialise; take another option.")
    made = made.to(next(parent.parameters()))
    with torch.no_grad():
        if option.kind == "attention":
            _start_attention(made, parent, option.size)
        else:
            _start_ffn(made, parent, option.size, contributions_F)
    return made


def _start_attention(made: Any, parent: Any, size: Part) -> None:
    head = parent.head_dim
    if size == LINEAR:
        values = parent.v_proj.weight.unflatten(0, (-1, head)).repeat_interleave(parent.num_key_value_groups, 0)
        made.proj.weight.copy_(parent.o_proj.weight @ values.flatten(0, 1))
        return
    for name in ("q_proj", "o_proj"):
        getattr(made, name).weight.copy_(getattr(parent, name).weight)
    for name in ("k_proj", "v_proj"):
        heads = getattr(parent, name).weight.unflatten(0, (-1, head))
        if len(heads) % int(size):
            raise LabError(f"{size} key-value heads cannot be pooled from {len(heads)}; give a divisor of it.")
        pooled = heads.unflatten(0, (int(size), -1)).mean(1)
        getattr(made, name).weight.copy_(pooled.flatten(0, 1))


def _start_ffn(made: Any, parent: Any, size: Part, contributions_F: Tensor | None) -> None:
    if size == LINEAR:
        made.proj.weight.copy_(parent.down_proj.weight @ parent.up_proj.weight)
        return
    if contributions_F is None or int(size) > len(contributions_F):
        raise LabError(f"A width of {size} needs the contributions of at least as many channels.")
    kept = contributions_F.topk(int(size)).indices.sort().values
    for name in ("gate_proj", "up_proj"):
        getattr(made, name).weight.copy_(getattr(parent, name).weight[kept])
    made.down_proj.weight.copy_(parent.down_proj.weight[:, kept])
