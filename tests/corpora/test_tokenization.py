"""The tokenizer gives every string back, and is the same on every run."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora import tokenization
from nemo_lab.corpora.mixtures import mixture
from nemo_lab.corpora.tokenization import encode_documents, train
from nemo_lab.errors import LabError


@pytest.fixture(scope="module")
def small_tokenizer():
    return train(["the cat sat on the mat", "a cat and a hat", "δέλτα δ", "x = [1, 2]\n\treturn x"] * 20, 320)


@settings(max_examples=300, deadline=None)
@given(text=st.text())
def test_every_string_comes_back(small_tokenizer, text):
    assert small_tokenizer.decode(small_tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_special_tokens_have_their_ids_and_are_plain_characters_in_text(small_tokenizer):
    assert small_tokenizer.token_to_id("<|endoftext|>") == 0
    assert small_tokenizer.token_to_id("<|pad|>") == 1
    ids = encode_documents(["a<|endoftext|>b<|pad|>"], small_tokenizer)[0]
    assert not {0, 1} & set(ids)
    assert small_tokenizer.decode(ids) == "a<|endoftext|>b<|pad|>"


def test_all_bytes_are_in_the_vocabulary():
    smallest = train([], 258)
    assert smallest.get_vocab_size() == 258
    text = "".join(map(chr, range(0x800)))
    assert smallest.decode(smallest.encode(text).ids) == text


def test_batches_equal_single_documents(small_tokenizer):
    texts = ["the cat", "", "δ mat"]
    assert encode_documents(texts, small_tokenizer) == [small_tokenizer.encode(text).ids for text in texts]


def test_training_is_deterministic_and_kept_as_an_artifact(two_corpora, monkeypatch):
    arguments = {"vocab_size": 400, "corpora": two_corpora, "bytes_per_corpus": 4000}
    folder = tokenization.tokenizer_folder(**arguments)
    again = train(mixture(two_corpora, "train", 4000)["text"], 400)
    assert json.loads((folder / "tokenizer.json").read_text())["model"] == json.loads(again.to_str())["model"]
    monkeypatch.setattr(tokenization, "train", None)  # not called a second time
    loaded = tokenization.tokenizer(**arguments)
    assert loaded.encode("<|pad|>").ids != [1], "also as loaded, special tokens are plain characters in text"
    assert loaded.get_vocab_size() == 400


def test_too_small_a_vocabulary_is_refused():
    for make in (tokenization.tokenizer, lambda size: train(["text"], size)):
        for size in (0, 200, 257):
            with pytest.raises(LabError, match=f"vocab_size is {size}, expected at least 258"):
                make(size)
        for size in (-1, 300.0, "4096", None, True):
            with pytest.raises(LabError, match=f"vocab_size is {size!r}; it must be a whole number"):
                make(size)


@pytest.mark.parametrize("texts", ["one text", None, 5, [None], [b"bytes"]])
def test_texts_of_a_tokenizer_are_a_list_of_texts(small_tokenizer, texts):
    with pytest.raises(LabError, match=r"[Tt]exts? .* expected"):
        train(texts, 300)
    with pytest.raises(LabError, match=r"[Tt]exts? .* expected"):
        encode_documents(texts, small_tokenizer)


def test_what_is_no_tokenizer_is_one_sentence(two_corpora):
    with pytest.raises(LabError, match="tokenizer is 'gpt2', expected one of `tokenizers`"):
        encode_documents(["text"], "gpt2")
    with pytest.raises(LabError, match="corpora is one text, 'novels'"):
        tokenization.tokenizer(300, "novels")
    with pytest.raises(LabError, match="bytes_per_corpus is 0"):
        tokenization.tokenizer(300, two_corpora, 0)
