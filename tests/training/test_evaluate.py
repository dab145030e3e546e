"""Bits per byte against the slow way: one text, one window at a time."""

import math

import numpy as np
import pytest
import torch
from datasets import Dataset
from tiny_lm import HYBRID, TinyConfig, TinyLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.training import TrainingError, bits_per_byte, bits_per_byte_by_domain, text_nats

TEXTS = ["abc", "", "déjà vu", "a", "z" * 25, "the quick brown fox", "日本", "b" * 8, "c" * 16, "d" * 9]
LENGTH = 8


def byte_tokenizer(eos="<|endoftext|>"):
    """One token a byte, and eos."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {eos: 0} | {symbol: number for number, symbol in enumerate(alphabet, 1)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([eos])
    return tokenizer


class Bytes(TinyLM):
    """A TinyLM with an id for every byte."""

    def __init__(self, seed=0, dropout=0.0):
        super().__init__(TinyConfig(dropout=dropout), seed)
        torch.manual_seed(seed)
        self.embedding = torch.nn.Embedding(257, 16)
        self.head = torch.nn.Linear(16, 257)


def slow_nats(model, text):
    """-Σ log p(token | eos or the tokens before it in its window and the one before the window)."""
    ids = [0, *byte_tokenizer().encode(text).ids]
    nats = 0.0
    for first in range(0, len(ids) - 1, LENGTH):
        window = ids[first : first + LENGTH + 1]
        log_p = model(torch.tensor([window[:-1]])).double().log_softmax(-1)[0]
        nats -= sum(log_p[position, token].item() for position, token in enumerate(window[1:]))
    return nats


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("model", [Bytes(), HybridLM(HybridConfig(**HYBRID | {"vocab_size": 257}))])
def test_nats_of_every_text_are_those_of_the_slow_way(model, batch_size):
    nats, n_bytes = text_nats(model, byte_tokenizer(), TEXTS, length=LENGTH, batch_size=batch_size, precision="fp32")
    np.testing.assert_allclose(nats, [slow_nats(model, text) for text in TEXTS], rtol=1e-5)
    assert n_bytes.tolist() == [len(text.encode()) for text in TEXTS]


def test_bits_per_byte_of_all_and_of_domains():
    model, domains = Bytes(), ["x", "x", "y", "y", "x", "y", "x", "x", "x", "y"]
    per_text = {text: slow_nats(model, text) for text in TEXTS}

    def expected(texts):
        return sum(per_text[t] for t in texts) / math.log(2) / sum(len(t.encode()) for t in texts)

    options = {"length": LENGTH, "batch_size": 4, "precision": "fp32"}
    assert bits_per_byte(model, byte_tokenizer(), TEXTS, **options) == pytest.approx(expected(TEXTS), rel=1e-6)
    dataset = Dataset.from_dict({"text": TEXTS, "corpus": domains})
    by_domain = bits_per_byte_by_domain(model, byte_tokenizer(), dataset, **options)
    for name in ("x", "y"):
        chosen = [text for text, domain in zip(TEXTS, domains, strict=True) if domain == name]
        assert by_domain[name] == pytest.approx(expected(chosen), rel=1e-6)


def test_a_uniform_model_needs_log2_of_the_vocabulary_per_byte():
    model = Bytes()
    torch.nn.init.zeros_(model.head.weight)
    torch.nn.init.zeros_(model.head.bias)
    assert bits_per_byte(model, byte_tokenizer(), TEXTS) == pytest.approx(math.log2(257), rel=1e-6)


def test_a_tokenizer_of_transformers_gives_the_same():
    wrapped = PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer(), eos_token="<|endoftext|>")
    model = Bytes()
    assert bits_per_byte(model, wrapped, TEXTS) == bits_per_byte(model, byte_tokenizer(), TEXTS)


def test_dropout_is_off_meanwhile_and_on_again_after():
    model = Bytes(dropout=0.5).train()
    plain = bits_per_byte(Bytes(), byte_tokenizer(), TEXTS)
    assert bits_per_byte(model, byte_tokenizer(), TEXTS) == plain
    assert model.training


def test_what_cannot_be_evaluated_is_said():
    with pytest.raises(TrainingError, match="all texts are empty"):
        bits_per_byte(Bytes(), byte_tokenizer(), ["", ""])
    with pytest.raises(TrainingError, match="all texts are empty"):
        bits_per_byte(Bytes(), byte_tokenizer(), [])
    with pytest.raises(TrainingError, match="no end-of-text token"):
        bits_per_byte(Bytes(), byte_tokenizer(eos="</s>"), TEXTS)
    with pytest.raises(TrainingError, match="tokenizer is None, expected one of tokenizers or of transformers"):
        bits_per_byte(Bytes(), None, TEXTS)
    with pytest.raises(TrainingError, match="texts is one text, 'abc', expected a list"):
        bits_per_byte(Bytes(), byte_tokenizer(), "abc")
    with pytest.raises(TrainingError, match="length is 0"):
        bits_per_byte(Bytes(), byte_tokenizer(), TEXTS, length=0)
