"""A Llama whose layers differ: the child of Puzzle's search, in Hugging Face form. Needs torch and transformers only.

    config.blocks = [[3, 1536], [0, 768], ["linear", 384], [1, 0], …]     # one pair a layer

The first of a pair is the attention: a number of key-value heads, "linear" for one matrix instead, 0 for none. The
second is the feed-forward part: an intermediate width, "linear", or 0. A part that is not there costs nothing, its norm
included, and the residual stream passes (Puzzle, arXiv 2411.19146, section 2). Modules and names are Llama's, so that
a parent's weights load as they are.

This file alone is the model. `save_pretrained` copies it beside the weights, the documented route of `transformers` for
custom code: `AutoModelForCausalLM.from_pretrained` with `trust_remote_code` opens the folder without the lab, and runs
this file; do that with folders of your own only. Inside the lab `PuzzleForCausalLM.from_pretrained(folder)` runs
nothing from the folder. transformers 5.23 has `per_layer_config`, but its Llama does not build layers by it yet.

Keys and values are kept for layers with attention only: their modules count the cache's places without gaps.

Shapes: B batch, L length, D width of the residual stream.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm

Part = int | str
LINEAR = "linear"


class PuzzleConfig(LlamaConfig):
    """Llama's configuration and `blocks`; without it every layer is as the configuration says."""

    model_type = "puzzle_llama"
    blocks: list[Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill `blocks` in and refuse what is no block."""
        super().__post_init__(**kwargs)
        if self.blocks is None:
            self.blocks = [[self.num_key_value_heads, self.intermediate_size]] * self.num_hidden_layers
        self.blocks = [list(block) for block in self.blocks]
        if len(self.blocks) != self.num_hidden_layers:
            raise ValueError(f"There are {len(self.blocks)} blocks for {self.num_hidden_layers} layers; give one each.")
        for heads, width in self.blocks:
            if heads != LINEAR and heads and self.num_attention_heads % heads:
                raise ValueError(f"{heads} key-value heads do not divide {self.num_attention_heads} query heads.")
            if width != LINEAR and width < 0:
                raise ValueError(f"An intermediate width is {width}, expected 0 or more, or {LINEAR!r}.")


class LinearPart(nn.Module):
    """One matrix instead of attention or of a feed-forward part: x W^T, no bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, width, bias=False)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """Return (B, L, D)."""
        out_BLD: Tensor = self.proj(x_BLD)
        return out_BLD


def attention_part(config: LlamaConfig, heads: Part, place: int) -> nn.Module | None:
    """Return the attention of one block, None for none; `place` is its place in the cache of keys and values."""
    if heads == LINEAR:
        return LinearPart(config.hidden_size)
    own: Any = copy.copy(config)
    own.num_key_value_heads = heads
    return LlamaAttention(own, place) if heads else None


def ffn_part(config: LlamaConfig, width: Part) -> nn.Module | None:
    """Return the feed-forward part of one block, None for none."""
    if width == LINEAR:
        return LinearPart(config.hidden_size)
    own: Any = copy.copy(config)
    own.intermediate_size = width
    return LlamaMLP(own) if width else None


class PuzzleLayer(nn.Module):
    """x + attention(norm(x)), then x + ffn(norm(x)), each where it is."""

    def __init__(self, config: LlamaConfig, heads: Part, width: Part, place: int) -> None:
        super().__init__()
        self.self_attn = attention_part(config, heads, place)
        self.mlp = ffn_part(config, width)
        if self.self_attn is not None:
            self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        if self.mlp is not None:
            self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def attend(self, x_BLD: Tensor, **context: Any) -> Tensor:
        """Return what the attention adds to the stream: its output for (B, L, D) before the norm, 0 for none."""
        if self.self_attn is None:
            return x_BLD.new_zeros(())
        normed_BLD = self.input_layernorm(x_BLD)
        if isinstance(self.self_attn, LinearPart):
            return self.self_attn(normed_BLD)
        out_BLD: Tensor = self.self_attn(hidden_states=normed_BLD, **context)[0]
        return out_BLD

    def feed(self, x_BLD: Tensor) -> Tensor:
        """Return what the feed-forward part adds to the stream."""
        if self.mlp is None:
            return x_BLD.new_zeros(())
        out_BLD: Tensor = self.mlp(self.post_attention_layernorm(x_BLD))
        return out_BLD

    def forward(self, hidden_states: Tensor, **context: Any) -> Tensor:
        """Return the stream behind the layer, (B, L, D); `context` is what Llama's attention takes."""
        if self.self_attn is not None:
            hidden_states = hidden_states + self.attend(hidden_states, **context)
        if self.mlp is not None:
            hidden_states = hidden_states + self.feed(hidden_states)
        return hidden_states


class PuzzleForCausalLM(LlamaForCausalLM):
    """Llama with the layers of `config.blocks`; everything else, generation too, is Llama's."""

    config_class = PuzzleConfig
    _no_split_modules = ["PuzzleLayer"]  # noqa: RUF012  a list there too

    def __init__(self, config: PuzzleConfig) -> None:
        layers, config.num_hidden_layers = config.num_hidden_layers, 0  # Llama's own would be built and thrown away
        super().__init__(config)
        config.num_hidden_layers = layers
        place = 0
        for heads, width in config.blocks or []:
            self.model.layers.append(PuzzleLayer(config, heads, width, place))
            place += heads not in (0, LINEAR)
        self.post_init()


PuzzleConfig.register_for_auto_class()
PuzzleForCausalLM.register_for_auto_class("AutoModelForCausalLM")
