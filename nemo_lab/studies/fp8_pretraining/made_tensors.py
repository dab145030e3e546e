"""Controlled experiments on tensors of known distribution: what a format and its scales do to them.

Outliers. A few columns of a normal tensor are multiplied with a gain; the error of all *other* entries is what the
outliers cost. FP8 numbers are floating-point: dividing a tensor by a large scale costs nothing until ordinary
values fall among the subnormals, below 2^-6 / 448 = 1 / 28,672 of the maximum in E4M3.

Flushing. Values whose logarithm is normally distributed, with a growing spread, as gradients have in long
training. Entries below half the smallest step become zero: below 2^-10 / 448 of the maximum in E4M3, 2^-17 / 57,344
in E5M2. The share of the tensor's sum of squares that goes with them tells whether it matters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nemo_lab.precision.quantize import quantize
from nemo_lab.precision.recipes import Cast

CASTS: Mapping[str, Cast] = {
    "E4M3, one scale": Cast("e4m3"),
    "E5M2, one scale": Cast("e5m2"),
    "E4M3, 128x128": Cast("e4m3", (128, 128), power_of_two=True),
    "E4M3, 1x128": Cast("e4m3", (1, 128), power_of_two=True),
}


def outlier_tensor(gain: float, seed: int, *, rows: int = 256, columns: int = 512, share: float = 1 / 128) -> Tensor:
    """Standard normal numbers, (rows, columns), of which the first `share` of the columns is multiplied by `gain`."""
    x = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    x[:, : max(1, round(share * columns))] *= gain
    return x


def relative_error(x: Tensor, back: Tensor) -> float:
    """Root mean square of `back` - x over that of x, in %."""
    return 100 * float((back - x).square().mean().sqrt() / x.square().mean().sqrt())


def ordinary_error(x: Tensor, cast: Cast, outliers: int) -> float:
    """Root mean square error over root mean square value, in %, of the columns after the first `outliers`."""
    return relative_error(x[:, outliers:], quantize(x, cast, transpose=False).dequantize()[:, outliers:])


def outlier_errors(gains: list[float], seed: int) -> dict[str, list[float]]:
    """`ordinary_error` for each cast of `CASTS` and each gain."""
    tensors = [outlier_tensor(gain, seed) for gain in gains]
    outliers = round(tensors[0].shape[1] / 128)
    return {name: [ordinary_error(x, cast, outliers) for x in tensors] for name, cast in CASTS.items()}


def lognormal_tensor(spread: float, seed: int, *, rows: int = 256, columns: int = 512) -> Tensor:
    """Numbers of either sign whose log2 is normally distributed with the standard deviation `spread`."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.exp2(spread * torch.randn(rows, columns, generator=generator))
    return torch.where(torch.rand(rows, columns, generator=generator) < 0.5, -size, size)


def flushed(x: Tensor, cast: Cast) -> tuple[float, float]:
    """Share of the nonzero entries that the cast makes zero, and their share of the sum of squares; both in %."""
    lost = (quantize(x, cast, transpose=False).dequantize() == 0) & (x != 0)
    nonzero, energy = (x != 0).sum(), x.double().square().sum()
    if not nonzero:
        return 0.0, 0.0
    return 100 * float(lost.sum() / nonzero), 100 * float(x[lost].double().square().sum() / energy)


def flushed_shares(spreads: list[float], seed: int) -> dict[str, list[tuple[float, float]]]:
    """`flushed` for each cast of `CASTS` and each spread."""
    tensors = [lognormal_tensor(spread, seed) for spread in spreads]
    return {name: [flushed(x, cast) for x in tensors] for name, cast in CASTS.items()}
