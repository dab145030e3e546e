"""Single steps through every kind of layer against the forward pass."""

import pytest
import torch

from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.cache import PENDING, AttentionCache
from nemo_lab.modeling.decode import SDPA_LIMIT, _attend
from nemo_lab.modeling.generation import Decoder
from tests.modeling.lively import VOCAB, lively, random_config, tokens


def stepped(model, tokens_BL, prompt, dtype=None):
    """Logits at columns prompt - 1 and later, from one prefill and then single steps."""
    B, L = tokens_BL.shape
    decoder = Decoder(model, B, L, dtype)
    logits = [decoder.prefill(tokens_BL[:, :prompt])]
    return torch.stack(logits + [decoder.step(tokens_BL[:, t]) for t in range(prompt, L)], dim=1)


@pytest.mark.parametrize("seed", range(24))
def test_stepping_equals_the_forward_pass(seed):
    model, ids = lively(random_config(seed), seed), tokens(2, 3 * PENDING + 15, seed)
    want = model(ids).detach()
    for prompt in (1, 2, 3, 16, 21):
        got = stepped(model, ids, prompt)
        assert (got - want[:, prompt - 1 :]).abs().max() < 1e-4 * max(1, want.abs().max())


@pytest.mark.parametrize("seed", [3, 5, 7])
def test_stepping_is_exact_in_double_precision(seed):
    model, ids = lively(random_config(seed), seed).double(), tokens(3, 40, seed)
    torch.testing.assert_close(stepped(model, ids, 11), model(ids)[:, 10:], atol=1e-11, rtol=1e-9)


def test_stepping_without_a_prompt():
    model, ids = lively(random_config(7)), tokens(2, 20)
    decoder = Decoder(model, 2, 20)
    got = torch.stack([decoder.step(ids[:, t]) for t in range(20)], dim=1)
    assert (got - model(ids)).abs().max() < 1e-4


def test_bfloat16_mostly_agrees_with_float32():
    model = lively(HybridConfig(vocab_size=VOCAB))
    ids = tokens(8, 60)
    exact, fast = stepped(model, ids, 20), stepped(model, ids, 20, torch.bfloat16)
    assert (exact - fast).abs().mean() < 0.02 * exact.abs().mean()
    assert (exact.argmax(-1) == fast.argmax(-1)).float().mean() > 0.95
    with torch.autocast("cpu", torch.bfloat16):
        assert Decoder(model, 1, 4).dtype == torch.bfloat16
        forward = model(ids)[:, 19:]
    assert (forward - fast).abs().mean() < 0.02 * exact.abs().mean()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("length", [SDPA_LIMIT // 4, SDPA_LIMIT // 4 + 7, SDPA_LIMIT // 4 + 64])
def test_both_ways_to_attend_agree(masked, length):
    """The plain products read whole blocks of columns; what lies behind `length` must not count."""
    g = torch.Generator().manual_seed(0)
    most = SDPA_LIMIT // 4 + 70
    config = HybridConfig(pattern="*", n_heads=6, n_kv_heads=2, head_dim=8)
    cache = AttentionCache(config, 2, most, torch.float32, torch.device("cpu"))
    q = torch.randn(2, 2, 3, 8, generator=g)
    for buffer in cache.buffers():
        buffer.normal_(generator=g)
    mask = torch.zeros(2, 1, 1, most).index_fill_(3, torch.arange(500), -torch.inf) if masked else None
    exact = _attend(q, cache, length, mask)
    low_cache = AttentionCache(config, 2, most, torch.bfloat16, torch.device("cpu"))
    low_cache.k_BKTD.copy_(cache.k_BKTD)
    low_cache.v_BKTD.copy_(cache.v_BKTD)
    low = _attend(q.bfloat16(), low_cache, length, None if mask is None else mask.bfloat16())
    assert (exact - low).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_decoder_keeps_its_own_weights(dtype):
    model = lively(random_config(7)).to(torch.float64 if dtype == torch.float64 else torch.float32)
    decoder, token = Decoder(model, 2, 4, dtype), torch.tensor([1, 2])
    before = decoder.step(token)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    decoder.reset()
    assert torch.equal(decoder.step(token), before)
    assert not torch.equal(Decoder(model, 2, 4, dtype).step(token), before)
