"""The mixture has equal bytes, the tokenizer gives every string back, and both are the same on every run."""

import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora import mixtures, store, tokenization
from nemo_lab.corpora.mixtures import mixture
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.tokenization import encode_documents, train
from nemo_lab.errors import LabError


@pytest.fixture
def two_corpora(tmp_path, lab_home) -> list[str]:
    generator = np.random.default_rng(0)
    paths = []
    for name, alphabet in (("latin", "abcdefg "), ("greek", "αβγδεζ ")):
        rows = []
        for _ in range(120):
            letters = generator.choice(list(alphabet), int(generator.integers(50, 400)))
            rows.append(json.dumps({"text": "".join(letters)}))
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(rows))
        paths.append(str(path))
    return paths


def test_equal_bytes_of_each_and_a_column_that_says_which(two_corpora):
    found = mixture(two_corpora, bytes_per_corpus=5001)
    assert found.column_names == ["id", "text", "source", "licence", "corpus"]
    for name in two_corpora:
        texts = [text for text, corpus in zip(found["text"], found["corpus"], strict=True) if corpus == name]
        assert 0 <= 5001 - sum(len(text.encode()) for text in texts) <= 3
    assert found["corpus"][:] != sorted(found["corpus"]), "shuffled"


def test_the_seed_decides_and_other_corpora_do_not(two_corpora):
    first = mixture(two_corpora, bytes_per_corpus=3000)
    assert first["text"][:] == mixture(two_corpora, bytes_per_corpus=3000)["text"][:]
    assert first["text"][:] != mixture(two_corpora, bytes_per_corpus=3000, seed=1)["text"][:]
    alone = set(mixture(two_corpora[1:], bytes_per_corpus=3000)["text"])
    assert alone == {t for t, c in zip(first["text"], first["corpus"], strict=True) if c == two_corpora[1]}


def test_asking_for_more_than_there_is_says_how_much_there_is(two_corpora):
    with pytest.raises(LabError, match=r"has [\d,]+ bytes in split 'test', 100,000 were asked for; set bytes_per"):
        mixture(two_corpora, "test")
    with pytest.raises(LabError, match="corpora is empty"):
        mixture([])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"corpora": "novels"}, "corpora is one text, 'novels', expected a list of texts"),
        ({"corpora": 5}, "corpora is 5, expected a list of texts"),
        ({"corpora": [None]}, "Text 0 of corpora is None"),
        ({"bytes_per_corpus": 0}, "bytes_per_corpus is 0; it must be a whole number of at least 1"),
        ({"bytes_per_corpus": float("nan")}, "bytes_per_corpus is nan"),
        ({"seed": -1}, "seed is -1; it must be a whole number of at least 0"),
        ({"seed": None}, "seed is None"),
        ({"split": "dev"}, "Unknown split 'dev'"),
    ],
)
def test_a_mixture_of_wrong_things_is_one_sentence(two_corpora, change, words):
    with pytest.raises(LabError, match=words):
        mixture(**{"corpora": two_corpora, "bytes_per_corpus": 3000} | change)


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


def test_absent_corpora_are_replaced_and_named(monkeypatch, caplog):
    """Where only pip serves, the two stand-ins join and five domains are there."""
    pip_only = {"law", "medicine", "code", "cloud-manual", "encyclopedia"}

    def folder(name):
        if name not in pip_only:
            raise PackageError("needs apt-get, which is not on this machine.")

    monkeypatch.setattr(store, "corpus_folder", folder)
    monkeypatch.setattr(store, "_fetch_ahead", lambda names: None)
    assert set(store.present()) == pip_only
    assert "Corpus 'dictionary' is absent: needs apt-get" in caplog.text
    pip_only.remove("law")
    with pytest.raises(PackageError, match=r"Only 4 corpora can be had .* five are needed"):
        store.present()
    with pytest.raises(PackageError, match="needs apt-get"):
        store.present(["novels"])


def test_packages_are_fetched_ahead_and_a_failure_there_is_silent(monkeypatch, lab_home, capsys):
    asked = []

    def package(name):
        asked.append(name)
        raise PackageError("no network")

    monkeypatch.setattr(store.fetch, "package", package)
    before = set(threading.enumerate())
    store._fetch_ahead(["law", "code"])
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert asked == ["licensedcode-data", "networkx", "twisted"]
    assert capsys.readouterr().err == ""


def test_available_without_apt_and_npm_lists_five(monkeypatch, lab_home):
    monkeypatch.setattr(store.clients, "missing", lambda kind: kind != "pip")
    assert store.available() == ["law", "medicine", "code", "cloud-manual", "encyclopedia"]


def test_defaults_are_documented_constants():
    assert (mixtures.TRAIN_BYTES, mixtures.HELD_OUT_BYTES) == (1_000_000, 100_000)
