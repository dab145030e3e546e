"""Log-sum-exp and the gradient of the logits against torch's."""

import pytest
import torch
import torch.nn.functional as F

from nemo_lab.modeling.fused.cross_entropy import log_sum_exp, logits_gradient


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(("tokens", "words"), [(1, 1), (5, 3), (50, 301)])
def test_loss_and_gradient(tokens: int, words: int, dtype: torch.dtype) -> None:
    exact = torch.promote_types(dtype, torch.float32)
    logits = (torch.randn(tokens, words) * 5).to(dtype)
    targets, scale = torch.randint(words, (tokens,)), torch.rand(tokens, dtype=exact)
    norms = torch.full((tokens,), torch.nan, dtype=exact)
    log_sum_exp(logits, norms)
    close = {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(norms, torch.logsumexp(logits.to(exact), -1), **close)
    expected = (logits.to(exact).softmax(-1) - F.one_hot(targets, words)) * scale[:, None]
    logits_gradient(norms, targets, scale, logits)
    rounding = {"rtol": 2**-8, "atol": 1e-6} if dtype == torch.bfloat16 else close
    torch.testing.assert_close(logits.to(exact), expected, **rounding)


def test_logits_beyond_the_exponential() -> None:
    """The largest logit is taken out before the exponential."""
    norms = torch.empty(3)
    log_sum_exp(torch.tensor([[1000.0, 999.0], [-1000.0, -1001.0], [3e38, 0.0]]), norms)
    torch.testing.assert_close(norms, torch.tensor([1000.3132617, -999.6867383, 3e38]))


@pytest.mark.parametrize("place", [0, 5, 16])
def test_a_nan_reaches_the_loss(place: int) -> None:
    logits, norms = torch.randn(1, 17), torch.empty(1)
    logits[0, place] = torch.nan
    log_sum_exp(logits, norms)
    assert norms.isnan().all()
