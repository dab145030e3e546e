"""Put a model's linear layers into FP8 and say which stayed in BF16: `to_fp8(model, RECIPES["nemotron_h"])`.

The recipes keep the first and last matrix products (GEMMs) of the network in BF16, where errors reach everything
that follows, or come straight from the loss. Query, key and value projection are one product in NVIDIA's code, so
they count as one here. Embedding, head, norms, convolution, scan and the softmax of attention are not quantised
(the paper quantises "linear layers"; NVIDIA's code leaves out the head).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

from nemo_lab.lab.home import LabError
from nemo_lab.precision.linear import Fp8Linear, Watch
from nemo_lab.precision.recipes import Recipe

QKV = ("q_proj", "k_proj", "v_proj")
HEADS = ("head", "lm_head")


class Swapped(NamedTuple):
    """Names of the layers that now compute in FP8 and of those that stayed in BF16, in the network's order."""

    fp8: tuple[str, ...]
    bf16: tuple[str, ...]


def gemms(model: nn.Module) -> list[tuple[str, ...]]:
    """The model's matrix products in order, each the names of its linear layers; the head is not among them."""
    found: list[tuple[str, ...]] = []
    for name, module in model.named_modules():
        parent, _, own = name.rpartition(".")
        if not isinstance(module, nn.Linear) or own in HEADS:
            continue
        same = found and own in QKV and found[-1][-1].rpartition(".")[0] == parent
        if same and found[-1][-1].rpartition(".")[2] in QKV:
            found[-1] = (*found[-1], name)
        else:
            found.append((name,))
    return found


def to_fp8(model: nn.Module, recipe: Recipe) -> Swapped:
    """Replace, in place, all linear layers but the ends by `Fp8Linear`; parameters stay the same objects.

    A model that is in FP8 already gets the new recipe. Make the optimiser before or after, as you like.

    Raises:
        LabError: no layer would be left for FP8.
    """
    products = gemms(model)
    inner = products[recipe.first_bf16 : len(products) - recipe.last_bf16]
    if not inner:
        ends = f"{recipe.first_bf16} + {recipe.last_bf16}"
        raise LabError(f"The model has {len(products)} matrix products and {ends} stay in BF16: nothing is left.")
    for name in (name for product in inner for name in product):
        parent, _, own = name.rpartition(".")
        linear = model.get_submodule(name)
        setattr(model.get_submodule(parent), own, Fp8Linear.of(linear, recipe, name))  # type: ignore[arg-type]
    fp8 = tuple(name for name, module in model.named_modules() if isinstance(module, Fp8Linear))
    bf16 = tuple(name for product in products for name in product if name not in fp8)
    return Swapped(fp8, bf16)


@contextmanager
def watching(model: nn.Module, watch: Watch) -> Iterator[None]:
    """Within the block, `watch(name, dY)` is called for every FP8 layer of a backward pass."""
    layers = [module for module in model.modules() if isinstance(module, Fp8Linear)]
    if not layers:
        raise LabError("The model has no FP8 layer to watch; call to_fp8 first.")
    for layer in layers:
        layer.watch = watch
    try:
        yield
    finally:
        for layer in layers:
            layer.watch = None
