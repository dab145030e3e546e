"""Attention: documents, groups of queries, rotary positions, and the blocks that train on a CPU."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.attention import Attention, positions, rotary
from nemo_lab.modeling.causal import BLOCK, causal_attention, self_attention

CONFIG = HybridConfig(d_model=24, n_heads=6, n_kv_heads=2, head_dim=4)


def plain(q: Tensor, k: Tensor, v: Tensor, document_BL: Tensor | None) -> Tensor:
    """softmax(q kᵀ / sqrt(D)) v with repeated keys and a mask, in so many words."""
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    seen = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril()
    if document_BL is not None:
        seen = seen & (document_BL[:, None, :, None] == document_BL[:, None, None, :])
    scores = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(~seen, -torch.inf)
    return scores.softmax(-1) @ v


def heads(seed: int, length: int, H: int = 6, K: int = 2, D: int = 4, B: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((B, H, length, D), (B, K, length, D), (B, K, length, D))
    return [torch.randn(*s, dtype=torch.float64, generator=generator).requires_grad_() for s in shapes]


def some_documents(length: int) -> Tensor:
    return torch.stack([torch.arange(length) // 7, (torch.arange(length) >= length - 1).long() * 3])


@pytest.mark.parametrize("length", [1, 5, BLOCK, BLOCK + 3, 2 * BLOCK + 1])
@pytest.mark.parametrize("with_documents", [False, True])
@pytest.mark.parametrize("attend", [causal_attention, self_attention])
def test_equals_the_plain_form(length: int, with_documents: bool, attend: object) -> None:
    document_BL = some_documents(length) if with_documents else None
    q, k, v = heads(0, length)
    outputs = [attend(q, k, v, document_BL), plain(q, k, v, document_BL)]  # type: ignore[operator]
    torch.testing.assert_close(*outputs)
    weight = torch.randn_like(outputs[0])
    for ours, theirs in zip(*(torch.autograd.grad((y * weight).sum(), (q, k, v)) for y in outputs), strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(attend(q, k, v, document_BL), outputs[1])  # type: ignore[operator]


@pytest.mark.parametrize("with_documents", [False, True])
def test_gradcheck_of_the_blocks(with_documents: bool) -> None:
    q, k, v = heads(1, 9, H=4, K=2, D=2, B=2)
    document_BL = some_documents(9) if with_documents else None
    assert torch.autograd.gradcheck(lambda *t: causal_attention(*t, document_BL), (q, k, v))


def test_one_key_head_a_query_head_is_ordinary_attention() -> None:
    q, k, v = heads(2, 12, H=3, K=3)
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(self_attention(q, k, v, None), expected)


def test_layer_has_no_positions_by_default() -> None:
    """The last token sees a set: swapping two earlier tokens changes nothing for it."""
    layer, u = Attention(CONFIG), torch.randn(1, 9, 24)
    swapped = u[:, [0, 5, 2, 3, 4, 1, 6, 7, 8]]
    torch.testing.assert_close(layer(u)[:, -1], layer(swapped)[:, -1])
    ordered = Attention(CONFIG.with_(rope_theta=100.0))
    assert (ordered(u)[:, -1] - ordered(swapped)[:, -1]).abs().max() > 1e-3


def test_rotary_scores_depend_on_distance_only() -> None:
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)

    def score(i: int, j: int) -> Tensor:
        return (rotary(q, torch.tensor([[i]]), 50.0) * rotary(k, torch.tensor([[j]]), 50.0)).sum()

    torch.testing.assert_close(score(3, 1), score(40, 38), rtol=1e-5, atol=1e-5)
    assert abs(score(3, 1) - score(3, 2)) > 1e-3
    torch.testing.assert_close(score(0, 0), (q * k).sum())


def test_rotary_keeps_lengths_and_is_llamas() -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    q, k = torch.randn(2, 2, 3, 11, 8)
    position = torch.arange(11).expand(2, 11)
    angle = position[..., None] * 10000.0 ** (-torch.arange(4) / 4)
    angle = torch.cat([angle, angle], -1)
    theirs = apply_rotary_pos_emb(q, k, angle.cos(), angle.sin())
    for before, expected in zip((q, k), theirs, strict=True):
        ours = rotary(before, position, 10000.0)
        torch.testing.assert_close(ours, expected)
        torch.testing.assert_close(ours.norm(dim=-1), before.norm(dim=-1))


def test_positions_start_again_in_every_document() -> None:
    document_BL = torch.tensor([[0, 0, 0, 2, 2, 7], [1, 1, 1, 1, 1, 1]])
    expected = torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 4, 5]])
    assert torch.equal(positions(document_BL, 2, 6, torch.device("cpu")), expected)
    assert torch.equal(positions(None, 1, 3, torch.device("cpu")), torch.tensor([[0, 1, 2]]))


def test_packed_rotary_layer_equals_separate_documents() -> None:
    layer, u = Attention(CONFIG.with_(rope_theta=10.0)), torch.randn(1, 12, 24)
    document_BL = (torch.arange(12) >= 5).long()[None]
    expected = torch.cat([layer(u[:, :5]), layer(u[:, 5:])], 1)
    torch.testing.assert_close(layer(u, document_BL), expected, rtol=1e-5, atol=1e-6)


def test_bf16_autocast_stays_close() -> None:
    layer, u = Attention(CONFIG), torch.randn(2, 50, 24)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(u)
    assert (rough - layer(u)).norm() < 0.03 * layer(u).norm()
