"""The two eight-bit floating-point formats and the rule that turns a largest value into a scale.

    E4M3   sign, 4 bits of exponent, 3 of mantissa: up to 448, smallest step 2^-9. Weights and activations.
    E5M2   sign, 5 bits of exponent, 2 of mantissa: up to 57,344, smallest step 2^-16. Gradients, which need range.

E4M3 has no infinity: the codes that would be infinities are finite values, which is how it reaches 448. A cast
of a value beyond the range is therefore undefined territory: torch 2.13 on a CPU saturates in E4M3 and gives
infinity in E5M2, other versions give NaN. Nothing here relies on either; values are clamped first.

The rules are those of Transformer Engine's references, `pytorch/custom_recipes/reference_current_scaling.py`
and `tests/pytorch/references/quantize_scale_calc.py` (version 2.20). Its CUDA kernels differ in two corners,
which no healthy training meets: for a block that holds an infinity they use scale 1 where the reference's scale
is 0, and for a whole bf16 tensor whose scale would overflow they use float32's largest value, not bf16's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nemo_lab.errors import LabError, one_of

_EXPONENT_BITS = 0x7F800000  # of a float32


@dataclass(frozen=True)
class Format:
    """An eight-bit format: torch's dtype, bits of mantissa, exponent of the smallest normal number."""

    name: str
    dtype: torch.dtype
    mantissa: int
    min_exponent: int

    @property
    def max(self) -> float:
        """Largest finite value."""
        return torch.finfo(self.dtype).max

    @property
    def smallest(self) -> float:
        """Smallest positive value, the step of the subnormal numbers; up to half of it rounds to zero."""
        return 2.0 ** (self.min_exponent - self.mantissa)


E4M3 = Format("e4m3", torch.float8_e4m3fn, mantissa=3, min_exponent=-6)
E5M2 = Format("e5m2", torch.float8_e5m2, mantissa=2, min_exponent=-14)
FORMATS: Mapping[str, Format] = {"e4m3": E4M3, "e5m2": E5M2}


def format_of(name: str | torch.dtype | Format) -> Format:
    """The format of a name or of a torch dtype; LabError for another one."""
    for known in FORMATS.values():
        if name in (known, known.name, known.dtype):
            return known
    raise LabError(one_of("FP8 format", str(name), list(FORMATS)))


def scale_from_amax(amax: Tensor, fmt: Format, *, power_of_two: bool, largest: float) -> Tensor:
    """The factor that brings `amax` to the format's largest value, float32, of the shape of `amax`.

    Args:
        amax: largest absolute values, float32. power_of_two: round the scale down to a power of two.
        largest: what stands for a scale that overflows float32: the largest value of the input's dtype.

    An amax of zero has scale 1 (nothing to scale), an infinite one 0, NaN stays NaN.
    """
    scale = torch.div(fmt.max, amax)  # not fmt.max / amax, which torch computes as a reciprocal and a product
    scale = torch.where(scale == torch.inf, largest, scale)
    if power_of_two:
        floor = scale.view(torch.int32).bitwise_and(_EXPONENT_BITS).view(torch.float32)
        scale = torch.where(scale.isnan(), scale, floor)
    return torch.where(amax == 0, 1.0, scale)


def round_to(values: Tensor, fmt: Format) -> Tensor:
    """`values` rounded to the format's grid, nearest even, as float32: what a cast there and back gives, faster.

    Adding and taking away M = 1.5 · 2^(e + 23 - mantissa), with 2^e the value's own power of two or the smallest
    normal one, makes float32's rounding that of the format. Works in place on float32 within the format's range;
    negative zero becomes zero.
    """
    power = values.abs().clamp_min_(2.0**fmt.min_exponent).view(torch.int32).bitwise_and_(_EXPONENT_BITS)
    magic = power.view(torch.float32).mul_(1.5 * 2.0 ** (23 - fmt.mantissa))
    return values.add_(magic).sub_(magic)
