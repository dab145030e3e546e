"""The pool's books: origins, lengths, seeds, refusals; on corpora made up for the test."""

import pytest

from nemo_lab.curation import web_pool as web
from nemo_lab.errors import LabError


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
