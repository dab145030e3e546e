"""Embeddings: the model's own definition, one order, no network, one sentence for every mistake."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.packages.models import model_folder
from nemo_lab.mixing import embedding
from nemo_lab.mixing.embedding import Vectors, embedded, find_model, texts_hash
from nemo_lab.mixing.pools import MixingError

TEXTS = [
    "The truth universally acknowledged.",
    "",
    "def f(x):\n    return x",
    "a long one " * 60,
    "Ein Satz auf Deutsch.",
    "The truth which is acknowledged by everyone.",
]


@pytest.fixture(scope="module")
def minilm():
    try:
        return model_folder("minilm")
    except PackageError as error:
        pytest.skip(str(error))


@pytest.fixture
def static_model(tmp_path):
    """A model of three-letter words' random vectors, as sentence-transformers stores it: a local folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "cat": 1, "dog": 2, "sun": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    weights = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=weights)
    SentenceTransformer(modules=[module], device="cpu").save(str(tmp_path / "static"))
    return tmp_path / "static"


def mean_pooled(folder, texts, max_tokens):
    """The definition, straight from transformers: the mean of the last hidden states over the real tokens."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        inputs = tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt")
        with torch.no_grad():
            rows.append(torch.nn.functional.normalize(model(**inputs).last_hidden_state[0].mean(dim=0), dim=0))
    return torch.stack(rows).numpy()


def embed(
    texts: list[str], model: str = "minilm", max_tokens: int = 128, batch_size: int = 32, precision: str = "bf16"
) -> Vectors:
    """What `embedded` returns, computed anew: an earlier test's file could hide a fault."""
    return embedding._encode(embedding._load(find_model(model), max_tokens), texts, batch_size, precision)


@pytest.mark.parametrize("max_tokens", [8, 128])
def test_minilm_is_mean_pooling_of_transformers(minilm, max_tokens):
    ours = embed(TEXTS, max_tokens=max_tokens, batch_size=4, precision="fp32")
    assert ours.dtype == np.float32
    assert ours.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(ours, mean_pooled(minilm, TEXTS, max_tokens), atol=1e-5)


def test_bf16_is_near_fp32_and_has_length_one(minilm):
    exact, fast = embed(TEXTS, precision="fp32"), embed(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(fast, axis=1), 1, atol=1e-6)
    assert (exact * fast).sum(axis=1).min() > 0.9995
    assert np.array_equal(fast, embed(TEXTS)), "the same again"


def test_meaning_is_near_and_order_is_kept(minilm):
    vectors = embed(TEXTS, batch_size=2)
    assert vectors[0] @ vectors[5] > 0.7 > 0.4 > vectors[0] @ vectors[2]
    backward = embed(TEXTS[::-1], batch_size=2, precision="fp32")[::-1]
    np.testing.assert_allclose(embed(TEXTS, batch_size=3, precision="fp32"), backward, atol=1e-5)


def test_a_local_folder_opens(static_model):
    vectors = embed(["cat", "dog", "cat dog", "sun sun"], model=static_model, precision="fp32")
    both = vectors[0] + vectors[1]
    assert vectors.shape == (4, 8)
    assert vectors[2] @ both / np.linalg.norm(both) > 0.9


OFFLINE = """
import os, socket, sys, warnings
def refuse(*args, **kwargs): raise SystemExit("the network was asked")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
warnings.simplefilter("error")
from nemo_lab.mixing import embedding
model = embedding._load(embedding.find_model("minilm"), 128)
print(embedding._encode(model, ["one text"], 32, "bf16").shape)
"""


def test_the_packaged_model_needs_no_network_and_says_nothing(minilm):
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=surroundings, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout == "(1, 384)\n", done.stderr
    assert done.stderr == ""


def test_embeddings_are_kept_by_text_model_and_settings(static_model, lab_home, monkeypatch):
    texts = ["cat dog", "sun"]
    first = embedded(texts, model=static_model)
    monkeypatch.setattr(embedding, "_encode", lambda *args: pytest.fail("embedded again"))
    monkeypatch.setattr(embedding, "artifact", lambda name, values, build: kept(lab_home, values, build))
    assert np.array_equal(embedded(texts, model=static_model), first)


def kept(home, values, build):
    """Stand in for `artifact` where the function's own source was replaced, which would change the key."""
    for label in home.glob("artifacts/embeddings-*/artifact.json"):
        if json.loads(label.read_text())["settings"] == json.loads(json.dumps(values)):
            return label.parent
    return pytest.fail("no artifact of these settings")


def test_another_text_order_setting_or_model_is_another_artifact(static_model, lab_home):
    def count() -> int:
        return len(list(lab_home.glob("artifacts/embeddings-*")))

    embedded(["cat", "dog"], model=static_model)
    embedded(["cat", "dog"], model=static_model)
    assert count() == 1
    embedded(["dog", "cat"], model=static_model)
    embedded(["cat", "dog"], model=static_model, precision="fp32")
    assert count() == 3
    weights = next(static_model.rglob("*.safetensors"))
    os.utime(weights, ns=(1, 1))  # trained further
    embedded(["cat", "dog"], model=static_model)
    assert count() == 4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_texts_share_a_hash_only_if_they_are_the_same(first, second):
    assert (texts_hash(first) == texts_hash(second)) is (first == second)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": []}, "There are no texts to embed"),
        ({"texts": "one"}, "expected a list of texts"),
        ({"texts": ["a", None]}, "Text 1 of texts is None, expected text"),
        ({"texts": ["a"], "max_tokens": 0}, "max_tokens is 0"),
        ({"texts": ["a"], "batch_size": 0}, "batch_size is 0; it must be a whole number"),
        ({"texts": ["a"], "precision": "fp8"}, "Unknown precision 'fp8'.*valid: bf16, fp32"),
        ({"texts": ["a"], "max_tokens": 1.5}, "max_tokens is 1.5"),
        ({"texts": ["a"], "model": None}, "model is None, expected the path"),
        ({"texts": ["a"], "model": "minilmm"}, "Unknown model 'minilmm', did you mean 'minilm'.*no folder either"),
        ({"texts": ["a"], "model": "someone/no-such-model"}, "cannot be had from the Hugging Face hub.*packaged one"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, message):
    with pytest.raises(MixingError, match=message) as error:
        embedded(**arguments)
    assert "\n" not in str(error.value)


def test_more_tokens_than_the_model_reads(minilm):
    with pytest.raises(MixingError, match=r"max_tokens is 513, but the model .* reads 512 at most"):
        embedded(["a"], max_tokens=513)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(MixingError, match="does not open as a sentence-transformers model"):
        embedded(["a"], model=tmp_path)


def test_weights_in_a_pickle_are_not_read(minilm, tmp_path):
    shutil.copytree(minilm, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(MixingError, match="safetensors"):
        embedded(["a"], model=tmp_path / "model")


def test_no_code_out_of_a_model_folder_is_run(static_model, capfd):
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]
    (static_model / "modules.json").write_text(json.dumps(modules))
    (static_model / "evil.py").write_text("print('code was run')\nclass Evil: pass\n")
    with pytest.raises(MixingError, match="does not open"):
        embedded(["a"], model=static_model)
    assert "code was run" not in capfd.readouterr().out


def test_of_the_hub_only_safetensors_are_fetched(monkeypatch, static_model):
    asked = {}

    def snapshot(name, allow_patterns):
        asked[name] = allow_patterns
        return str(static_model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert find_model("someone/model") == static_model
    assert asked["someone/model"] == ["*.json", "*.safetensors", "*.txt", "*.model"]
