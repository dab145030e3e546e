"""The sliced cross-entropy against `F.cross_entropy`: values, gradients, ignored targets, precision."""

import pytest
import torch
import torch.nn.functional as F

from nemo_lab.modeling import HybridConfig, HybridLM, loss
from nemo_lab.modeling.loss import linear_cross_entropy


def problem(tokens: int = 23, d: int = 6, vocabulary: int = 11, dtype: torch.dtype = torch.float64) -> tuple:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, d, generator=generator, dtype=dtype).requires_grad_()
    head = torch.randn(vocabulary, d, generator=generator, dtype=dtype).requires_grad_()
    targets = torch.randint(vocabulary, (tokens,), generator=generator)
    targets[::5] = -100
    return hidden, head, targets


@pytest.mark.parametrize("slice_length", [4, 23, 512])
def test_values_and_gradients(slice_length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "SLICE", slice_length)
    hidden, head, targets = problem()
    weight = torch.randn(len(targets), dtype=torch.float64)
    results = []
    for function in (linear_cross_entropy, lambda h, w, t: F.cross_entropy(h @ w.T, t, reduction="none")):
        losses = function(hidden, head, targets)
        results.append((losses.detach(), *torch.autograd.grad((losses * weight).sum(), (hidden, head))))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (results[0][0][::5] == 0).all()


def test_gradcheck() -> None:
    hidden, head, targets = problem()
    assert torch.autograd.gradcheck(lambda h, w: linear_cross_entropy(h, w, targets), (hidden, head))


def test_large_logits_do_not_overflow() -> None:
    hidden, head, targets = problem(dtype=torch.float32)
    losses = linear_cross_entropy(hidden * 1e4, head, targets)
    torch.testing.assert_close(losses, F.cross_entropy(hidden * 1e4 @ head.T, targets, reduction="none"))


def test_bf16_autocast_stays_close() -> None:
    hidden, head, targets = problem(300, 32, 50, torch.float32)
    exact = linear_cross_entropy(hidden, head, targets)
    with torch.autocast("cpu", torch.bfloat16):
        rough = linear_cross_entropy(hidden, head, targets)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.02
    rough.sum().backward()
    assert hidden.grad.dtype == head.grad.dtype == torch.float32


def test_model_loss_is_the_mean_over_counted_targets() -> None:
    model = HybridLM(HybridConfig(pattern="M-", vocab_size=19, d_model=8, d_ff=8, ssm_heads=2))
    tokens, targets = torch.randint(19, (2, 2, 13))
    targets[:, -3:] = -100
    expected = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
    torch.testing.assert_close(model.loss(tokens, targets), expected)
    each = model.loss(tokens, targets, reduction="none")
    assert each.shape == (2, 13)
    torch.testing.assert_close(each.sum() / 20, expected)


def test_no_counted_target_gives_zero_and_no_nan() -> None:
    model = HybridLM(HybridConfig(pattern="-", vocab_size=19, d_model=8, d_ff=8))
    tokens = torch.randint(19, (1, 5))
    value = model.loss(tokens, torch.full((1, 5), -100))
    value.backward()
    assert value == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
