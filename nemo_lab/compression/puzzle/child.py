"""The child of Puzzle's search, put together from parent and library, and two forms in which it leaves the lab.

As it is, with its own modelling file (`model`): small and fast. As a plain Llama, where what is missing is
zeros (`plain_llama`): it says the same and needs no code of ours, but saves neither time nor memory.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.compression.puzzle.files import read_part
from nemo_lab.compression.puzzle.model import LINEAR, Part, PuzzleLayer
from nemo_lab.compression.puzzle.parts import KINDS, NONE, Option
from nemo_lab.errors import LabError


def blocks_of(choice: Sequence[Option]) -> list[list[Part]]:
    """Return a choice, an option a slot, as the model's blocks: the sizes, a pair a layer.

    Raises:
        LabError: the options are not of attention and feed-forward part in turn, two a layer.
    """
    if [getattr(option, "kind", None) for option in choice] != list(KINDS) * (len(choice) // 2):
        raise LabError(
            f"A choice is {', '.join(map(str, choice))}; give two options a layer, of attention and of the "
            "feed-forward part."
        )
    return [[attention.size, ffn.size] for attention, ffn in zip(choice[::2], choice[1::2], strict=True)]


def cast(model: Any, dtype: torch.dtype) -> Any:
    """Give the weights another dtype, in place. `model.to` would round the frequencies of the positions too."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def assemble(parent: Any, choice: Sequence[Option], layer_folders: Sequence[Path]) -> Any:
    """Return the model that the choice describes, with copies of weights of parent and library, in the parent's dtype.

    Args:
        choice: an option a slot. layer_folders: the library's folder for each layer.

    Raises:
        LabError: the library lacks a part or is damaged, or choice and folders are not of the parent's layers.
    """
    layers = len(parent.config.blocks)
    if len(choice) != 2 * layers or len(layer_folders) != layers:
        raise LabError(
            f"A choice of {len(choice)} options and {len(layer_folders)} folders for {layers} layers; give two options "
            "and a folder a layer."
        )
    child = _without_layers(parent)
    child.config.blocks = blocks_of(choice)
    place = 0
    for number, folder in enumerate(layer_folders):
        made: Any = _layer(parent, number, choice[2 * number : 2 * number + 2], folder)
        if hasattr(made.self_attn, "layer_idx"):
            made.self_attn.layer_idx = place  # in the cache of keys and values
            place += 1
        child.model.layers.append(made)
    return child.eval()


_NAMES = {"attention": ("self_attn", "input_layernorm"), "ffn": ("mlp", "post_attention_layernorm")}


def _layer(parent: Any, number: int, options: Sequence[Option], folder: Path) -> PuzzleLayer:
    """Return a layer of the child: the parent's norms, and of each sub-block a copy or what the library has."""
    original, made = parent.model.layers[number], PuzzleLayer(parent.config, NONE, NONE, 0)
    for option, own in zip(options, parent.config.blocks[number], strict=True):
        if option.size == NONE:
            continue
        module, norm = _NAMES[option.kind]
        setattr(made, norm, copy.deepcopy(getattr(original, norm)))
        if option.size == own:
            setattr(made, module, copy.deepcopy(getattr(original, module)))
        else:
            setattr(made, module, read_part(folder, number, option, parent.config, parent.dtype))
    return made


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
