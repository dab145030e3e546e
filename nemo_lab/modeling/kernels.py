"""Which engine runs the scan and the attention: ours everywhere, NVIDIA's kernels on a GPU that has them.

This page also says when a training step takes the fused kernels of the CPU.

    operation    "torch"                     on CUDA, where it can be imported
    ssd          ssd.ssd_channel_first       "mamba-ssm": mamba_chunk_scan_combined, in Triton
    attention    attention.self_attention    "flash-attn": flash_attn_func, flash_attn_varlen_func

`backend="auto"` takes the right column where it can and the middle one otherwise; a name forces an engine, or
is refused with a sentence that says how to install it. Both engines of a row are the same function:
mamba-ssm's kernels run on a CPU in Triton's interpreter (`TRITON_INTERPRET=1`), where tests hold them equal
to ours, and the calls to flash-attn are tested against its published signature. Layouts are the mixers' own
(channels first for the scan, heads first for attention); the transpositions that a kernel wants happen here,
as views.

The backend "numba" stands for the kernels of `fused`, which take not an operation but all of a training step that is
no matrix product. Nothing takes them unless chosen with `use`, and then only a step on a CPU in bfloat16 whose
gradients are wanted; everything else runs as with "torch".
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError, one_of
from nemo_lab.modeling.ssd import ssd_channel_first

_INSTALL = "pip install --no-build-isolation -e '.[gpu]'"
_INSTALL_FUSED = "pip install -c constraints.txt -e '.[fused]'"
_MODULES = {"mamba-ssm": "mamba_ssm.ops.triton.ssd_combined", "flash-attn": "flash_attn", "numba": "numba"}
_DTYPES = {
    "mamba-ssm": (torch.float32, torch.bfloat16, torch.float16),
    "flash-attn": (torch.bfloat16, torch.float16),
}


def ssd(
    x_BHPL: Tensor,
    dt_BHL: Tensor,
    A_H: Tensor,
    B_BGNL: Tensor,
    C_BGNL: Tensor,
    D_H: Tensor,
    chunk: int,
    document_BL: Tensor | None = None,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """The state-space scan from an empty state: y_BHPL and the state after the last token, BHPN.

    Arguments are those of `ssd_channel_first`; `backend` is "auto", "torch" or "mamba-ssm"; "numba" means torch here.

    Raises:
        LabError: an unknown backend, or one that cannot run here.
    """
    if _choose(backend, "mamba-ssm", x_BHPL) == "torch":
        return ssd_channel_first(x_BHPL, dt_BHL, A_H, B_BGNL, C_BGNL, D_H, chunk, document_BL)
    return _mamba_ssm(x_BHPL, dt_BHL, A_H, B_BGNL, C_BGNL, D_H, chunk, document_BL)


def attention(
    q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, document_BL: Tensor | None = None, backend: str = "auto"
) -> Tensor:
    """Causal grouped-query attention within documents, BHLD.

    `backend` is "auto", "torch" or "flash-attn", which takes half precision only; "numba" means torch here.

    Raises:
        LabError: an unknown backend, or one that cannot run here.
    """
    if _choose(backend, "flash-attn", q_BHLD) == "torch":
        from nemo_lab.modeling.causal import self_attention

        return self_attention(q_BHLD, k_BKLD, v_BKLD, document_BL)
    return _flash_attn(q_BHLD, k_BKLD, v_BKLD, document_BL)


def use(model: nn.Module, backend: str) -> int:
    """Choose the backend of every layer of a model that has a choice; returns how many these are.

    Args:
        model: a `HybridLM` or a part of one. backend: "auto", "torch", or "numba" for the fused training step.

    Raises:
        LabError: another backend, one that cannot be imported, or a model without such a layer.
    """
    if backend not in ("auto", "torch", "numba"):
        raise LabError(one_of("backend of a whole model", backend, ("auto", "torch", "numba")))
    fused(backend, torch.empty(0))
    layers = [module for module in model.modules() if hasattr(module, "backend")]
    if not layers:
        raise LabError(
            f"No layer of this {type(model).__name__} has a backend to choose; give a HybridLM or its layers."
        )
    for layer in layers:
        layer.backend = backend  # type: ignore[assignment]
    return len(layers)


def fused(backend: str, tensor: Tensor) -> bool:
    """Whether the kernels of `fused` take what happens to this tensor.

    They do if `backend` is "numba", the tensor lies on a CPU, its products are in bfloat16, and gradients are wanted.

    Raises:
        LabError: "numba", which cannot be imported.
    """
    if backend != "numba":
        return False
    if reason := _import_error("numba"):
        message = f"The backend 'numba' cannot run here: {reason}; install it with {_INSTALL_FUSED}"
        raise LabError(f"{message}, or choose backend='torch'.")
    return tensor.device.type == "cpu" and torch.is_grad_enabled() and product_dtype(tensor) == torch.bfloat16


def product_dtype(tensor: Tensor) -> torch.dtype:
    """The dtype of a matrix product of this tensor: autocast's, where it is on, else its own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


def _choose(backend: str, kernel: str, tensor: Tensor) -> str:
    """The engine that will run: `backend` itself if it can, for "auto" the kernel if it can, else torch."""
    if backend in ("torch", "numba"):
        return "torch"
    if backend not in ("auto", kernel):
        raise LabError(f"There is no backend {backend!r}; choose auto, torch, numba or {kernel}.")
    if backend == "auto" and not tensor.is_cuda:
        return "torch"
    obstacle = _obstacle(kernel, tensor)
    if backend == "auto":
        return "torch" if obstacle else kernel
    if obstacle:
        raise LabError(f"The backend {kernel!r} cannot run here: {obstacle}, or choose backend='torch'.")
    return kernel


def _obstacle(kernel: str, tensor: Tensor) -> str:
    """Why `kernel` cannot take this tensor and what would help; empty if it can."""
    interpreted = kernel == "mamba-ssm" and os.environ.get("TRITON_INTERPRET") == "1"
    if not tensor.is_cuda and not interpreted:
        return f"it needs a CUDA device and the tensors are on {tensor.device}; move the model to a GPU"
    if tensor.dtype not in _DTYPES[kernel]:
        names = " or ".join(str(dtype).removeprefix("torch.") for dtype in _DTYPES[kernel])
        return f"it takes {names} and got {str(tensor.dtype).removeprefix('torch.')}; use autocast"
    reason = _import_error(kernel)
    return f"{reason}; install it with {_INSTALL}" if reason else ""


@cache
def _import_error(kernel: str) -> str:
    """What importing the kernel's module raises, asked once a process; empty if it works."""
    try:
        importlib.import_module(_MODULES[kernel])
    except Exception as error:  # a wheel built for another torch fails in many ways, none of which is ours
        reason = " ".join(str(error).split())[:120]
        return f"importing {_MODULES[kernel]} fails ({type(error).__name__}: {reason})"
    return ""


def _mamba_ssm(
    x_BHPL: Tensor,
    dt_BHL: Tensor,
    A_H: Tensor,
    B_BGNL: Tensor,
    C_BGNL: Tensor,
    D_H: Tensor,
    chunk: int,
    document_BL: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """mamba-ssm's chunked scan, which wants (B, L, heads, channels)."""
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    y_BLHP, state_BHPN = mamba_chunk_scan_combined(
        x_BHPL.permute(0, 3, 1, 2),
        dt_BHL.transpose(1, 2),
        A_H,
        B_BGNL.permute(0, 3, 1, 2),
        C_BGNL.permute(0, 3, 1, 2),
        chunk_size=chunk,
        D=D_H,
        seq_idx=None if document_BL is None else document_BL.to(torch.int32).contiguous(),
        return_final_states=True,
    )
    return y_BLHP.permute(0, 2, 3, 1), state_BHPN


def _flash_attn(q_BHLD: Tensor, k_BKLD: Tensor, v_BKLD: Tensor, document_BL: Tensor | None) -> Tensor:
    """flash-attn, which wants (B, L, heads, D), or all documents one after another as (B·L, heads, D)."""
    flash: Any = importlib.import_module("flash_attn")
    q, k, v = (t.transpose(1, 2) for t in (q_BHLD, k_BKLD, v_BKLD))
    if document_BL is None:
        y: Tensor = flash.flash_attn_func(q, k, v, causal=True)
        return y.transpose(1, 2)
    starts, longest = document_starts(document_BL)
    y = flash.flash_attn_varlen_func(
        q.flatten(0, 1),
        k.flatten(0, 1),
        v.flatten(0, 1),
        cu_seqlens_q=starts,
        cu_seqlens_k=starts,
        max_seqlen_q=longest,
        max_seqlen_k=longest,
        causal=True,
    )
    return y.unflatten(0, tuple(document_BL.shape)).transpose(1, 2)


def document_starts(document_BL: Tensor) -> tuple[Tensor, int]:
    """Where each document of the flattened batch starts, with the end as last entry (int32), and the longest.

    Equal numbers in two rows are two documents.
    """
    first = torch.ones_like(document_BL, dtype=torch.bool)
    first[:, 1:] = document_BL[:, 1:] != document_BL[:, :-1]
    starts = first.flatten().nonzero().squeeze(1)
    starts = torch.cat([starts, starts.new_tensor([document_BL.numel()])])
    return starts.to(torch.int32), int(starts.diff().max())
