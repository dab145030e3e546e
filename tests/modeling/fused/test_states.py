"""The recurrence between chunks against a loop in torch."""

import pytest
import torch
from torch import Tensor

from nemo_lab.modeling.fused.states import pass_states, pass_states_backward


def plain(own_BcHS: Tensor, across_BcH: Tensor) -> Tensor:
    """The state that enters each chunk."""
    states = [0 * own_BcHS[:, 0] * across_BcH[:, 0, :, None]]  # zero that has gradients
    for k in range(own_BcHS.shape[1] - 1):
        states.append(across_BcH[:, k, :, None] * states[-1] + own_BcHS[:, k])
    return torch.stack(states, 1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize(("chunks", "heads", "size"), [(1, 1, 1), (4, 3, 7), (5, 2, 64)])
def test_states_and_gradients(chunks: int, heads: int, size: int, dtype: torch.dtype, tolerance: float) -> None:
    own = torch.randn(2, chunks, heads, size, dtype=dtype, requires_grad=True)
    log_across = (-torch.rand(2, chunks, heads, dtype=dtype)).requires_grad_()
    across = log_across.exp()
    expected = plain(own, across)
    entering, dleaving = torch.full_like(expected, torch.nan), torch.full_like(expected, torch.nan)
    pass_states(own, across, entering)
    dentering, ds = torch.randn_like(expected), torch.full_like(across, torch.nan)
    pass_states_backward(dentering, entering, across, dleaving, ds)
    gradients = torch.autograd.grad(expected, (own, log_across), dentering)
    close = {"rtol": tolerance, "atol": 10 * tolerance}
    torch.testing.assert_close(entering, expected.detach(), **close)
    torch.testing.assert_close((dleaving, ds), gradients, **close)


def test_the_running_state_is_not_rounded() -> None:
    """In bfloat16, 256 + 1/2 is 256; only the copies that enter may be rounded, not what is summed."""
    own = torch.full((1, 9, 1, 1), 0.5).bfloat16()
    own[0, 0] = 256
    entering = torch.empty_like(own)
    pass_states(own, torch.ones(1, 9, 1), entering)
    assert entering[0, -1].item() == 260  # 259.5, rounded once
