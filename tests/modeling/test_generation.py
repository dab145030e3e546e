"""Decoding: stepping equals the whole forward pass, padding leaks nothing, and sampling does what it says."""

import math
import random

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.cache import PENDING, AttentionCache, MambaCache, cache_bytes, make_caches
from nemo_lab.modeling.decode import SDPA_LIMIT, _attend
from nemo_lab.modeling.generation import Decoder, generate, sample
from nemo_lab.modeling.ssd import ssd_recurrent

VOCAB = 61


def lively(config: HybridConfig, seed: int = 0) -> HybridLM:
    """A model whose layers all matter: larger weights, norm weights and skips that are not one."""
    model = HybridLM(config, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "conv" not in name:
                parameter.mul_(3)
            elif "norm" in name or name.endswith("mixer.D"):
                parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def random_config(seed: int) -> HybridConfig:
    pick = random.Random(seed)
    patterns = ["M", "*", "M-", "*-*-", "M*-", "MM*-M", "*M-M", "M-M*-M-"]
    groups, kv_heads = pick.choice([1, 2, 4]), pick.choice([1, 2])
    return HybridConfig(
        pattern=patterns[seed % len(patterns)],
        vocab_size=VOCAB,
        d_model=pick.choice([24, 48]),
        d_ff=40,
        n_heads=kv_heads * pick.choice([1, 2, 3]),
        n_kv_heads=kv_heads,
        head_dim=pick.choice([8, 12]),
        ssm_heads=groups * pick.choice([1, 2, 3]),
        ssm_head_dim=pick.choice([4, 8, 20]),
        ssm_state=pick.choice([4, 16]),
        ssm_groups=groups,
        conv_width=pick.choice([1, 2, 4, 5]),
        chunk=pick.choice([4, 16, 64]),
        rope_theta=pick.choice([0.0, 100.0]),
        dt_min=pick.choice([0.0, 0.02]),
        norm_eps=pick.choice([1e-5, 1e-3]),
    )


def stepped(model, tokens_BL, prompt, dtype=None):
    """Logits at columns prompt - 1 and later, from one prefill and then single steps."""
    B, L = tokens_BL.shape
    decoder = Decoder(model, B, L, dtype)
    logits = [decoder.prefill(tokens_BL[:, :prompt])]
    return torch.stack(logits + [decoder.step(tokens_BL[:, t]) for t in range(prompt, L)], dim=1)


def tokens(B: int, L: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, VOCAB, (B, L), generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("rope_theta", [0.0, 100.0])
def test_left_padding_leaks_nothing(rope_theta):
    model = lively(HybridConfig(pattern="M*-M-*", vocab_size=VOCAB, chunk=8, rope_theta=rope_theta))
    prompts = [tokens(1, n, n)[0].tolist() for n in (1, 2, 3, 9, 20)]
    batch = generate(model, prompts, 25)
    assert batch == [generate(model, [p], 25)[0] for p in prompts]
    padded = torch.tensor([[7] * (20 - len(p)) + p for p in prompts])
    logits = Decoder(model, 5, 20).prefill(padded, [len(p) for p in prompts])
    for row, prompt in zip(logits, prompts, strict=True):
        assert (row - model(torch.tensor([prompt]))[0, -1]).abs().max() < 1e-4


def test_greedy_generation_is_argmax_of_the_forward_pass():
    model = lively(random_config(5))
    row = tokens(1, 13)[0].tolist()
    (new,) = generate(model, [row], 20)
    for token in new:
        assert token == model(torch.tensor([row]))[0, -1].argmax().item()
        row.append(token)


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


def test_a_decoder_can_be_used_again():
    model, ids = lively(random_config(7)), tokens(2, 30)
    decoder = Decoder(model, 2, 30)
    decoder.prefill(ids[:, :9], [3, 9])
    for t in range(9, 20):
        decoder.step(ids[:, t])
    decoder.prefill(ids[:, :5])
    assert (decoder.step(ids[:, 5]) - model(ids[:, :6])[:, -1]).abs().max() < 1e-4


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


def test_fill_pretends_a_context():
    model = lively(HybridConfig(vocab_size=VOCAB))
    decoder = Decoder(model, 2, 9000, torch.bfloat16)
    decoder.fill(8192)
    assert decoder.column == 8192
    assert decoder.step(torch.tensor([1, 2])).isfinite().all()
    with pytest.raises(LabError, match="context is 9000"):
        decoder.fill(9000)


def test_eos_and_stop_sequences_end_a_row_and_are_kept():
    model = lively(HybridConfig(vocab_size=VOCAB))
    prompts = [tokens(1, n, n)[0].tolist() for n in (4, 9, 6)]
    free = generate(model, prompts, 30)
    eos = free[1][5]
    cut = [row[: row.index(eos) + 1] if eos in row else row for row in free]
    assert generate(model, prompts, 30, eos=eos) == cut
    assert min(map(len, cut)) < 30
    stop = free[0][3:6]
    end = next(i for i in range(3, 31) if free[0][i - 3 : i] == stop)
    assert generate(model, prompts[:1], 30, stop=[[VOCAB - 1] * 4, stop]) == [free[0][:end]]


def test_finished_rows_do_not_change_the_others():
    model = lively(HybridConfig(vocab_size=VOCAB))
    prompts = [tokens(1, 5, n)[0].tolist() for n in range(3)]

    def draw(**ending):
        generator = torch.Generator().manual_seed(4)
        return generate(model, prompts, 30, temperature=1.5, generator=generator, **ending)

    free = draw()
    cut = draw(stop=[free[0][2:5]])
    assert len(cut[0]) == 5
    assert cut[1:] == free[1:]


def test_sampling_is_reproducible_and_top_p_near_zero_is_greedy():
    model = lively(HybridConfig(vocab_size=VOCAB))
    prompts = [[3, 4], [5]]

    def draw(seed, **settings):
        return generate(model, prompts, 20, generator=torch.Generator().manual_seed(seed), **settings)

    assert draw(1, temperature=1.0) == draw(1, temperature=1.0)
    assert draw(1, temperature=1.0) != draw(2, temperature=1.0)
    assert draw(1, temperature=1.0, top_p=1e-9) == generate(model, prompts, 20)
    assert draw(1, temperature=1e-300) == generate(model, prompts, 20)


def nucleus(logits: list[float], temperature: float, top_p: float) -> dict[int, float]:
    """The slow reference: the distribution that top-p sampling draws from."""
    weights = [math.exp(x / temperature - max(logits) / temperature) for x in logits]
    ranked = sorted(((w / sum(weights), -i) for i, w in enumerate(weights)), reverse=True)
    kept, mass = {}, 0.0
    for p, minus_i in ranked:
        kept[-minus_i] = p
        mass += p
        if mass >= top_p:
            break
    return {i: p / mass for i, p in kept.items()}


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (2.0, 0.5), (1.0, 0.05)])
def test_top_p_draws_from_the_nucleus(temperature, top_p):
    logits = torch.randn(12, generator=torch.Generator().manual_seed(3))
    want, n = nucleus(logits.tolist(), temperature, top_p), 20000
    drawn = sample(logits.expand(n, -1), temperature, top_p, torch.Generator().manual_seed(0))
    counts = drawn.bincount(minlength=12) / n
    assert set(drawn.tolist()) <= set(want)
    for token, p in want.items():
        assert abs(counts[token].item() - p) < 5 * math.sqrt(p * (1 - p) / n) + 1e-9


def test_on_token_hears_every_kept_token_in_order():
    model, heard = lively(HybridConfig(vocab_size=VOCAB)), [[], []]
    rows = generate(model, [[1], [2, 3]], 12, eos=5, on_token=lambda row, token: heard[row].append(token))
    assert heard == rows


def test_nothing_to_do_gives_nothing():
    model = HybridLM(HybridConfig(vocab_size=VOCAB))
    assert generate(model, [], 5) == []
    assert generate(model, [[1], [2]], 0) == [[], []]


@pytest.mark.parametrize(
    ("prompts", "settings", "sentence"),
    [
        ([[1], []], {}, "prompt 1 is empty"),
        ([[1, VOCAB]], {}, f"prompt 0 has token {VOCAB}; token ids go from 0 to {VOCAB - 1}"),
        ([[-1]], {}, "prompt 0 has token -1"),
        ([[1]], {"temperature": -0.1}, "temperature is -0.1"),
        ([[1]], {"temperature": math.nan}, "temperature is nan"),
        ([[1]], {"top_p": 0.0}, "top_p is 0.0"),
        ([[1]], {"top_p": 1.01}, "top_p is 1.01"),
        ([[1]], {"max_new_tokens": -1}, "max_new_tokens is -1"),
        ([[1]], {"stop": [[]]}, "stop sequence 0 is empty"),
        ([[1]], {"eos": VOCAB}, f"eos 0 has token {VOCAB}"),
        (["text"], {}, r"prompt 0 is 'text', expected token ids; .* tokenizer.encode\(text\).ids"),
        ("text", {}, "prompts are 'text', expected a list of lists of token ids"),
        (None, {}, "prompts are None"),
        ([1, 2], {}, "prompt 0 is 1, expected token ids"),
        ([[1.0]], {}, "prompt 0 has token 1.0"),
        ([[True]], {}, "prompt 0 has token True"),
        ([[None]], {}, "prompt 0 has token None"),
        ([[1]], {"stop": "end"}, "stop sequences are 'end'"),
        ([[1]], {"stop": [2]}, "stop sequence 0 is 2"),
        ([[1]], {"eos": "end"}, "eos 0 has token 'end'"),
        ([[1]], {"max_new_tokens": 1.5}, "max_new_tokens is 1.5; it must be a whole number"),
        ([[1]], {"temperature": None}, "temperature is None"),
        ([[1]], {"generator": 0}, "generator is 0, expected a torch.Generator"),
        ([[1]], {"dtype": "bf16"}, "dtype is 'bf16', expected a floating-point one"),
        ([[1]], {"dtype": torch.int8}, "dtype is torch.int8"),
    ],
)
def test_bad_input_is_one_sentence(prompts, settings, sentence):
    model = HybridLM(HybridConfig(vocab_size=VOCAB))
    with pytest.raises(LabError, match=sentence):
        generate(model, prompts, **{"max_new_tokens": 4} | settings)


def test_ids_may_come_as_arrays():
    model = HybridLM(HybridConfig(vocab_size=VOCAB))
    wanted = generate(model, [[1, 2], [3, 4]], 3)
    assert generate(model, torch.tensor([[1, 2], [3, 4]]), 3) == wanted
    assert generate(model, torch.tensor([[1, 2], [3, 4]]).numpy(), 3) == wanted


def test_another_model_is_refused():
    with pytest.raises(LabError, match="model is a Linear, expected a HybridLM"):
        generate(torch.nn.Linear(2, 2), [[1]], 3)


def test_a_decoder_says_what_does_not_fit():
    model = HybridLM(HybridConfig(vocab_size=VOCAB))
    decoder = Decoder(model, 2, 3)
    with pytest.raises(LabError, match="do not fit a decoder of batch 2"):
        decoder.prefill(tokens(1, 2))
    with pytest.raises(LabError, match="lengths"):
        decoder.prefill(tokens(2, 2), [0, 2])
    decoder.prefill(tokens(2, 3))
    with pytest.raises(LabError, match="max_length=3"):
        decoder.step(torch.tensor([1, 1]))
    with pytest.raises(LabError, match="batch is 0"):
        Decoder(model, 0, 3)
