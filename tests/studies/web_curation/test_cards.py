"""The cards of notebook 02's sets say what the code does."""

import re

from nemo_lab.corpora import cards
from nemo_lab.curation.rewriting import tasks as web_rephrasing
from nemo_lab.studies.web_curation import pool

POOL = cards.card_path("web-pool").read_text(encoding="utf-8")
REPHRASED = cards.card_path("web-rephrasings").read_text(encoding="utf-8")


def rows(card):
    """The cells of the card's table, without its head."""
    lines = [line for line in card.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines]


def test_the_origins_are_those_of_the_pool():
    kinds = {origin: kind for origin, kind, _ in rows(POOL)}
    assert [origin for origin, kind in kinds.items() if kind == "good"] == list(pool.GOOD)
    assert [o for o, kind in kinds.items() if kind == "other"] == [*pool.OTHER, pool.BOILERPLATE]
    assert f"of {pool.LENGTH // 2} to {pool.LENGTH:,} characters" in POOL
    fields = re.search(r"^Columns: (.*)\.$", POOL, re.MULTILINE)
    assert fields[1] == ", ".join(f"`{name}`" for name in pool.PoolDocument.__annotations__)


def test_the_limits_are_those_of_the_tasks():
    found = {name: tuple(map(int, limits)) for name, _, *limits in rows(REPHRASED)}
    tasks = web_rephrasing.TASKS
    assert found == {name: (t.max_input, t.max_output, t.final) for name, t in tasks.items()}
    low = {name for name, of, *_ in rows(REPHRASED) if "worst" in of}
    assert low == {name for name in web_rephrasing.PUBLISHED_TOKENS["low"] if name != "raw"}
    assert all(f"`{name}`" in REPHRASED for name in ("texts", "sources", "invented", "dropped"))
