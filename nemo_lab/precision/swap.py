"""Put a model's linear layers into FP8 and say which stayed in BF16: `to_fp8(model, RECIPES["nemotron_h"])`.

The recipes keep the first and last matrix products (GEMMs) of the network in BF16, where errors reach everything
that follows, or come straight from the loss. Query, key and value projection are one product in NVIDIA's code, so
they count as one here. Embedding, head, norms, convolution, scan and the softmax of attention are not quantised
(the paper quantises "linear layers"; NVIDIA's code leaves out the head). The head is known by its name (`head`,
`lm_head`) or by sharing its weight with an embedding. Projections inside `nn.MultiheadAttention` are no layers that
are called and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from nemo_lab.errors import LabError, one_of
from nemo_lab.precision import engines
from nemo_lab.precision.linear import DelayedScale, Fp8Linear, Watch
from nemo_lab.precision.recipes import Fp8Recipe
from nemo_lab.precision.recipes import recipe as recipe_of

QKV = ("q_proj", "k_proj", "v_proj")
HEADS = ("head", "lm_head")
BACKENDS = ("auto", "torch", "transformer-engine")


class Swapped(NamedTuple):
    """Names of the layers that now compute in FP8 and of those that stayed in BF16, in the network's order."""

    fp8: tuple[str, ...]
    bf16: tuple[str, ...]


def gemms(model: nn.Module) -> list[tuple[str, ...]]:
    """The model's matrix products in order, each the names of its linear layers; the head is not among them."""
    found: list[tuple[str, ...]] = []
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    for name, module in model.named_modules():
        parent, _, own = name.rpartition(".")
        if not isinstance(module, nn.Linear) or isinstance(module, NonDynamicallyQuantizableLinear):
            continue
        if own in HEADS or id(module.weight) in embeddings:
            continue
        same = found and own in QKV and found[-1][-1].rpartition(".")[0] == parent
        if same and found[-1][-1].rpartition(".")[2] in QKV:
            found[-1] = (*found[-1], name)
        else:
            found.append((name,))
    return found


def to_fp8(model: nn.Module, recipe: Fp8Recipe | str, backend: str = "auto") -> Swapped:
    """Replace, in place, all linear layers but the ends by FP8 layers; make the optimiser afterwards.

    A folder of checkpoints knows which layers are in FP8 and their recipe, and refuses another. The weights load into
    a plain `HybridLM`, and `save_hf` saves them; any other plain model takes `plain_state`.

    Args:
        model: any model of `nn.Linear` layers; one that is in FP8 already gets the new recipe.
        recipe: one of `recipes`, or its name.
        backend: "torch" (`Fp8Linear`, which shares the parameters), "transformer-engine" (its own layers, which
            copy them), or "auto": the latter for a model on a GPU where it is installed.

    Raises:
        LabError: an unknown backend or recipe, a model that is a linear layer itself or has one under two names, no
            layer left for FP8, or what `engines.te_linear` raises.
    """
    if backend not in BACKENDS:
        raise LabError(one_of("FP8 backend", backend, BACKENDS))
    recipe = recipe if isinstance(recipe, Fp8Recipe) else recipe_of(recipe)
    _check(model)
    products = gemms(model)
    inner = recipe.inner(products)
    if not inner:
        ends = f"{recipe.first_bf16} + {recipe.last_bf16}"
        raise LabError(f"The model has {len(products)} matrix products and {ends} stay in BF16: nothing is left.")
    fp8 = tuple(name for product in inner for name in product)
    bf16 = tuple(name for product in products for name in product if name not in fp8)
    left = [name for name in bf16 if isinstance(model.get_submodule(name), Fp8Linear)]
    if left:
        raise LabError(f"Layer {left[0]} is in FP8 and the recipe wants it in BF16; start from a fresh model.")
    for name in fp8:
        _put(model, name, _fp8_layer(model.get_submodule(name), recipe, name, backend))
    return Swapped(fp8, bf16)


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise LabError(f"model is a {type(model).__name__}, expected a torch module, such as HybridLM(config).")


def _check(model: nn.Module) -> None:
    """Refuse what cannot be replaced by name."""
    _check_model(model)
    if isinstance(model, nn.Linear):
        raise LabError("The model is a linear layer itself, which cannot be replaced in place; use Fp8Linear.of.")
    seen: dict[int, str] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, nn.Linear) and seen.setdefault(id(module), name) != name:
            raise LabError(f"Layers {seen[id(module)]} and {name} are one module; make them two that share a weight.")


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, layer)


def _fp8_layer(linear: nn.Module, recipe: Fp8Recipe, name: str, backend: str) -> nn.Module:
    if not isinstance(linear, nn.Linear):
        raise LabError(f"Layer {name} is a {type(linear).__name__}, not an nn.Linear; start from a fresh model.")
    if backend == "transformer-engine" or (backend == "auto" and linear.weight.is_cuda and engines.available()):
        return engines.te_linear(linear, recipe)
    return Fp8Linear.of(linear, recipe, name)


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """The state dict that the model would have without FP8: all weights, none of what FP8 layers add to them.

    It loads into a fresh model of the same shape. The model's own state dict also has the scales of delayed scaling,
    and the entries that Transformer Engine's layers call `_extra_state`; of plain layers only `modeling.linear.Linear`
    knows to leave them out.
    """
    _check_model(model)
    delayed = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, DelayedScale))
    return {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith(delayed) and not name.endswith("_extra_state")
    }


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
