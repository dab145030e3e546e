"""The child of Puzzle's search, put together from parent and library, and two forms in which it leaves the lab.

As it is, with its own modelling file (`puzzle_model`): small and fast. As a plain Llama, where what is missing is
zeros (`plain_llama`): it says the same and needs no code of ours, but saves neither time nor memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.compression.puzzle_library import read_part
from nemo_lab.compression.puzzle_model import LINEAR, PuzzleConfig, PuzzleForCausalLM
from nemo_lab.compression.puzzle_parts import KINDS, part_named
from nemo_lab.lab.home import LabError


def blocks_of(choice: Sequence[str]) -> list[list[Any]]:
    """Return a choice, an option a slot, as the model's blocks, a pair a layer."""
    parts = [part_named(name) for name in choice]
    return [list(pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


def as_puzzle(llama: Any) -> Any:
    """Return a Llama as a Puzzle model whose layers are all full: the parent of a search, with the same weights."""
    given = {key: value for key, value in llama.config.to_dict().items() if key not in ("model_type", "architectures")}
    parent: Any = PuzzleForCausalLM(PuzzleConfig(**given)).to(llama.dtype)
    parent.load_state_dict(llama.state_dict())
    parent.generation_config = llama.generation_config
    return parent.eval().requires_grad_(False)


def assemble(parent: Any, choice: Sequence[str], places: Sequence[Path]) -> Any:
    """Return the model that the choice describes, with weights of parent and library, in the parent's dtype.

    Args:
        choice: an option a slot. places: the library's folder for each layer.

    Raises:
        LabError: the library lacks a part.
    """
    blocks = blocks_of(choice)
    given = {key: value for key, value in parent.config.to_dict().items() if key != "blocks"}
    child: Any = PuzzleForCausalLM(PuzzleConfig(**given, blocks=blocks)).to(parent.dtype)
    with torch.no_grad():
        for name in ("embed_tokens", "norm"):
            getattr(child.model, name).load_state_dict(getattr(parent.model, name).state_dict())
        child.lm_head.load_state_dict(parent.lm_head.state_dict())
        for number, (layer, original) in enumerate(zip(child.model.layers, parent.model.layers, strict=True)):
            for kind, part, own in zip(KINDS, blocks[number], parent.config.blocks[number], strict=True):
                if part == own:
                    _fill(layer, original, kind, None)
                elif part != 0:
                    other = read_part(places[number], number, kind, part, parent.config, parent.dtype)
                    _fill(layer, original, kind, other)
    child.generation_config = parent.generation_config
    return child.eval()


def first_layers(parent: Any, count: int) -> Any:
    """Return the parent with its first layers only, for trials; embedding, last norm and head stay."""
    parent.model.layers = parent.model.layers[:count]
    parent.config.num_hidden_layers, parent.config.blocks = count, parent.config.blocks[:count]
    return parent


def _fill(layer: Any, original: Any, kind: str, other: nn.Module | None) -> None:
    """Give a child's sub-block its weights: the norm of the parent, the rest of the parent or of the library."""
    module, norm = ("self_attn", "input_layernorm") if kind == "attention" else ("mlp", "post_attention_layernorm")
    getattr(layer, norm).load_state_dict(getattr(original, norm).state_dict())
    weights = (getattr(original, module) if other is None else other).state_dict()
    getattr(layer, module).load_state_dict(weights)


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
    llama = LlamaForCausalLM(LlamaConfig(**given)).to(child.dtype)
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
