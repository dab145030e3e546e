"""The cards are true: what they say is measured again, and a wrong count is noticed."""

from typing import Any

import pytest
import yaml

from nemo_lab import corpora
from nemo_lab.corpora import cards
from nemo_lab.errors import LabError
from tests.corpora.at_hand import at_hand

HUB_FIELDS = {
    "pretty_name",
    "license",
    "language",
    "size_categories",
    "task_categories",
    "tags",
    "dataset_info",
}


def front_matter(card: str) -> dict[str, Any]:
    """A card's fields, between its first two lines of dashes."""
    return yaml.safe_load(card.split("---\n", 2)[1])


SECTIONS = ["Motivation", "Composition", "Collection", "Processing", "Licence", "Limits"]


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
