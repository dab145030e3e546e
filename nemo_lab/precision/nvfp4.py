"""NVFP4: four-bit numbers with a scale for every sixteen of them, and a layer that multiplies them.

    value  ≈  code · block scale / tensor scale

    code           E2M1, one of 0, 0.5, 1, 1.5, 2, 3, 4, 6 and a sign
    block scale    E4M3, of 16 values of a row, or of a square of 16x16 for weights: amax / 6 · tensor scale
    tensor scale   float32, one: 448 · 6 / amax, so that the block of the largest value has the scale 448

4.5 bits a value. The rule is that of Transformer Engine's reference, `pytorch/custom_recipes/reference_nvfp4.py`
(version 2.20), with rounding to the nearest, ties to even. Of NVIDIA's training recipe two parts are left out here:
stochastic rounding of gradients, and the Hadamard transform in front of wgrad's quantisers, which spreads outliers
over their block. Shapes: M rows, K columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError
from nemo_lab.precision.formats import E4M3, Format, round_to
from nemo_lab.precision.linear import Factor, Fp8Linear
from nemo_lab.precision.quantize import INPUTS, block_amax, matrix_of, tiled, untile
from nemo_lab.precision.recipes import RECIPES
from nemo_lab.precision.swap import Swapped, to_fp8

VALUES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of the codes 0 to 7; 8 to 15 are their negatives
_E2M1 = Format("e2m1", torch.uint8, mantissa=1, min_exponent=0)  # the grid alone; torch has no such dtype on a CPU
_BLOCK, _LARGEST = 16, torch.finfo(torch.float32).max


@dataclass(frozen=True)
class Nvfp4:
    """A tensor in NVFP4.

    Attributes:
        codes: uint8 from 0 to 15, the shape of x, not packed. scales: E4M3, (rows of blocks, columns of blocks).
        tensor_scale: float32, (), what block scales are divided by. square: whether blocks are 16x16, else 1x16.
    """

    codes: Tensor
    scales: Tensor
    tensor_scale: Tensor
    square: bool

    def dequantize(self) -> Tensor:
        """The values that the codes stand for, float32, in the shape of x."""
        table = torch.tensor([*VALUES, *(-v for v in VALUES)], device=self.codes.device)
        codes_MK = matrix_of(self.codes)
        scales = self.scales.float() * (1.0 / self.tensor_scale)
        blocks = tiled(table[codes_MK.long()], _tile(self.square)) * scales[:, None, :, None]
        return untile(blocks, *codes_MK.shape).view(self.codes.shape)


def quantize_nvfp4(x: Tensor, *, square: bool = False) -> Nvfp4:
    """Quantise a tensor of float32, bfloat16 or float16; ragged edges are padded with zeros.

    Args:
        x: any shape; all dimensions but the last are rows of one matrix. Blocks lie along the last.
        square: blocks of 16x16 (weights, whose transpose then has the same scales) instead of 1x16.

    Raises:
        LabError: no tensor, another dtype, or no element.
    """
    if not isinstance(x, Tensor) or x.dtype not in INPUTS or not x.numel():
        what = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise LabError(f"x is {what}; quantize_nvfp4 takes a non-empty tensor of float32, bfloat16 or float16.")
    with torch.no_grad():
        x_MK = matrix_of(x)
        blocks, scales, tensor_scale = _scaled(x_MK, square)
        codes = _codes(untile(blocks.nan_to_num_(0.0), *x_MK.shape))
    return Nvfp4(codes.view(x.shape), scales, tensor_scale, square)


def on_grid(x_MK: Tensor, *, square: bool = False) -> Tensor:
    """What `quantize_nvfp4(x).dequantize()` gives for a matrix, faster: without the codes."""
    blocks, scales, tensor_scale = _scaled(x_MK, square)
    inverse = scales.float() * (1.0 / tensor_scale)
    return untile(round_to(blocks, _E2M1).mul_(inverse[:, None, :, None]), *x_MK.shape)


def _scaled(x_MK: Tensor, square: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Values times their scales, as blocks within the range of E2M1; the block scales and the tensor's."""
    amax = block_amax(x_MK, None).abs()
    tensor_scale = torch.div(E4M3.max * VALUES[-1], amax).clamp(max=_LARGEST).view(())
    tensor_scale = torch.where(tensor_scale == 0, 1.0, tensor_scale)
    blocks = tiled(x_MK.float(), _tile(square))
    sixth = tensor_scale * torch.tensor(VALUES[-1]).reciprocal()
    scales = (blocks.abs().amax((1, 3)) * sixth).clamp(max=E4M3.max).to(E4M3.dtype)
    factor = torch.div(1.0, scales.float() * (1.0 / tensor_scale)).clamp(max=_LARGEST)
    return (blocks * factor[:, None, :, None]).clamp_(-VALUES[-1], VALUES[-1]), scales, tensor_scale


def _tile(square: bool) -> tuple[int, int]:
    return (_BLOCK, _BLOCK) if square else (1, _BLOCK)


def _codes(scaled: Tensor) -> Tensor:
    negative = scaled < 0
    found = torch.searchsorted(torch.tensor(VALUES, device=scaled.device), round_to(scaled, _E2M1).abs())
    return (found + 8 * negative).to(torch.uint8)


class Nvfp4Linear(Fp8Linear):
    """A linear layer whose three products take NVFP4 factors: weights in squares, the rest in 1x16 along the sum."""

    def factor(self, role: str, x_MK: Tensor, along: int, dtype: torch.dtype, record: bool) -> Factor:
        """The matrix as numbers of NVFP4, in float32, quantised along the dimension that is summed over."""
        if role == "weight":
            return Factor(on_grid(x_MK, square=True), 1.0)
        return Factor(on_grid(x_MK) if along else on_grid(x_MK.t()).t(), 1.0)


def to_nvfp4(model: nn.Module) -> Swapped:
    """Replace, in place, all linear layers but the first and last four products by `Nvfp4Linear`; see `to_fp8`."""
    layout = RECIPES["nano_v2"]  # quantises the same factors, along the same sums
    swapped = to_fp8(model, layout, backend="torch")
    for name in swapped.fp8:
        parent, _, own = name.rpartition(".")
        layer = model.get_submodule(name)
        setattr(model.get_submodule(parent), own, Nvfp4Linear.of(layer, layout, name))  # type: ignore[arg-type]
    return swapped
