"""The cards of reasoning say what the code, the packages and the stored runs give."""

import json
import re
from pathlib import Path

import pytest

from nemo_lab.corpora import cards
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.questions import SETS, questions, read_questions
from nemo_lab.reasoning.questions.domains import DOMAINS
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import as_open, items_from, keep
from nemo_lab.studies.registry import SETTINGS
from nemo_lab.studies.retro_search import rule_puzzles

CARD = cards.card_path("reasoning-items").read_text(encoding="utf-8")
TRACES = cards.card_path("retro-traces").read_text(encoding="utf-8")
RECORD = Path(__file__).parents[2] / "notebooks/records/11_retro_search.laptop.json"


def rows(first_column, card=CARD):
    """The table whose first column has this title, as lists of cells."""
    table = card[card.index(f"| {first_column} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_the_domains_are_those_of_the_code():
    assert [row[0] for row in rows("domain")] == list(DOMAINS)
    for name, kind, question, _, answer, levels in rows("domain"):
        domain = DOMAINS[name]
        assert domain.kind == kind
        assert domain.check(answer.strip("`"), Item(name, question.strip("`"), answer.strip("`")))
        assert [int(number) for number in re.findall(r"\d+", levels)] == [
            domain.levels[0],
            domain.levels[-1],
            domain.default,
        ]


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


def test_the_revised_traces_are_as_much_shorter_as_the_record_says():
    values = json.loads(RECORD.read_text(encoding="utf-8"))["values"]
    left = {row[0]: row[3].removesuffix(" %") for row in rows("set", TRACES)}
    assert int(left["revised"]) == round(100 - values["data.steps_saved"])
    assert f"traces are {values['data.tokens_saved']:.0f} % shorter" in TRACES
    assert int(left["revised by a smaller model"]) == round(100 - values["weak.data_saved"])


def test_the_puzzles_are_those_of_the_code():
    laptop = SETTINGS["11_retro_search"]["laptop"]
    example = rule_puzzles.puzzle(0, "train", 9, laptop.rules, laptop.hops)
    assert f"`{example.prompt}` is a prompt and `{example.answer}` its answer" in TRACES
    assert (laptop.rules, laptop.hops, rule_puzzles.TEST_SHARE) == (3, 3, 0.2), "three rules, three times, one in five"
    assert f"modulo {rule_puzzles.MODULUS}" in TRACES
    assert f"up to {laptop.questions} a seed" in TRACES
    assert f"`leave` {laptop.leave}" in TRACES
    assert f"a code of {rule_puzzles.codec().vocab_size}\ntokens" in TRACES
