"""What is remembered: the state of the plain recurrence, in bytes that do not grow for Mamba-2."""

import torch

from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.cache import PENDING, MambaCache, cache_bytes, make_caches
from nemo_lab.modeling.generation import Decoder
from nemo_lab.modeling.ssd import ssd_recurrent
from tests.modeling.lively import VOCAB, lively, tokens


def test_the_state_is_that_of_the_plain_recurrence():
    config = HybridConfig(pattern="M", vocab_size=VOCAB)
    model, ids = lively(config), tokens(2, 2 * PENDING + 3)
    decoder = Decoder(model, 2, ids.shape[1])
    for t in range(ids.shape[1]):
        decoder.step(ids[:, t])
    cache = make_caches(config, 2, 1, torch.float32, torch.device("cpu"))[0]
    model.hidden(ids, caches=[cache])
    before = decoder.caches[0].pending
    got, want = decoder.caches[0].state_BHPN(), cache.state_BHPN()
    assert before == 3
    assert decoder.caches[0].pending == 0
    assert (got - want).abs().max() < 1e-5 * want.abs().max()
    assert want.abs().max() > 1e-3


def test_one_folded_chunk_equals_the_recurrence():
    c = HybridConfig(ssm_heads=4, ssm_groups=2, ssm_head_dim=3, ssm_state=5)
    g = torch.Generator().manual_seed(0)
    x, dt = torch.randn(1, 6, 4, 3, generator=g), torch.rand(1, 6, 4, generator=g)
    A, (B, C) = -torch.rand(4, generator=g), torch.randn(2, 1, 6, 2, 5, generator=g)
    start = torch.randn(1, 4, 3, 5, generator=g)
    cache = MambaCache(c, 1, torch.float32, torch.device("cpu"))
    cache.store(torch.zeros(c.conv_channels, 1, 1), start)
    for t in range(6):
        cache.older_weights[t].mul_(torch.exp(dt[:, t] * A))
        cache.weight_slots[t].copy_(dt[:, t])
        cache.x_slots[t].copy_(x[:, t])
        cache.key_slots[t].copy_(B[:, t].flatten(1))
        cache.advance()
    torch.testing.assert_close(cache.state_BHPN(), ssd_recurrent(x, dt, A, B, C, None, start)[1])


def test_cache_bytes_are_constant_for_mamba_and_linear_for_attention():
    c = HybridConfig()
    lengths, cpu = (10, 100, 1000), torch.device("cpu")
    held = [cache_bytes(make_caches(c, 3, length, torch.bfloat16, cpu)) for length in lengths]
    assert len({h["M"] for h in held}) == 1
    per_token = c.count("*") * 3 * 2 * c.n_kv_heads * c.head_dim * 2
    assert [h["*"] for h in held] == [per_token * n for n in lengths]
    numbers = c.conv_width * c.conv_channels + c.ssm_heads * c.ssm_head_dim * (c.ssm_state + PENDING)
    numbers += PENDING * c.ssm_groups * c.ssm_state + (1 + PENDING) * c.ssm_heads
    assert held[0]["M"] == c.count("M") * 3 * numbers * 4
