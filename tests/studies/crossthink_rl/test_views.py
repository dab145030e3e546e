"""Tables of the arms, and what the filters leave."""

import pytest

from nemo_lab.reasoning.questions.items import Item
from nemo_lab.studies.crossthink_rl import runs as crossthink_runs
from nemo_lab.studies.crossthink_rl import start as crossthink
from nemo_lab.studies.crossthink_rl import views
from tests.studies.crossthink_rl.tiny_start import TINY


def test_tables_have_a_row_an_arm_and_seed(start: crossthink.Start) -> None:
    runs = {("start", 100): start, ("natural", 100): crossthink_runs.run("natural", start, TINY)}
    table = views.accuracy_table(runs)
    assert list(table.columns) == [*crossthink.LEVELS, "math", "general", "mean"]
    assert table.loc[("start", 100), "math"] == pytest.approx(table.loc[("start", 100), ["sum", "chain"]].mean())
    assert list(views.format_table(runs).columns) == ["open", "choice"]
    assert views.reward_curve(runs, "natural", "math").shape == (1, TINY.steps)
    assert views.saved_table(runs, ["natural"], "start").shape == (1, 1 + len(crossthink.LEVELS))


def test_filters_and_conversion_count_every_question_once() -> None:
    four = ("one", "two", "three", "four")
    items = [
        Item("exam", "Which of the following is even?", "two", options=four),
        Item("exam", "What is twice one?", "two", options=four),
        Item("exam", "What is said?", "so many words that no rule will ever want to check them", options=four),
        Item("exam", "How many?", "it depends"),
    ]
    found = views.left_by_filters(items)
    assert found == {
        "choice": 3,
        "open": 1,
        "ill-posed": 1,
        "kept": 1,
        "open answer over 10 words": 1,
        "unverifiable": 1,
    }
