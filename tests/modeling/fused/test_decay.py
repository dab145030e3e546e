"""The decay matrices against a masked exponential, with the gradients that autograd finds for it."""

import pytest
import torch

from nemo_lab.modeling.fused.decay import mix, mix_backward
from nemo_lab.modeling.fused.mixer import ends
from nemo_lab.modeling.ssd import document_chunks


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("packed", [False, True], ids=["one document", "documents"])
@pytest.mark.parametrize(("groups", "heads", "chunk"), [(1, 1, 1), (1, 3, 5), (2, 4, 16), (3, 3, 33)])
def test_mixing_equals_the_masked_form(
    groups: int, heads: int, chunk: int, packed: bool, dtype: torch.dtype, tolerance: float
) -> None:
    document_BL = torch.randint(0, int(packed) + 1, (2, 2 * chunk)).cumsum(1)
    document_BcQ = document_chunks(document_BL, chunk)
    s = (-torch.rand(2, 2, heads, chunk, dtype=torch.float64)).cumsum(-1).to(dtype).requires_grad_()
    scores = torch.randn(2, 2, groups, chunk, chunk, dtype=torch.float64).to(dtype).requires_grad_()
    seen = (document_BcQ[..., None, :] == document_BcQ[..., :, None])[:, :, None].expand(2, 2, 1, chunk, chunk).triu()
    reach = (s[..., None, :] - s[..., :, None]).masked_fill(~seen, -torch.inf)
    expected = reach.exp() * scores.repeat_interleave(heads // groups, 2)
    mixing = torch.full_like(expected, torch.nan)
    mix(s, scores, ends(document_BcQ), mixing)
    dmixing = torch.randn_like(expected)
    dscores, ds = torch.full_like(scores, torch.nan), torch.full_like(s, torch.nan)
    mix_backward(dmixing, s, scores, ends(document_BcQ), dscores, ds)
    close = {"rtol": tolerance, "atol": 10 * tolerance}
    torch.testing.assert_close(mixing, expected.detach(), **close)
    torch.testing.assert_close((dscores, ds), torch.autograd.grad(expected, (scores, s), dmixing), **close)


def test_the_decays_gradient_cancels() -> None:
    """What is added to one token's s is taken from another's, so that in all nothing is left."""
    s = (-torch.rand(1, 1, 2, 64)).cumsum(-1)
    scores, dmixing = torch.randn(1, 1, 1, 64, 64).bfloat16(), torch.randn(1, 1, 2, 64, 64).bfloat16()
    dscores, ds = torch.empty_like(scores), torch.empty_like(s)
    mix_backward(dmixing, s, scores, torch.full((1, 1, 64), 64, dtype=torch.int32), dscores, ds)
    assert (ds.double().sum(-1).abs() < 1e-5 * ds.abs().sum(-1)).all()
