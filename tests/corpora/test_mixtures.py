"""The mixture has equal bytes of each corpus, and is the same on every run."""

import pytest

from nemo_lab.corpora import mixtures
from nemo_lab.corpora.mixtures import mixture
from nemo_lab.errors import LabError
from tests.recorders import assert_seed_decides, record, spy


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


def test_defaults_are_documented_constants():
    assert (mixtures.TRAIN_BYTES, mixtures.HELD_OUT_BYTES) == (1_000_000, 100_000)


def test_the_seed_decides_which_documents_and_in_which_order(two_corpora):
    def drawn(seed):
        return mixture(two_corpora[:1], bytes_per_corpus=3000, seed=seed)["text"][:]

    assert_seed_decides(lambda seed: sorted(drawn(seed)))


def test_the_seed_decides_the_order_of_what_was_drawn(two_corpora, monkeypatch):
    drawn = mixture(two_corpora, bytes_per_corpus=3000)
    record(monkeypatch, mixtures, "_share", drawn)
    assert_seed_decides(lambda seed: mixture(two_corpora[:1], bytes_per_corpus=3000, seed=seed)["text"][:])


def test_the_split_is_the_one_asked_for(two_corpora, monkeypatch):
    asked = spy(monkeypatch, mixtures, "load")
    for split in ("train", "validation", None):
        mixture(two_corpora, split, bytes_per_corpus=100)
    assert asked.all("split") == ["train"] * 2 + ["validation"] * 2 + [None] * 2
