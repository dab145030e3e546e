"""FP8 by the book: a second implementation, one number at a time in exact arithmetic, slow and plain.

Codes are decoded from their bit patterns as the formats' specification (OCP 8-bit floating point) has them;
a value is rounded by comparing it with every code, ties to the even one; tiles are cut out by index. Scales are
float32 by NumPy, which divides as the standard says. Nothing of it is shared with the package.
"""

import math
from bisect import bisect_left
from fractions import Fraction
from functools import cache

import numpy as np

SHAPES = {"e4m3": (4, 3, 7), "e5m2": (5, 2, 15)}  # bits of exponent, of mantissa, bias


@cache
def positive_codes(fmt: str) -> list[Fraction]:
    """Values of the codes 0, 1, 2, …, which increase; without infinity and NaN."""
    exponent_bits, mantissa_bits, bias = SHAPES[fmt]
    codes = []
    for code in range(128):
        exponent, mantissa = code >> mantissa_bits, code & (2**mantissa_bits - 1)
        if fmt == "e4m3" and code == 127:
            break  # its only NaN
        if fmt == "e5m2" and exponent == 2**exponent_bits - 1:
            break  # infinity and NaN
        lead = Fraction(mantissa, 2**mantissa_bits) + (1 if exponent else 0)
        codes.append(lead * Fraction(2) ** (max(exponent, 1) - bias))
    return codes


def nearest(value: float, fmt: str) -> int:
    """The code of a number: nearest, ties to the even code, clamped; 127 for NaN."""
    if math.isnan(value):
        return 127
    codes = positive_codes(fmt)
    sign = 128 if math.copysign(1, value) < 0 else 0
    size = min(Fraction(abs(value)) if not math.isinf(value) else codes[-1], codes[-1])
    above = bisect_left(codes, size)
    if codes[above] == size:
        return sign | above
    low, high = size - codes[above - 1], codes[above] - size
    return sign | (above if high < low or (high == low and above % 2 == 0) else above - 1)


def scale_of(amax: np.float32, fmt: str, power_of_two: bool, largest: float) -> np.float32:
    """The scale of a tile by Transformer Engine's rule."""
    top = np.float32(positive_codes(fmt)[-1])
    if amax == 0:
        return np.float32(1)
    with np.errstate(over="ignore"):
        scale = top / amax
    if np.isinf(scale):
        scale = np.float32(largest)
    if power_of_two and scale > 0:
        scale = np.float32(math.ldexp(1.0, math.frexp(float(scale))[1] - 1))
    return scale


def quantized(x: np.ndarray, fmt: str, tile: tuple[int, int], power_of_two: bool, largest: float):
    """Codes (uint8) and inverse scales of a float32 matrix, tile by tile."""
    rows, columns = tile
    grid = (math.ceil(x.shape[0] / rows), math.ceil(x.shape[1] / columns))
    codes, inverse = np.zeros(x.shape, np.uint8), np.zeros(grid, np.float32)
    for i in range(grid[0]):
        for j in range(grid[1]):
            at = (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))
            scale = scale_of(np.abs(x[at]).max(), fmt, power_of_two, largest)
            with np.errstate(divide="ignore", invalid="ignore"):
                inverse[i, j] = np.float32(1) / scale
                scaled = x[at] * scale
            codes[at] = [[nearest(float(value), fmt) for value in row] for row in scaled]
    return codes, inverse
