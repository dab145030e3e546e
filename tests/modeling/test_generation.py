"""Decoding: stepping equals the whole forward pass, padding leaks nothing, and sampling does what it says."""

import math

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.generation import Decoder, generate, sample
from tests.modeling.lively import VOCAB, lively, random_config, tokens


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


def test_a_decoder_can_be_used_again():
    model, ids = lively(random_config(7)), tokens(2, 30)
    decoder = Decoder(model, 2, 30)
    decoder.prefill(ids[:, :9], [3, 9])
    for t in range(9, 20):
        decoder.step(ids[:, t])
    decoder.prefill(ids[:, :5])
    assert (decoder.step(ids[:, 5]) - model(ids[:, :6])[:, -1]).abs().max() < 1e-4


@pytest.mark.parametrize("lengths", [None, [4, 9]], ids=["level", "padded"])
def test_rows_of_one_prompt_start_alike_and_go_their_own_way(lengths):
    model, ids = lively(HybridConfig(pattern="M*-M", vocab_size=VOCAB, chunk=8)), tokens(2, 9)
    once, each, rows = Decoder(model, 6, 40), Decoder(model, 6, 40), ids.repeat_interleave(3, 0)
    of_rows = lengths and [n for n in lengths for _ in range(3)]
    torch.testing.assert_close(once.prefill(ids, lengths, 3), each.prefill(rows, of_rows), atol=1e-5, rtol=1e-5)
    following = tokens(6, 20, seed=1)
    assert len(following.unique(dim=0)) == 6
    for t in range(20):
        got, want = once.step(following[:, t]), each.step(following[:, t])
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    assert torch.cdist(got, got)[0, 1:].min() > 1e-2


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
    with pytest.raises(LabError, match="do not fit a decoder of batch 2"):
        decoder.prefill(tokens(2, 2), group=2)
    with pytest.raises(LabError, match="lengths"):
        decoder.prefill(tokens(2, 2), [0, 2])
    decoder.prefill(tokens(2, 3))
    with pytest.raises(LabError, match="max_length=3"):
        decoder.step(torch.tensor([1, 1]))
    with pytest.raises(LabError, match="batch is 0"):
        Decoder(model, 0, 3)
