"""Products of bf16 matrices on a processor that has no instructions for them: in float32, rounded to bf16.

Torch multiplies bf16 matrices with oneDNN where that has kernels for the processor (AVX-512 or newer on x86, bf16 on
Arm) and with plain loops elsewhere: on an AVX2 processor 1 to 3 GFLOP/s a core, where float32 has 60 to 80, so that
a training step in bf16 took 5 to 30 times as long. Every bf16 number is a float32 number and every product of two
is exact there, so the float32 product of the same matrices, rounded once, is the same function: sums are kept in
float32 either way, and only their order differs.

Importing `nemo_lab.modeling` does this for the process, for every model in it; on other processors, on GPUs and for
other dtypes nothing changes but for the microseconds of a call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

_OPERATORS = ("mm", "bmm", "addmm", "baddbmm")  # what `linear`, `matmul` and `einsum` end in
_BLOCK = 2**19  # numbers of a matrix that are float32 at a time, so that they stay in the cache
_LIBRARY = torch.library.Library("aten", "IMPL")  # torch forgets what is in it when it is gone


@cache
def replace_slow_products() -> bool:
    """Take float32 for the products of bf16 matrices on this processor if that is faster; returns whether it is."""
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    for name in _OPERATORS:
        _replace(name)
    return True


def _replace(name: str) -> None:
    original = torch.library.get_kernel(f"aten::{name}", "CPU")

    def product(keys: Any, *arguments: Any, **options: Any) -> Tensor:
        multiply = partial(original.call_boxed, keys)
        if any(argument.dtype != torch.bfloat16 for argument in arguments if isinstance(argument, Tensor)):
            return multiply(*arguments, **options)
        if name == "mm":
            return _mm(multiply, *arguments)
        wide = [argument.float() if isinstance(argument, Tensor) else argument for argument in arguments]
        return multiply(*wide, **options).to(torch.bfloat16)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="[\\s\\S]*[Oo]verrid")  # torch's, about what is wanted here
        _LIBRARY.impl(name, product, "CPU", with_keyset=True)


def _mm(multiply: Callable[..., Tensor], a_MK: Tensor, b_KN: Tensor) -> Tensor:
    """The product of two bf16 matrices; of a vocabulary's weights a few columns are float32 at a time."""
    if len(a_MK) == 1 and b_KN.stride(0) == 1:
        return multiply(a_MK, b_KN)  # torch's own dot products, which need half the bytes
    y_MN = a_MK.new_empty(len(a_MK), b_KN.shape[1])
    a_MK, step = a_MK.float(), max(_BLOCK // max(len(b_KN), 1), 16)
    for start in range(0, b_KN.shape[1], step):
        y_MN[:, start : start + step] = multiply(a_MK, b_KN[:, start : start + step].float())
    return y_MN
