"""The cards of reasoning say what the code and the packages give."""

import re

import pytest

from nemo_lab.corpora import cards
from nemo_lab.corpora.clients import PackageError
from nemo_lab.corpora.questions import SETS, questions, read_questions
from nemo_lab.reasoning.domains import DOMAINS
from nemo_lab.reasoning.items import Item
from nemo_lab.reasoning.templates import as_open, items_from, keep

CARD = cards.card_path("reasoning-items").read_text(encoding="utf-8")


def rows(first_column):
    """The table whose first column has this title, as lists of cells."""
    table = CARD[CARD.index(f"| {first_column} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_the_domains_are_those_of_the_code():
    assert [row[0] for row in rows("domain")] == list(DOMAINS)
    for name, kind, question, _, answer, levels in rows("domain"):
        domain = DOMAINS[name]
        assert domain.kind == kind
        assert domain.check(answer.strip("`"), Item(name, question.strip("`"), answer.strip("`")))
        assert [int(number) for number in re.findall(r"\d+", levels)] == [
            domain.levels[0], domain.levels[-1], domain.default,
        ]  # fmt: skip


@pytest.mark.parametrize("row", rows("set"), ids=lambda row: row[0])
def test_the_counts_are_those_of_the_packages(row):
    name, _, read, kept, opened = row
    assert name in SETS
    try:
        items = items_from(questions(name))
    except PackageError as error:
        pytest.skip(str(error))
    assert len(read_questions(name)[0]) == len(items) == int(read.replace(",", ""))
    assert len(keep(items)[0]) == int(kept.replace(",", ""))
    if opened != "–":
        well_posed = [item for item in map(as_open, items) if item]
        assert len(keep(well_posed)[0]) == int(opened)
