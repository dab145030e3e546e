"""The real corpora: their cards are true, their splits do not leak, and they load fast.

These need the packages, fetched once and cached; where one cannot be had its tests are skipped, with the
reason.
"""

import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import yaml

from nemo_lab import corpora
from nemo_lab.corpora import cards, splits, store
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.errors import LabError

NAMES = list(corpora.CORPORA)
HUB_FIELDS = {
    "pretty_name",
    "license",
    "language",
    "size_categories",
    "task_categories",
    "tags",
    "dataset_info",
}
SECTIONS = ["Motivation", "Composition", "Collection", "Processing", "Licence", "Limits"]


def front_matter(card: str) -> dict[str, Any]:
    """A card's fields, between its first two lines of dashes."""
    return yaml.safe_load(card.split("---\n", 2)[1])


def at_hand(name: str) -> None:
    """Skip the test where the corpus cannot be had, with the sentence that says why."""
    try:
        store.corpus_folder(name)
    except PackageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", cards.names())
def test_the_card_says_what_the_data_say(name):
    for needed in corpora.DEFAULT_CORPORA if name == cards.MIXTURE else [name]:
        at_hand(needed)
    card = cards.card_path(name).read_text(encoding="utf-8")
    measured = cards.measure(name)
    assert {key: front_matter(card)[key] for key in measured} == measured
    assert cards.render(card, measured) == card, "run `python -m nemo_lab.corpora.cards`"


@pytest.mark.parametrize("name", cards.names())
def test_the_card_has_every_part(name):
    card = cards.card_path(name).read_text(encoding="utf-8")
    fields = front_matter(card)
    assert set(fields) >= HUB_FIELDS
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == SECTIONS
    documents = sum(split["num_examples"] for split in fields["dataset_info"]["splits"])
    low, high = {"n<1K": (0, 1e3), "1K<n<10K": (1e3, 1e4), "10K<n<100K": (1e4, 1e5)}[fields["size_categories"][0]]
    assert low <= documents < high


def test_every_card_is_of_something_and_everything_has_a_card():
    folder = cards.card_path("x").parent
    # climbmix is held to a record in tests/mixing/test_climbmix.py, format-matrix to its file and the two web sets to
    # the code in tests/curation, the others in tests/reasoning/test_cards.py
    made = {"climbmix", "reasoning-items", "retro-traces", "format-matrix", "web-pool", "web-rephrasings"}
    assert {path.stem for path in folder.glob("*.md")} == {*cards.names(), *made}


def test_a_card_with_another_count_is_noticed():
    """The negative control of the comparison above."""
    card = cards.card_path("novels").read_text(encoding="utf-8")
    fields = front_matter(card)
    fields["dataset_info"]["splits"][0]["num_examples"] += 1
    measured = {key: fields[key] for key in ("dataset_info", "packages", "sha256")}
    assert cards.render(card, measured) != card
    with pytest.raises(LabError, match="lacks the line"):
        cards.render(card.replace(cards.MARKER, ""), measured)


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


@pytest.mark.parametrize("name", ["law", "perl-manual", "formal-mathematics", "unix-manuals", "code"])
def test_no_held_out_document_has_a_near_duplicate_in_training(name):
    """Brute force over all pairs of held-out and training documents, by a sparse product of 5-gram sets."""
    at_hand(name)
    held_out = [*corpora.load(name, split="validation")["text"], *corpora.load(name, split="test")["text"]]
    assert highest_overlap(held_out, corpora.load(name, split="train")["text"][:]) < splits.THRESHOLD


def test_splits_by_document_alone_would_leak_in_law():
    """The negative control: split by a hash of each document, near duplicates stand on both sides."""
    at_hand("law")
    texts = corpora.load("law")["text"][:]
    parts = splits.splits_of(texts, np.arange(len(texts)))
    held_out = [text for text, part in zip(texts, parts, strict=True) if part != "train"]
    training = [text for text, part in zip(texts, parts, strict=True) if part == "train"]
    assert highest_overlap(held_out, training) >= 0.95


def test_no_near_duplicates_across_corpora():
    """Held-out documents of each corpus against the training documents of all others (60 and 500 of each)."""
    for name in corpora.DEFAULT_CORPORA:
        at_hand(name)
    held_out, training = [], []
    for name in corpora.DEFAULT_CORPORA:
        held_out += corpora.load(name, split="validation")["text"][:60]
        training += corpora.load(name, split="train")["text"][:500]
    assert highest_overlap(held_out, training) < splits.THRESHOLD


def highest_overlap(left: list[str], right: list[str]) -> float:
    """Return the highest Jaccard index of 5-gram sets between a text of `left` and one of `right`."""
    sets = splits.shingles([*left, *right])
    sizes = np.array([len(elements) for elements in sets])
    _, columns = np.unique(np.concatenate(sets), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    matrix = scipy.sparse.csr_array((np.ones(len(columns), np.int32), columns, ends))
    common = (matrix[: len(left)] @ matrix[len(left) :].T).tocoo()
    union = sizes[common.row] + sizes[len(left) + common.col] - common.data
    return float((common.data / union).max())


def test_a_second_load_takes_less_than_half_a_second():
    at_hand("dictionary")
    corpora.load("dictionary")
    start = time.process_time()
    corpora.load("dictionary", split="train")
    assert time.process_time() - start < 0.5


def test_importing_corpora_is_light():
    heavy = "{'datasets', 'torch', 'lxml', 'pandas'}"
    code = f"import sys, nemo_lab.corpora as c; c.DEFAULT_CORPORA; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_every_exported_name_exists():
    for name in corpora.__all__:
        assert getattr(corpora, name) is not None
    assert callable(corpora.tokenizer)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = corpora.nothing
