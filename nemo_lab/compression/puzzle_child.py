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
from safetensors import SafetensorError
from torch import Tensor, nn

from nemo_lab.compression.puzzle_library import read_part
from nemo_lab.compression.puzzle_model import LINEAR, PuzzleConfig, PuzzleForCausalLM, PuzzleLayer
from nemo_lab.compression.puzzle_parts import KINDS, part_named
from nemo_lab.errors import LabError


def blocks_of(choice: Sequence[str]) -> list[list[Any]]:
    """Return a choice, an option a slot, as the model's blocks, a pair a layer.

    Raises:
        LabError: an odd number of options, or one that is none.
    """
    if len(choice) % 2:
        raise LabError(f"A choice has {len(choice)} options; give two a layer, for attention and feed-forward part.")
    wrong = [name for name in choice if name != LINEAR and not str(name).isdecimal()]
    if wrong:
        raise LabError(f"{wrong[0]!r} is no option; give a whole number or {LINEAR!r}.")
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
        LabError: the library lacks a part, or choice and places are not of the parent's layers.
    """
    layers = len(parent.config.blocks)
    if len(choice) != 2 * layers or len(places) != layers:
        raise LabError(
            f"A choice of {len(choice)} options and {len(places)} folders for {layers} layers; give two options and "
            "a folder a layer."
        )
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
                setattr(
                    made,
                    module,
                    copy.deepcopy(whole)
                    if whole is not None
                    else _from_library(parent, places[number], number, kind, part),
                )
        if hasattr(made.self_attn, "layer_idx"):
            made.self_attn.layer_idx = place  # in the cache of keys and values
            place += 1
        child.model.layers.append(made)
    return child.eval()


_NAMES = {"attention": ("self_attn", "input_layernorm"), "ffn": ("mlp", "post_attention_layernorm")}


def _from_library(parent: Any, place: Path, layer: int, kind: str, part: Any) -> nn.Module:
    """Return a part of the library, or say that it has none."""
    try:
        return read_part(place, layer, kind, part, parent.config, parent.dtype)
    except (RuntimeError, SafetensorError) as error:
        raise LabError(
            f"The library {place.name!r} has no {kind} {part!r} of layer {layer}, or only half of it; build it anew."
        ) from error


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
