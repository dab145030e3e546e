"""The same recipe on an NVIDIA GPU: Transformer Engine's recipe object and its linear layer.

    ours                              Transformer Engine
    nemotron_h                        Float8CurrentScaling, Format.HYBRID
    nano_v2                           Float8BlockScaling, Format.E4M3, activations 1D, weights 2D, gradients 1D
    delayed                           DelayedScaling, Format.HYBRID, most recent 1,024 steps
    plain                             nothing: a cast without scales is not offered

Transformer Engine has no CPU form, and no GPU was at hand when this was written: the calls are checked against the
pinned release's Python sources, names and defaults, and against stand-ins of the same signatures. It is imported
where it is used.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError
from nemo_lab.precision.recipes import Fp8Recipe

MULTIPLE = 16  # FP8 kernels take widths and token counts of a multiple of this
_INSTALL = "pip install --no-build-isolation -e '.[gpu]'"


def te_recipe(recipe: Fp8Recipe) -> Any:
    """Transformer Engine's recipe object for one of ours.

    Raises:
        LabError: the recipe has no counterpart there, or Transformer Engine is not installed.
    """
    te = _module("transformer_engine.common.recipe")
    fmt = _format(recipe, te)
    scalings = {recipe.cast(role).scaling for role in ("weight", "activation", "gradient")}
    tiles = {role: recipe.cast(role).tile for role in ("weight", "activation", "gradient")}
    powers = {recipe.cast(role).power_of_two for role in tiles}
    if scalings == {"delayed"} and powers == {False}:
        return te.DelayedScaling(fp8_format=fmt, amax_history_len=recipe.history, amax_compute_algo="max")
    if scalings == {"current"} and len(powers) == 1 and set(tiles.values()) == {None}:
        return te.Float8CurrentScaling(use_power_2_scales=powers.pop(), fp8_format=fmt)
    if scalings == {"current"} and None not in tiles.values():
        return _blocks(recipe, te, fmt)
    raise LabError(f"Recipe {recipe.name!r} mixes casts that Transformer Engine has no recipe for; run it on a CPU.")


def _format(recipe: Fp8Recipe, te: Any) -> Any:
    forward, backward = {recipe.weight.format, recipe.activation.format}, recipe.gradient.format
    if forward != {"e4m3"}:
        raise LabError(f"Recipe {recipe.name!r} has {sorted(forward)} in the forward pass; FP8 kernels take e4m3.")
    return te.Format.HYBRID if backward == "e5m2" else te.Format.E4M3


def _blocks(recipe: Fp8Recipe, te: Any, fmt: Any) -> Any:
    """Block scaling; whether scales are powers of two is no argument there, but can be set afterwards."""
    dims = {role: 2 if recipe.cast(role).tile == (128, 128) else 1 for role in ("weight", "activation", "gradient")}
    made = te.Float8BlockScaling(
        fp8_format=fmt,
        x_block_scaling_dim=dims["activation"],
        w_block_scaling_dim=dims["weight"],
        grad_block_scaling_dim=dims["gradient"],
    )
    made.fp8_quant_fwd_inp = te.QParams(power_2_scale=recipe.activation.power_of_two, amax_epsilon=0.0)
    made.fp8_quant_fwd_weight = te.QParams(power_2_scale=recipe.weight.power_of_two, amax_epsilon=0.0)
    made.fp8_quant_bwd_grad = te.QParams(power_2_scale=recipe.gradient.power_of_two, amax_epsilon=0.0)
    return made


def te_linear(linear: nn.Linear, recipe: Fp8Recipe) -> nn.Module:
    """Transformer Engine's layer with a copy of the weights, running under the recipe; has `channel_first` too.

    Raises:
        LabError: a width that FP8 kernels do not take, or what `te_recipe` raises.
    """
    for size in (linear.in_features, linear.out_features):
        if size % MULTIPLE:
            raise LabError(f"A layer is {size} wide; FP8 kernels need a multiple of {MULTIPLE}, so change d_model.")
    te = _module("transformer_engine.pytorch")
    made = _layer_class(te)(
        linear.in_features,
        linear.out_features,
        bias=linear.bias is not None,
        params_dtype=linear.weight.dtype,
        device=linear.weight.device,
    )
    made.lab_recipe, made.lab_identity = te_recipe(recipe), {"engine": "Transformer Engine", "fp8": asdict(recipe)}
    with torch.no_grad():
        made.weight.copy_(linear.weight)
        if linear.bias is not None:
            made.bias.copy_(linear.bias)
    return made.train(linear.training)  # type: ignore[no-any-return]


def _layer_class(te: Any) -> Any:
    class TeLinear(te.Linear):  # type: ignore[misc]
        """Transformer Engine's linear layer, with the two methods of `modeling.linear.Linear` and its recipe."""

        def forward(self, x: Tensor) -> Tensor:
            with te.autocast(enabled=True, recipe=self.lab_recipe):
                return super().forward(x)  # type: ignore[no-any-return]

        def channel_first(self, x_TI: Tensor) -> Tensor:
            """W x^T: (T, in) -> (out, T)."""
            return self(x_TI).t()  # type: ignore[no-any-return]

        def identity(self) -> dict[str, Any]:
            """What a folder of checkpoints is to know of the layer: its recipe and whose it is."""
            return dict(self.lab_identity)

    return TeLinear


def available() -> bool:
    """Whether Transformer Engine is installed; importing it is left to the moment of use."""
    return importlib.util.find_spec("transformer_engine") is not None


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:  # a wheel built for another torch fails in many ways, none of which is ours
        reason = " ".join(str(error).split())[:120]
        raise LabError(f"{name} cannot be imported ({type(error).__name__}: {reason}); {_INSTALL}") from error
