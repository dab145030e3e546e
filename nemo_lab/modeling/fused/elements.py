"""What a kernel does with one number: read and write bfloat16, exponential, sigmoid.

numba knows no bfloat16, so the kernels see such a tensor as 16-bit patterns (`compiled.kernel` passes it as uint16).
A bfloat16 is the upper half of a float32: reading appends sixteen zero bits, writing rounds to nearest, ties to even.

Each function below says in plain Python what it is; the one beneath it gives numba the loop body by the type of its
argument: patterns, float32 or float64. The exponential of float32 is a polynomial of basic operations, because a loop
that calls `math.exp` is not turned into vector instructions; the one of float64, which only tests use, is exact.

A trap: numba inlines these before it knows their types, and a conditional expression written as an argument, such as
`put(row, t, a if c else b)`, comes out wrong. Give it a name first.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

_LOG2E = np.float32(1 / math.log(2))
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(math.log(2) - 0.693359375)
_LEAST, _MOST = np.float32(-87), np.float32(88)  # between them exp is a normal float32
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_A2, _A3, _A4, _A5, _A6, _A7 = tuple(np.float32(1 / math.factorial(k)) for k in range(2, 8))
_BIAS, _MANTISSA = np.int32(127), np.int32(23)
_BELOW_HALF, _SIXTEEN, _LAST = np.uint32(0x7FFF), np.uint32(16), np.uint32(1)


def read(x: Any) -> Any:
    """The number behind an element of an array: float32 for a pattern of bfloat16, else itself."""
    return x


@overload(read, inline="always")
def _read(x: Any) -> Any:
    def pattern(x: Any) -> Any:
        return np.uint32(np.uint32(x) << _SIXTEEN).view(np.float32)

    def itself(x: Any) -> Any:
        return x

    return pattern if x == types.uint16 else itself


def put(row: Any, t: int, x: Any) -> None:
    """row[t] = x, rounded to bfloat16 where the row holds patterns. NaN stays NaN."""
    row[t] = x


@overload(put, inline="always")
def _put(row: Any, t: int, x: Any) -> Any:
    def rounded(row: Any, t: int, x: Any) -> None:
        bits = np.float32(x).view(np.uint32)
        row[t] = np.uint16((bits + _BELOW_HALF + ((bits >> _SIXTEEN) & _LAST)) >> _SIXTEEN)

    def plain(row: Any, t: int, x: Any) -> None:
        row[t] = x

    return rounded if row.dtype == types.uint16 else plain


def exp(x: Any) -> Any:
    """e^x. In float32: 2^n e^r with |r| <= ln(2)/2 and Taylor's polynomial, to 3 units in the last place."""
    return math.exp(x)


@overload(exp, inline="always")
def _exp(x: Any) -> Any:
    def polynomial(x: Any) -> Any:
        x = _LEAST if x < _LEAST else x  # in this order a NaN stays one
        x = _MOST if x > _MOST else x
        n = np.floor(x * _LOG2E + _HALF)
        r = (x - n * _LN2_HIGH) - n * _LN2_LOW
        p = _A2 + r * (_A3 + r * (_A4 + r * (_A5 + r * (_A6 + r * _A7))))
        power = np.int32((np.int32(n) + _BIAS) << _MANTISSA).view(np.float32)
        return (_ONE + r + r * r * p) * power

    def exact(x: Any) -> Any:
        return math.exp(x)

    return polynomial if x == types.float32 else exact


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return 1 / (1 + exp(-x))


@overload(sigmoid, inline="always")
def _sigmoid(x: Any) -> Any:
    one = _ONE if x == types.float32 else 1.0

    def logistic(x: Any) -> Any:
        return one / (one + exp(-x))

    return logistic


def relu(x: Any) -> Any:
    """max(x, 0); NaN stays NaN."""
    return 0 if x < 0 else x


@overload(relu, inline="always")
def _relu(x: Any) -> Any:
    zero = _ZERO if x == types.float32 else 0.0

    def rectified(x: Any) -> Any:
        return zero if x < zero else x

    return rectified
