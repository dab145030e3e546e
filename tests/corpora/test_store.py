"""The real corpora, read once and kept, and what is said where one cannot be had."""

import threading
import time

import pytest

from nemo_lab import corpora
from nemo_lab.corpora import splits, store
from nemo_lab.corpora.packages.clients import PackageError
from tests.corpora.at_hand import at_hand

NAMES = list(corpora.CORPORA)


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_as_promised(name):
    at_hand(name)
    found = corpora.load(name)
    assert found.column_names == ["id", "text", "source", "licence"]
    ids, texts = found["id"][:], found["text"][:]
    assert len(set(ids)) == len(ids)
    assert len(set(texts)) == len(texts), "exact copies are dropped"
    assert all(name_.startswith(f"{name}-") for name_ in ids)
    assert set(found["licence"]) == {corpora.CORPORA[name].licence}
    assert max(map(len, texts)) <= 10_000
    assert min(map(len, texts)) >= 50
    sizes = {split: len(corpora.load(name, split=split)) for split in splits.SPLITS}
    assert sum(sizes.values()) == len(found)
    assert min(sizes.values()) > 0


def test_a_second_load_takes_less_than_half_a_second():
    at_hand("dictionary")
    corpora.load("dictionary")
    start = time.process_time()
    corpora.load("dictionary", split="train")
    assert time.process_time() - start < 0.5


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
