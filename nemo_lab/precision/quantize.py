"""From a tensor to FP8 codes and scales, and back: `quantize(x, "e4m3", tile=(1, 128))`.

    scale = max of the format / amax          amax: largest |x| of the tensor, the tile or the block
    data  = round(clamp(x · scale))           to the nearest FP8 number, ties to even
    x    ≈ data · scale_inv                   scale_inv = 1 / scale, in float32, which is what is kept

A matrix product sums over rows of one factor and columns of the other, and the backward pass sums over the other
dimension. With one scale, or square blocks, the transpose of the codes serves for that. With tiles of 1x128 it
does not: the tiles would lie across the sum, so that `data_t` is quantised anew from x^T (Transformer Engine's
"column-wise" copy; a transpose is not free). M rows and K columns are the shape of x, seen as a matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nemo_lab.errors import LabError, one_of
from nemo_lab.precision.formats import Format, format_of, scale_from_amax
from nemo_lab.precision.recipes import RECIPES, ROLES, Cast, Fp8Recipe, Tile

INPUTS = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Quantized:
    """An FP8 tensor with its scales, and its transpose with its own.

    Attributes:
        data: float8 codes, the shape of x. data_t: those of x^T, (K, M); None unless asked for.
        scale: what values were multiplied with, float32: (1,) for a tensor, else a grid of
            (ceil(M / rows), ceil(K / columns)) of the tile. scale_t: that of `data_t`.
        scale_inv, scale_inv_t: their reciprocals, which undo them.
        cast: how it was made.
    """

    data: Tensor
    scale: Tensor
    scale_inv: Tensor
    cast: Cast
    data_t: Tensor | None = None
    scale_t: Tensor | None = None
    scale_inv_t: Tensor | None = None

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The values that the codes stand for, in the shape of x."""
        return _times(self.data, self.scale_inv, self.cast.tile).to(dtype)

    def dequantize_t(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The values of the transposed copy, (K, M); differs from the transpose of `dequantize` for 1x128 tiles."""
        if self.data_t is None or self.scale_inv_t is None:
            raise LabError("There is no transposed copy; call quantize with transpose=True.")
        return _times(self.data_t, self.scale_inv_t, self.cast.tile).to(dtype)


def quantize(
    x: Tensor,
    how: Fp8Recipe | Cast | Format | str | torch.dtype = "e4m3",
    *,
    role: str = "activation",
    tile: Tile | None = None,
    power_of_two: bool | None = None,
    transpose: bool = True,
    scale: Tensor | float | None = None,
) -> Quantized:
    """Quantise a tensor of float32, bfloat16 or float16 by Transformer Engine's rules (see `formats`).

    Args:
        x: any shape; all dimensions but the last are rows of one matrix.
        how: a format ("e4m3", "e5m2" or torch's dtype), a `Cast`, or a recipe or its name.
        role: with a recipe: "weight", "activation" or "gradient".
        tile: None for one scale, (1, 128) or (128, 128); with a recipe or cast, None means its own.
        power_of_two: round scales down to powers of two; None means False, or the recipe's own.
        transpose: also make `data_t` and its scales.
        scale: a scale that is given (delayed scaling) instead of computed; for whole tensors.

    Raises:
        LabError: another dtype, an unknown format, recipe, role or tile, a given scale that is no positive number or
            meets tiles, or delayed scaling without one.
    """
    cast = _cast_of(how, role)
    cast = replace(cast, tile=tile or cast.tile)
    if power_of_two is not None:
        cast = replace(cast, power_of_two=power_of_two)
    _check(x, cast, scale)
    x_MK = matrix_of(x)
    with torch.no_grad():
        data, scales = _codes(x_MK, cast, scale)
        data_t, scales_t = _transposed(x_MK, data, scales, cast) if transpose else (None, None)
    inverse_t = None if scales_t is None else scales_t.reciprocal()
    return Quantized(data.view(x.shape), scales, scales.reciprocal(), cast, data_t, scales_t, inverse_t)


def _check(x: Tensor, cast: Cast, scale: Tensor | float | None) -> None:
    if not isinstance(x, Tensor):
        raise LabError(f"x is a {type(x).__name__}; quantize takes a tensor, so make one: torch.as_tensor(x).")
    if x.dtype not in INPUTS:
        names = ", ".join(str(dtype).removeprefix("torch.") for dtype in INPUTS)
        raise LabError(f"x has dtype {str(x.dtype).removeprefix('torch.')}; quantize takes {names}, so convert it.")
    if scale is None:
        if cast.scaling == "delayed":
            raise LabError("Delayed scaling takes its scale from earlier steps; give scale=….")
        return
    if cast.tile is not None:
        raise LabError(f"A given scale is for a whole tensor, but the tile is {cast.tile}; drop one of the two.")
    given = torch.as_tensor(scale, dtype=torch.float32) if isinstance(scale, Tensor | float | int) else torch.zeros(1)
    if given.numel() != 1 or not bool(given.isfinite().all() & (given > 0).all()):
        raise LabError(f"scale is {scale!r}; it must be one positive number.")


def _cast_of(how: Fp8Recipe | Cast | Format | str | torch.dtype, role: str) -> Cast:
    if role not in ROLES:
        raise LabError(one_of("role", role, ROLES))
    if isinstance(how, str) and how in RECIPES:
        how = RECIPES[how]
    if isinstance(how, Fp8Recipe):
        return how.cast(role)
    return how if isinstance(how, Cast) else Cast(format_of(how).name)


def _codes(x_MK: Tensor, cast: Cast, given: Tensor | float | None) -> tuple[Tensor, Tensor]:
    """Codes and scales of a matrix."""
    fmt = format_of(cast.format)
    if given is not None or cast.scaling == "none":
        scale = torch.as_tensor(1.0 if given is None else given, dtype=torch.float32, device=x_MK.device).view(1)
    else:
        scale = block_scales(x_MK, cast.tile, fmt, cast.power_of_two)
    scaled = _times(x_MK, scale, cast.tile).clamp_(-fmt.max, fmt.max)
    return scaled.to(fmt.dtype), scale


def _transposed(x_MK: Tensor, data: Tensor, scales: Tensor, cast: Cast) -> tuple[Tensor, Tensor]:
    """Codes and scales of x^T: the transpose where scales allow it, else quantised anew."""
    if cast.tile == (1, 128):
        return _codes(x_MK.t(), cast, None)
    return data.t().contiguous(), scales if cast.tile is None else scales.t().contiguous()


def block_scales(x_MK: Tensor, tile: Tile | None, fmt: Format, power_of_two: bool) -> Tensor:
    """The scale of every tile, (ceil(M / rows), ceil(K / columns)), or (1,) for the whole; float32."""
    amax = block_amax(x_MK, tile)
    return scale_from_amax(amax, fmt, power_of_two=power_of_two, largest=torch.finfo(x_MK.dtype).max)


def block_amax(x_MK: Tensor, tile: Tile | None) -> Tensor:
    """The largest |x| of every tile, float32; 0 for a tensor without elements."""
    if tile is None:
        if not x_MK.numel():
            return torch.zeros(1, dtype=torch.float32, device=x_MK.device)
        low, high = torch.aminmax(x_MK)  # one pass, where |x| would take two
        return torch.maximum(-low, high).float().view(1)
    if not x_MK.numel():
        grid = [-(-size // length) for size, length in zip(x_MK.shape, tile, strict=True)]
        return torch.zeros(grid, dtype=torch.float32, device=x_MK.device)
    return tiled(x_MK, tile).abs().amax((1, 3)).float()


def tiled(x_MK: Tensor, tile: Tile) -> Tensor:
    """The matrix as (row tiles, rows, column tiles, columns), padded with zeros at ragged edges.

    A tile that is longer than the matrix is cut to it, which spares the padding and changes no maximum.
    """
    (M, K), (r, c) = x_MK.shape, (min(s, t) for s, t in zip(x_MK.shape, tile, strict=True))
    if M % r or K % c:
        x_MK = torch.nn.functional.pad(x_MK, (0, -K % c, 0, -M % r))
    return x_MK.unflatten(0, (-1, r)).unflatten(-1, (-1, c))


def matrix_of(x: Tensor) -> Tensor:
    """All dimensions but the last as rows; a vector or scalar is one row."""
    return x.flatten(0, -2) if x.ndim > 1 else x.reshape(1, -1)


def _times(x: Tensor, scale: Tensor, tile: Tile | None) -> Tensor:
    """float32 x times the scale of its tile, in the shape of x."""
    if not x.numel():
        return x.float()
    if tile is None:
        return (x.float() * scale).view(x.shape)
    x_MK = matrix_of(x)
    M, K = x_MK.shape
    return untile(tiled(x_MK.float(), tile) * scale[:, None, :, None], M, K).view(x.shape)


def untile(x_RrCc: Tensor, M: int, K: int) -> Tensor:
    """The matrix of `tiled`, without its padding."""
    return x_RrCc.flatten(2).flatten(0, 1)[:M, :K].contiguous()
