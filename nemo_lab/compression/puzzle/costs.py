"""What each option of Puzzle's library costs on this machine: time measured, memory computed.

A target says what shall be fast: `tokens` read at once by `batch` sequences that have `context` tokens behind them.
Decoding has one token and a context, prefill many and none. For each option a model of as many layers as the parent
is built that has this sub-block in each layer and nothing else, and what it takes beyond a model without layers,
divided by the layers, is the cost of one (Puzzle, arXiv 2411.19146, section 4.1: runtime is measured by sub-block on
the target hardware, a model's is the sum). So weights come from memory, not from a cache that a single block would
sit in, and all that the library around the products does is in the time too. Measurements take turns, so that a slow
minute hits all options, and of each the median counts.

Memory: two bytes a weight, and two a key or value of every token of every sequence. Only what the search can change is
counted; embedding, head and what is spent once a call are the parent's and the child's alike (`fixed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import nn

from nemo_lab.compression.puzzle.library import LibraryRecipe
from nemo_lab.compression.puzzle.model import LINEAR, Part, PuzzleConfig, PuzzleForCausalLM, PuzzleLayer
from nemo_lab.compression.puzzle.parts import KINDS, NONE, Option
from nemo_lab.compression.puzzle.search import Slots, total
from nemo_lab.errors import LabError
from nemo_lab.timing import interleaved

BYTES = 2  # of a weight, a key, a value: bf16


@dataclass(frozen=True)
class Target:
    """What shall be fast: a call that reads `tokens` of each of `batch` sequences with `context` tokens behind them."""

    name: str
    tokens: int
    context: int
    batch: int = 1

    def __post_init__(self) -> None:
        """Refuse a call that reads nothing."""
        if self.tokens < 1 or self.batch < 1 or self.context < 0:
            raise LabError(
                f"Target {self.name!r} has {self.tokens} tokens, a batch of {self.batch} and a context of "
                f"{self.context}; expected at least 1, 1 and 0."
            )


@dataclass(frozen=True)
class OptionCosts:
    """Seconds a call: `fixed`, of a model without any layer, and what each option adds to it."""

    fixed: float
    seconds: dict[Option, float]


def parameters(config: Any, option: Option) -> int:
    """Weights of a sub-block and its norm."""
    width = config.hidden_size
    if option.size == NONE:
        return 0
    if option.size == LINEAR:
        return width * width + width
    if option.kind == "ffn":
        return 3 * width * int(option.size) + width
    head = config.head_dim
    return 2 * width * head * (config.num_attention_heads + int(option.size)) + width


def key_value_elements(config: Any, option: Option) -> int:
    """Numbers that a sub-block keeps of one token in the cache: its key and its value."""
    return 0 if option.kind == "ffn" or option.size == LINEAR else 2 * int(option.size) * config.head_dim


def memory_bytes(config: Any, option: Option, target: Target) -> int:
    """Weights, and keys and values of all tokens at the end of the call."""
    kept = target.batch * (target.context + target.tokens) * key_value_elements(config, option)
    return BYTES * (parameters(config, option) + kept)


# --- time


def measure_parts(
    config: PuzzleConfig, recipe: LibraryRecipe, target: Target, repeats: int, *, seed: int = 0, progress: bool = True
) -> OptionCosts:
    """Return what each option of the recipe takes in a call of the target.

    Args:
        config: the parent's; its number of layers is that of each stack.
    """
    torch.manual_seed(seed)  # of weights that nobody looks at; zeros might be faster than numbers
    frame = shell(config, [[NONE, NONE]] * config.num_hidden_layers)
    calls = {"fixed": _call(frame, frame.model.layers, target)}
    options = [option for kind in KINDS for option in (Option(kind, NONE), *recipe.options(kind))]
    measured = [option for option in options if option.size != NONE]
    calls |= {option.name: _call(frame, _stack(config, option), target) for option in measured}
    seconds = {name: median(samples) for name, samples in interleaved(calls, repeats, progress=progress).items()}
    fixed, layers = seconds["fixed"], config.num_hidden_layers
    added = {option: max(0.0, seconds.get(option.name, fixed) - fixed) / layers for option in options}
    return OptionCosts(fixed, added)


def measure_models(
    models: Mapping[str, Any], target: Target, repeats: int, *, progress: bool = True
) -> dict[str, list[float]]:
    """Return seconds of each call of whole models, measured in turns."""
    calls = {name: _call(model, model.model.layers, target) for name, model in models.items()}
    return interleaved(calls, repeats, progress=progress)


def shell(config: PuzzleConfig, blocks: Sequence[Sequence[Part]]) -> Any:
    """Return a model of these blocks with random weights in bf16: as fast as any other of them."""
    given = {key: value for key, value in config.to_dict().items() if key not in ("blocks", "dtype")}
    model: Any = PuzzleForCausalLM(PuzzleConfig(**given, blocks=[list(block) for block in blocks]))
    return model.to(torch.bfloat16).eval()


def _stack(config: PuzzleConfig, option: Option) -> nn.ModuleList:
    """As many layers as the parent has, with this sub-block alone."""
    heads, width = (option.size, NONE) if option.kind == "attention" else (NONE, option.size)
    layers = [PuzzleLayer(config, heads, width, place) for place in range(config.num_hidden_layers)]
    return nn.ModuleList(layers).to(torch.bfloat16).eval()


def _call(model: Any, layers: nn.ModuleList, target: Target) -> Callable[[], None]:
    """Return one call of the target on `model` with these layers; keys and values of the context are random."""
    from transformers import DynamicCache

    tokens_BL = torch.randint(model.config.vocab_size, (target.batch, target.tokens))
    cache = DynamicCache() if target.context else None
    if cache is not None:
        parts: list[Any] = [layer.self_attn for layer in layers]
        for attention in parts:
            if hasattr(attention, "k_proj"):
                heads = attention.k_proj.out_features // attention.head_dim
                kv = torch.randn(target.batch, heads, target.context, attention.head_dim, dtype=torch.bfloat16)
                cache.update(kv, kv.clone(), attention.layer_idx)

    @torch.inference_mode()
    def call() -> None:
        model.model.layers = layers
        model(input_ids=tokens_BL, past_key_values=cache, use_cache=cache is not None, logits_to_keep=1)
        if cache is not None and cache.get_seq_length():
            cache.crop(-target.tokens)

    return call


# --- the table of the search


def slots_of(
    scores: Sequence[Mapping[Option, Mapping[str, float]]],
    config: Any,
    costs: Mapping[str, OptionCosts],
    targets: Sequence[Target],
) -> list[dict[Option, dict[str, float]]]:
    """Put scores and costs together: for each slot its options, for each the numbers that a search can use.

    These are its scores, `parameters`, and for each target milliseconds (as `decode`) and MB (`decode memory`).

    Args:
        scores: of `read_scores`. costs: of `measure_parts` by the target's name.

    Raises:
        LabError: the first option of a slot is not the parent's own, or the cost of an option was not measured.
    """
    slots = []
    for number, options in enumerate(scores):
        _check_options(options, KINDS[number % 2], config, costs, targets)
        slot = {}
        for option, numbers in options.items():
            slot[option] = {**numbers, "parameters": float(parameters(config, option))}
            for target in targets:
                slot[option][target.name] = 1e3 * costs[target.name].seconds[option]
                slot[option][f"{target.name} memory"] = memory_bytes(config, option, target) / 1e6
        slots.append(slot)
    return slots


def _check_options(
    options: Iterable[Option], kind: str, config: Any, costs: Mapping[str, OptionCosts], targets: Sequence[Target]
) -> None:
    own = Option(kind, config.num_key_value_heads if kind == "attention" else config.intermediate_size)
    first = next(iter(options), None)
    if first != own:
        raise LabError(f"The first option of {kind} is {first}, the parent has {own}; put the parent's own first.")
    for target in targets:
        missing = [option for option in options if target.name not in costs or option not in costs[target.name].seconds]
        if missing:
            raise LabError(f"No cost of {missing[0]} for {target.name!r}; run measure_parts with this option.")


def predicted_ms(
    slots: Slots[Option], choice: Sequence[Option], costs: Mapping[str, OptionCosts], target: Target
) -> float:
    """Milliseconds a call of a whole model: the fixed part and the sum over its sub-blocks."""
    return 1e3 * costs[target.name].fixed + total(slots, choice, target.name)
