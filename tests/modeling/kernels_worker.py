"""Runs `kernels.ssd(backend="mamba-ssm")` and our form in Triton's interpreter, for `test_kernels.py`.

A process of its own, because the interpreter needs the shims of `tests/parity/triton_worker.py`. Prints the
largest relative difference of each output and gradient as JSON.
"""

import importlib.util
import json
import sys
from pathlib import Path

_path = Path(__file__).parents[1] / "parity" / "triton_worker.py"
_spec = importlib.util.spec_from_file_location("triton_worker", _path)
triton_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(triton_worker)  # sets TRITON_INTERPRET before triton is imported

import torch  # noqa: E402

from nemo_lab.modeling import kernels  # noqa: E402

NAMES = ("x", "dt", "A", "B", "C", "D")


def inputs() -> list[torch.Tensor]:
    """Channel-first, as the mixer has them: not contiguous in any dimension that the kernel likes."""
    g = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g)

    x, B, C = (randn(heads, 16, 2, 24).permute(2, 0, 1, 3) for heads in (4, 2, 2))
    dt = torch.nn.functional.softplus(randn(4, 2, 24) - 2).movedim(1, 0)
    return [t.requires_grad_() for t in (x, dt, -randn(4).exp(), B, C, randn(4))]


def run(backend: str, document_BL: torch.Tensor) -> dict[str, torch.Tensor]:
    """Outputs and the gradients of one weighted sum of them."""
    tensors = inputs()
    y, state = kernels.ssd(*tensors, 16, document_BL, backend=backend)
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(t.shape, generator=generator) for t in (y, state)]
    total = (y * weights[0]).sum() + (state * weights[1]).sum()
    gradients = torch.autograd.grad(total, tensors)
    named = {f"grad_{name}": t for name, t in zip(NAMES, gradients, strict=True)}
    return {"y": y.detach(), "state": state.detach()} | named


def main() -> None:
    torch.set_num_threads(1)
    triton_worker.pretend_there_is_a_gpu()
    document_BL = torch.tensor([[0] * 11 + [1] * 13, [3] * 16 + [4] * 8])
    ours, theirs = run("torch", document_BL), run("mamba-ssm", document_BL)
    for name, tensor in theirs.items():
        if ours[name].shape != tensor.shape:
            raise SystemExit(f"{name}: {tuple(ours[name].shape)} and {tuple(tensor.shape)}")
    errors = {name: float((ours[name] - t).abs().max() / t.abs().max()) for name, t in theirs.items()}
    sys.stdout.write(json.dumps(errors))


if __name__ == "__main__":
    main()
