"""The mixture has equal bytes of each corpus, and is the same on every run."""

import pytest

from nemo_lab.corpora import mixtures
from nemo_lab.corpora.mixtures import mixture
from nemo_lab.errors import LabError


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
