"""The norm of a residual block against `nn.RMSNorm` and autograd's own sum of two gradients."""

import pytest
import torch
import torch.nn.functional as F

from nemo_lab.modeling.fused.norm import residual_norm


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 5), (3, 67, 37)])  # of less than a block of tokens, and of several
def test_norm_equals_torchs(shape: tuple[int, int, int], dtype: torch.dtype, tolerance: float) -> None:
    x, w = (torch.randn(*s, dtype=torch.float64).to(dtype).requires_grad_() for s in (shape, shape[-1:]))
    dstream, du = torch.randn(2, *shape, dtype=dtype)
    ours = residual_norm(x, w, 1e-5, dtype)
    exact = [t.detach().double().requires_grad_() for t in (x, w)]
    theirs = (exact[0], F.rms_norm(exact[0], shape[-1:], exact[1], 1e-5))
    gradients = torch.autograd.grad(ours, (x, w), (dstream, du))
    expected = torch.autograd.grad((theirs[0] * dstream + theirs[1] * du).sum(), exact)
    for a, b in zip((*ours, *gradients), (*theirs, *expected), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=tolerance, atol=tolerance * 10)


@pytest.mark.parametrize("stream", [torch.float32, torch.bfloat16])
def test_norm_in_bf16_is_the_rounded_norm(stream: torch.dtype) -> None:
    x, w = torch.randn(4, 50).to(stream), torch.randn(50)
    _, u = residual_norm(x, w, 1e-5, torch.bfloat16)
    exact = F.rms_norm(x.double(), (50,), w.double(), 1e-5)
    assert u.dtype == torch.bfloat16
    torch.testing.assert_close(u.double(), exact, rtol=2**-8, atol=0)


def test_gradients_of_the_norm() -> None:
    x, w = (torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((3, 7), (7,)))
    assert torch.autograd.gradcheck(lambda x, w: residual_norm(x, w, 1e-5, torch.float64), (x, w))
