"""The child of Puzzle's search, put together from parent and library, and two forms in which it leaves the lab.

As it is, with its own modelling file (`puzzle_model`): small and fast. As a plain Llama, where what is missing is
zeros (`plain_llama`): it says the same and needs no code of ours, but saves neither time nor memory.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.compression.puzzle_library import read_part
from nemo_lab.compression.puzzle_model import LINEAR, PuzzleConfig, PuzzleForCausalLM, PuzzleLayer
from nemo_lab.compression.puzzle_parts import KINDS, part_named
from nemo_lab.lab.home import LabError


def blocks_of(choice: Sequence[str]) -> list[list[Any]]:
    """Return a choice, an option a slot, as the model's blocks, a pair a layer."""
    parts = [part_named(name) for name in choice]
    return [list(pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


def as_puzzle(llama: Any) -> Any:
    """Return a Llama as a Puzzle model whose layers are all full: the parent of a search, with the same weights."""
    given = {key: value for key, value in llama.config.to_dict().items() if key not in ("model_type", "architectures")}
    parent: Any = cast(PuzzleForCausalLM(PuzzleConfig(**given)), llama.dtype)
    parent.load_state_dict(llama.state_dict())
    parent.generation_config = llama.generation_config
    return parent.eval().requires_grad_(False)


def cast(model: Any, dtype: torch.dtype) -> Any:
    """Give the weights another dtype, in place. `model.to` would round the frequencies of the positions too."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def assemble(parent: Any, choice: Sequence[str], places: Sequence[Path]) -> Any:
    """Return the model that the choice describes, with copies of weights of parent and library, in the parent's dtype.

    Args:
        choice: an option a slot. places: the library's folder for each layer.

    Raises:
        LabError: the library lacks a part.
    """
    child = _without_layers(parent)
    child.config.blocks = blocks_of(choice)
    place = 0
    for number, (block, own) in enumerate(zip(child.config.blocks, parent.config.blocks, strict=True)):
        original: Any = parent.model.layers[number]
        made: Any = PuzzleLayer(parent.config, 0, 0, 0)
        for kind, part, same in zip(KINDS, block, own, strict=True):
            module, norm = _NAMES[kind]
            if part != 0:
                whole = getattr(original, module) if part == same else None
                setattr(made, norm, copy.deepcopy(getattr(original, norm)))
                setattr(made, module, copy.deepcopy(whole) if whole is not None else read_part(
                    places[number], number, kind, part, parent.config, parent.dtype))
        if hasattr(made.self_attn, "layer_idx"):
            made.self_attn.layer_idx = place  # in the cache of keys and values
            place += 1
        child.model.layers.append(made)
    return child.eval()


_NAMES = {"attention": ("self_attn", "input_layernorm"), "ffn": ("mlp", "post_attention_layernorm")}


def _without_layers(parent: Any) -> Any:
    """Return a copy of the parent that has no layers."""
    layers, parent.model.layers = parent.model.layers, nn.ModuleList()
    try:
        return copy.deepcopy(parent)
    finally:
        parent.model.layers = layers


def plain_llama(child: Any) -> Any:
    """Return the same function as a plain `LlamaForCausalLM`, which needs no code of ours: what is missing is zeros.

    It answers like the child and is as large and as slow as the parent: for tools that know Llama only.

    Raises:
        LabError: a part is "linear", which no weights of a Llama compute.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    if any(LINEAR in block for block in child.config.blocks):
        raise LabError("A Llama has no linear sub-blocks; search without them, or save the child as it is.")
    given = {key: value for key, value in child.config.to_dict().items() if key not in ("blocks", "model_type")}
    widths = [width for _, width in child.config.blocks]
    given["intermediate_size"] = max(widths) or 1
    llama = cast(LlamaForCausalLM(LlamaConfig(**given)), child.dtype)
    stored = child.state_dict()
    with torch.no_grad():
        for name, target in llama.state_dict().items():
            target.copy_(_padded(stored.get(name), target, name, child.config))
    llama.generation_config = child.generation_config
    return llama.eval()


def _padded(weight: Tensor | None, target: Tensor, name: str, config: Any) -> Tensor:
    """Return a weight in the shape of `target`: key-value heads repeated, channels filled up with zeros."""
    if weight is None:
        return torch.zeros_like(target)
    if weight.shape == target.shape:
        return weight
    if "k_proj" in name or "v_proj" in name:
        heads = weight.unflatten(0, (-1, config.head_dim))
        return heads.repeat_interleave(config.num_key_value_heads // len(heads), 0).flatten(0, 1)
    padded = torch.zeros_like(target)
    padded[: weight.shape[0], : weight.shape[1]] = weight
    return padded
