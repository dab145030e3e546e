"""The pool's books: origins, lengths, seeds, refusals; on corpora made up for the test."""

import re
from itertools import pairwise

import pytest

from nemo_lab.corpora import cards
from nemo_lab.errors import LabError
from nemo_lab.studies.web_curation import pool as web
from tests.card_tables import cells


class Corpora:
    """Two corpora of numbered texts, one good, one not."""

    def __init__(self, names=("python-manual", "law", "novels"), count=30, length=4000):
        self.names, self.count, self.length = names, count, length

    def present(self):
        return list(self.names)

    def load(self, name, split):
        return {"text": [f"{name} {split} {n} ".ljust(self.length, "x") for n in range(self.count)]}


@pytest.fixture(autouse=True)
def _no_pages(monkeypatch):
    monkeypatch.setattr(web, "rejected_blocks", lambda: [f"menu {n} ".ljust(1500, "m") for n in range(20)])


def test_equal_numbers_of_every_origin_that_counts():
    documents = web.pool(Corpora(), 7, seed=3)
    origins = [document.origin for document in documents]
    assert {name: origins.count(name) for name in set(origins)} == {"python-manual": 7, "law": 7, "boilerplate": 7}
    assert {document.origin for document in documents if document.good} == {"python-manual"}
    assert all(document.size <= web.LENGTH for document in documents)
    assert len({document.text[:40] for document in documents if document.origin == "boilerplate"}) == 7


def test_the_seed_decides():
    assert web.pool(Corpora(), 7, seed=3) == web.pool(Corpora(), 7, seed=3)
    assert web.pool(Corpora(), 7, seed=3) != web.pool(Corpora(), 7, seed=4)


def test_an_origin_does_not_change_with_the_others():
    both = [d for d in web.pool(Corpora(("code", "python-manual", "law")), 7) if d.origin == "law"]
    alone = [d for d in web.pool(Corpora(("python-manual", "law")), 7) if d.origin == "law"]
    assert sorted(d.text for d in both) == sorted(d.text for d in alone)


def test_refusals():
    with pytest.raises(LabError, match=r"'law' has 3 documents .* 4 were asked for"):
        web.pool(Corpora(count=3), 4)
    with pytest.raises(LabError, match="only python-manual can be had"):
        web.pool(Corpora(("python-manual",)), 4)


def test_short_texts_are_joined_to_one_length():
    assert web.joined(["ab", " ", "cd"], 3) == ["ab\n", "\ncd"]
    assert web.joined(["abc"], 2) == ["ab"]


def test_documents_are_of_the_split_asked_for():
    corpora = Corpora(("python-manual", "law"))
    for split in ("train", "test"):
        documents = web.pool(corpora, 7, split=split)
        assert all(
            f"{d.origin} {split} " in d.text for d in documents if d.origin != web.BOILERPLATE and d.text[0] != "x"
        )
    asked = []
    corpora.load = lambda name, split: asked.append(split) or Corpora.load(corpora, name, split)
    web.pool(corpora, 7)
    assert asked == ["train", "train"]


def test_what_counts_as_good_is_fixed_and_the_rest_is_not():
    assert not set(web.GOOD) & set(web.OTHER)
    documents = web.pool(Corpora((*web.GOOD, *web.OTHER)), 3)
    assert {document.origin for document in documents if document.good} == set(web.GOOD)
    assert {document.origin for document in documents if not document.good} == {*web.OTHER, web.BOILERPLATE}


def test_documents_are_drawn_at_random_and_mixed():
    """Neither the first ones, nor one origin after the other, nor all from their beginning."""
    documents = web.pool(Corpora(length=1500), 7, seed=3)
    numbers = sorted(int(d.text.split()[2]) for d in documents if d.origin == "law")
    assert len(set(numbers)) == 7
    assert numbers != [*range(7)]
    origins = [document.origin for document in documents]
    assert len([1 for one, other in pairwise(origins) if one != other]) > 4
    long = web.pool(Corpora(), 20, seed=3)
    assert any(not d.text.startswith("law") for d in long if d.origin == "law")


POOL = cards.card_path("web-pool").read_text(encoding="utf-8")


def test_the_origins_are_those_of_the_pool():
    kinds = {origin: kind for origin, kind, _ in cells(POOL)}
    assert [origin for origin, kind in kinds.items() if kind == "good"] == list(web.GOOD)
    assert [o for o, kind in kinds.items() if kind == "other"] == [*web.OTHER, web.BOILERPLATE]
    assert f"of {web.LENGTH // 2} to {web.LENGTH:,} characters" in POOL
    fields = re.search(r"^Columns: (.*)\.$", POOL, re.MULTILINE)
    assert fields[1] == ", ".join(f"`{name}`" for name in web.PoolDocument.__annotations__)
