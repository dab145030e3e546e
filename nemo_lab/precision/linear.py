r"""A linear layer whose three matrix products take FP8 factors.

    forward   Y  = q(X) q(W)^T        sum over input features
    dgrad     dX = q(dY) q(W)         sum over output features
    wgrad     dW = q(dY)^T q(X)       sum over tokens

Each factor is quantised from the layer's own numbers, at once: X in the autocast dtype, dY as it arrives, W from
its float32 master copy, which the optimiser updates. Where a scale belongs to a tile of 1x128, X and dY are
quantised twice, along either sum; one scale and square blocks serve both. Products are summed in float32, scales
multiply the sum, and the result is rounded once, to the dtype of the layer's output.

On a CPU a product of FP8 codes (`torch._scaled_mm`) is several times slower than one of bf16 (LOG.md), and every
FP8 number is a bf16 number. So this layer rounds to the FP8 grid by arithmetic (`formats.round_to`; tests hold it
equal to the codes of `quantize`) and multiplies in bf16. What FP8 saves, bytes and tensor-core time, it does not
save here: what it computes is the same. Tiles whose scales are not powers of two cannot be put into bf16 without
a rounding of their own and are multiplied in float32, which is slower.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError
from nemo_lab.precision.formats import Format, format_of, round_to, scale_from_amax
from nemo_lab.precision.quantize import block_amax, block_scales, tiled, untile
from nemo_lab.precision.recipes import ROLES, Cast, Fp8Recipe

Watch = Callable[[str, Tensor], None]


class Factor(NamedTuple):
    """A matrix on the FP8 grid, and the number that its product is still to be multiplied with."""

    values: Tensor
    factor: float


class DelayedScale(nn.Module):
    """A scale from the largest values of earlier steps: max of the format / max of the history, 1 at the start.

    The scale in use never knows the tensor it is used on. An amax of zero or infinity leaves it as it was
    (Transformer Engine's delayed scaling, margin 0).
    """

    history: Tensor
    scale: Tensor

    def __init__(self, fmt: Format, length: int) -> None:
        super().__init__()
        self.fmt = fmt
        self.register_buffer("history", torch.zeros(length, device="cpu"))
        self.register_buffer("scale", torch.ones((), device="cpu"))

    def observe(self, amax: Tensor) -> None:
        """Note the amax of this step and compute the scale of the next."""
        self.history.copy_(self.history.roll(1))
        self.history[0] = amax.squeeze()
        highest = self.history.max()
        if bool(highest.isfinite()) and float(highest) > 0:
            largest = torch.finfo(torch.float32).max
            self.scale.copy_(scale_from_amax(highest, self.fmt, power_of_two=False, largest=largest))


def factor_of(x_MK: Tensor, cast: Cast, along: int, dtype: torch.dtype, delayed: DelayedScale | None = None) -> Factor:
    """Quantise a matrix for a product that sums over its dimension `along` (0 or 1), as numbers of `dtype`.

    The values are those of `quantize(x).data` (one scale: `factor` is its inverse) or of `dequantize()` (tiles:
    `factor` is 1); for `along` = 0 of the transposed copy.
    """
    fmt = format_of(cast.format)
    if cast.tile is None:
        return _one_scale(x_MK, cast, fmt, dtype, delayed)
    tile = cast.tile[::-1] if along == 0 else cast.tile
    scale = block_scales(x_MK, tile, fmt, cast.power_of_two)[:, None, :, None]
    rounded = round_to(tiled(x_MK.float(), tile) * scale, fmt).mul_(scale.reciprocal())
    return Factor(untile(rounded.to(dtype if cast.power_of_two else torch.float32), *x_MK.shape), 1.0)


def _one_scale(x_MK: Tensor, cast: Cast, fmt: Format, dtype: torch.dtype, delayed: DelayedScale | None) -> Factor:
    """One scale for the matrix; it does not matter which way round the matrix lies in memory."""
    if not x_MK.is_contiguous() and x_MK.t().is_contiguous():
        turned = _one_scale(x_MK.t(), cast, fmt, dtype, delayed)
        return Factor(turned.values.t(), turned.factor)
    if cast.scaling == "current":
        scale = block_scales(x_MK, None, fmt, cast.power_of_two)
        scaled = x_MK.float() * scale
    else:
        scale = torch.ones(1) if delayed is None else delayed.scale.view(1).clone()
        scaled = (x_MK.float() * scale.to(x_MK.device)).clamp_(-fmt.max, fmt.max)
    return Factor(round_to(scaled, fmt).to(dtype), float(scale.reciprocal()))


def product(a: Factor, b: Factor, dtype: torch.dtype) -> Tensor:
    """a b, (M, K) x (K, N), summed in float32, times both factors, then rounded to `dtype`."""
    exact = torch.promote_types(a.values.dtype, b.values.dtype)
    x, y = a.values.to(exact), b.values.to(exact)
    scaled = torch.addmm(x.new_zeros(1), x, y, beta=0, alpha=a.factor * b.factor)
    return scaled.to(dtype)


def _turned(a: Factor) -> Factor:
    return Factor(a.values.t(), a.factor)


class _Fp8Product(torch.autograd.Function):
    """Y = X W^T, or its transpose W X^T where `channel_first`."""

    @staticmethod
    def forward(
        ctx: Any,
        x_TI: Tensor,
        weight_OI: Tensor,
        layer: Fp8Linear,
        dtype: torch.dtype,
        channel_first: bool,
        record: bool,
    ) -> Tensor:
        recipe = layer.recipe
        x = layer.factor("activation", x_TI, 1, dtype, record)
        w = layer.factor("weight", weight_OI, 1, dtype, record)
        twice = recipe.activation.tile == (1, 128)
        x_wgrad = layer.factor("activation", x_TI, 0, dtype, False) if twice and ctx.needs_input_grad[1] else x
        w_dgrad = layer.factor("weight", weight_OI, 0, dtype, False) if recipe.weight.tile == (1, 128) else w
        ctx.save_for_backward(x_wgrad.values, w_dgrad.values)
        ctx.rest = (x_wgrad.factor, w_dgrad.factor, layer, dtype, channel_first, record, x_TI.dtype)
        return product(w, _turned(x), dtype) if channel_first else product(x, _turned(w), dtype)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_values, w_values = ctx.saved_tensors
        x_factor, w_factor, layer, dtype, channel_first, record, x_dtype = ctx.rest
        dy_TO = dy.t() if channel_first else dy
        g = layer.factor("gradient", dy_TO, 1, dtype, record)
        dx = product(g, Factor(w_values, w_factor), dtype).to(x_dtype) if ctx.needs_input_grad[0] else None
        dw = None
        if ctx.needs_input_grad[1]:
            if layer.recipe.gradient.tile == (1, 128):
                g = layer.factor("gradient", dy_TO, 0, dtype, False)
            dw = product(_turned(g), Factor(x_values, x_factor), dtype).to(layer.weight.dtype)
        return dx, dw, None, None, None, None


class Fp8Linear(nn.Linear):
    """`nn.Linear` with FP8 factors in its three products; the weight stays as it is, float32.

    Takes the place of `modeling.linear.Linear` and has its second method. `watch`, where set, is called with the
    layer's name and dY, (T, out), in every backward pass. Delayed scales are buffers and appear in the state dict;
    all other recipes leave it that of `nn.Linear`.
    """

    def __init__(self, in_features: int, out_features: int, recipe: Fp8Recipe, *, bias: bool = False) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.recipe = recipe
        self.name = ""
        self.watch: Watch | None = None
        delayed = {
            role: DelayedScale(format_of(recipe.cast(role).format), recipe.history)
            for role in ROLES
            if recipe.cast(role).scaling == "delayed"
        }
        self.scales = nn.ModuleDict(delayed)

    @classmethod
    def of(cls, linear: nn.Linear, recipe: Fp8Recipe, name: str = "") -> Fp8Linear:
        """The same layer under a recipe, with the same parameters (not copies)."""
        with torch.device("meta"):  # without start values, which would be replaced at once
            made = cls(linear.in_features, linear.out_features, recipe)
        made.scales.to(linear.weight.device)
        made.weight, made.bias, made.name = linear.weight, linear.bias, name
        return made.train(linear.training)

    def forward(self, x: Tensor) -> Tensor:
        """x W^T + b, (…, in) -> (…, out), the product in FP8."""
        y_TO = self._product(x.reshape(-1, x.shape[-1]), channel_first=False)
        y = y_TO.view(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def channel_first(self, x_TI: Tensor) -> Tensor:
        """W x^T: (T, in) -> (out, T)."""
        if self.bias is not None:
            raise LabError("channel_first is for layers without bias; call the layer itself.")
        return self._product(x_TI, channel_first=True)

    def identity(self) -> dict[str, Any]:
        """What a folder of checkpoints is to know of the layer: its recipe (`training.identity`)."""
        return {"fp8": asdict(self.recipe)}

    def factor(self, role: str, x_MK: Tensor, along: int, dtype: torch.dtype, record: bool) -> Factor:
        """`factor_of` by this layer's recipe; `record` notes the amax where scales are delayed."""
        delayed: Any = self.scales[role] if self.recipe.cast(role).scaling == "delayed" else None
        made = factor_of(x_MK, self.recipe.cast(role), along, dtype, delayed)
        if delayed is not None and record:
            delayed.observe(block_amax(x_MK, None))
        return made

    def _product(self, x_TI: Tensor, channel_first: bool) -> Tensor:
        device = x_TI.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_TI.dtype
        if dtype not in (torch.float32, torch.bfloat16):
            raise LabError(f"The layer computes in float32 or bfloat16, not in {str(dtype).removeprefix('torch.')}.")
        if not len(x_TI):  # nothing to scale
            empty = x_TI.to(dtype) @ self.weight.to(dtype).t()
            return empty.t() if channel_first else empty
        record = self.training and torch.is_grad_enabled()
        with torch.autocast(device, enabled=False):
            y: Tensor = _Fp8Product.apply(x_TI.to(dtype), self.weight, self, dtype, channel_first, record)
        if self.watch is not None and y.requires_grad:
            watch, name = self.watch, self.name
            y.register_hook(lambda dy: watch(name, dy.t() if channel_first else dy))
        return y
