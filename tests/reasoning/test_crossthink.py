"""The start and the arms of notebook 10, at tiny sizes: what an arm changes, and that nothing else changes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.reasoning import blends, crossthink, crossthink_runs, crossthink_views
from nemo_lab.reasoning.crossthink import Study
from nemo_lab.reasoning.crossthink_runs import ARMS, Arm
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.items import Item, draw
from nemo_lab.reasoning.templates import as_choice, parse

TINY = Study(
    pattern="M-*-",
    d_model=16,
    sft_steps=10,
    sft_batch=8,
    sft_lr=4e-3,
    sft_items=20,
    short=0.6,
    choice=0.4,
    steps=2,
    prompts=4,
    group=4,
    rl_lr=1e-4,
    pool=8,
    held_out=8,
    max_new_tokens=8,
)


@pytest.fixture(scope="module")
def start() -> crossthink.Start:
    return crossthink.start_model(TINY, 100)


def test_the_start_is_a_function_of_its_seed(start: crossthink.Start) -> None:
    again = crossthink.start_model(TINY, 100)
    assert all(torch.equal(again.state[name], value) for name, value in start.state.items())
    assert any(not torch.equal(start.early[name], value) for name, value in start.state.items())
    assert len(start.loss) == TINY.sft_steps


def test_the_start_is_examined_in_both_formats_on_every_domain(start: crossthink.Start) -> None:
    counted = start.answers.groupby(["domain", "template"]).size()
    assert len(counted) == 2 * len(crossthink.LEVELS)
    assert set(counted) == {TINY.held_out}
    assert set(start.rates["domain"]) == set(crossthink.RL_DOMAINS)


def test_tuning_begins_with_long_and_ends_with_short_solutions() -> None:
    pairs = crossthink.lessons(replace(TINY, sft_batch=64), 0)
    empty = [[not parse(response).thought for _, response in pairs(step)] for step in range(TINY.sft_steps)]
    assert 0.03 < np.mean(empty[:9]) < 0.2
    assert 0.5 < np.mean(empty[9:]) < 0.8
    assert pairs(3) == pairs(3)


def test_a_step_of_tuning_has_one_template_and_choice_its_share() -> None:
    shown = [{"(A)" in prompt for prompt, _ in crossthink.lessons(TINY, 0)(step)} for step in range(10)]
    assert all(len(kinds) == 1 for kinds in shown)
    assert sum(True in kinds for kinds in shown) == 4


def test_a_worked_solution_of_a_choice_ends_with_the_answer() -> None:
    rows = [pair for step in range(10) for pair in crossthink.lessons(TINY, 0)(step) if "(A)" in pair[0]]
    long = [(prompt, parse(response)) for prompt, response in rows if parse(response).thought]
    assert long
    for prompt, parsed in long:
        assert f"({parsed.answer}){parsed.thought.rpartition('=')[2]}" in prompt


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_runs_and_returns_numbers(name: str, start: crossthink.Start) -> None:
    found = crossthink_runs.run(name, start, TINY)
    assert len(found.history) == TINY.steps
    assert found.answers[["domain", "template"]].equals(start.answers[["domain", "template"]])
    assert sum(found.blend.values()) == pytest.approx(1)
    assert crossthink.HELD_OUT not in set(found.rewards["domain"])


def test_a_run_repeats(start: crossthink.Start) -> None:
    first, second = (crossthink_runs.run("natural", start, TINY) for _ in range(2))
    pd.testing.assert_frame_equal(first.answers, second.answers)
    assert first.history["reward"].equals(second.history["reward"])


def test_an_unknown_arm_is_refused(start: crossthink.Start) -> None:
    with pytest.raises(LabError, match="general 2:1"):
        crossthink_runs.run("general 2:2", start, TINY)


def test_the_pool_holds_as_much_math_as_general_and_nothing_held_out() -> None:
    kinds = Counter(blends.kind_of((item.domain, "open")) for item in crossthink_runs.pool(TINY, 0))
    assert kinds["math"] == kinds["general"] == 6 * TINY.pool
    sources = crossthink_runs.sources_of(crossthink_runs.formatted(crossthink_runs.pool(TINY, 0), "mixed"))
    assert len(sources) == 2 * len(crossthink.RL_DOMAINS)
    assert all(domain != crossthink.HELD_OUT for domain, _ in sources)


def test_formats_ask_the_same_questions(start: crossthink.Start) -> None:
    found = {form: crossthink_runs.questions(Arm(format=form), start, TINY) for form in ("open", "choice", "mixed")}
    assert len({tuple(item.question for item in items) for items in found.values()}) == 1
    assert not any(item.options for item in found["open"])
    assert all(item.options for item in found["choice"])


def test_filters_drop_what_they_see_and_the_control_as_many(start: crossthink.Start) -> None:
    clean, wrong, kept, thinned = (
        crossthink_runs.questions(Arm(items=items), start, TINY)
        for items in ("clean", "corrupted", "filtered", "thinned")
    )
    changed = sum(old.answer != new.answer for old, new in zip(clean, wrong, strict=True))
    assert changed == round(crossthink_runs.CORRUPTED * len(clean))
    assert len(kept) == len(thinned) == len(wrong) - round(changed / 2)
    assert set(kept) < set(wrong)
    assert set(thinned) < set(wrong)


def test_hard_questions_are_failed_by_the_weaker_model(start: crossthink.Start) -> None:
    hard = crossthink_runs.questions(Arm(items="hard"), start, TINY)
    assert len(hard) == len(crossthink_runs.questions(Arm(items="as many"), start, TINY))
    policy = crossthink.policy_from(TINY, start.early)
    assert crossthink_runs.too_hard_for(policy, hard, TINY) == hard


def test_dealt_answers_come_from_the_domain_and_move() -> None:
    items = draw("sum", 10, seed=0) + draw("path", 10, seed=0)
    dealt = crossthink_runs.dealt(items, np.random.default_rng(0))
    assert [item.question for item in dealt] == [item.question for item in items]
    assert Counter(item.answer for item in dealt[:10]) == Counter(item.answer for item in items[:10])
    assert sum(old.answer != new.answer for old, new in zip(items, dealt, strict=True)) >= 18


def test_rewards_are_right_or_a_coin() -> None:
    seen: list[tuple[str, float]] = []
    item = as_choice(Item("sum", "34+58", "92", "12,09"), np.random.default_rng(0))
    right = crossthink_runs.rewarder(Arm(), 0, seen)
    assert right(Prompt("", (item, "open")), "<think></think>92", True) == 1
    assert right(Prompt("", (item, "open")), "92", True) == 0
    coin = crossthink_runs.rewarder(Arm(reward="random"), 0, seen)
    tossed = [coin(Prompt("", (item, "open")), "nonsense", True) for _ in range(200)]
    assert 0.4 < np.mean(tossed) < 0.6
    assert len(seen) == 202


def answers_of(right: list[bool], tokens: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"domain": "sum", "template": "open", "right": right, "tokens": tokens})


def test_tokens_are_compared_on_what_both_solve() -> None:
    ours = answers_of([True, True, False], [5, 50, 9])
    theirs = answers_of([True, False, True], [10, 7, 10])
    assert crossthink.tokens_saved(ours, theirs) == pytest.approx(50)
    assert crossthink.tokens_saved(ours, theirs, both=False) == pytest.approx(100 * (1 - 27.5 / 10))
    assert np.isnan(crossthink.tokens_saved(ours, answers_of([False] * 3, [1, 1, 1])))


def test_tables_have_a_row_an_arm_and_seed(start: crossthink.Start) -> None:
    runs = {("start", 100): start, ("natural", 100): crossthink_runs.run("natural", start, TINY)}
    table = crossthink_views.accuracy_table(runs)
    assert list(table.columns) == [*crossthink.LEVELS, "math", "general", "mean"]
    assert table.loc[("start", 100), "math"] == pytest.approx(table.loc[("start", 100), ["sum", "chain"]].mean())
    assert list(crossthink_views.format_table(runs).columns) == ["open", "choice"]
    assert crossthink_views.reward_curve(runs, "natural", "math").shape == (1, TINY.steps)
    assert crossthink_views.saved_table(runs, ["natural"], "start").shape == (1, 1 + len(crossthink.LEVELS))


def test_the_flow_counts_every_question_once() -> None:
    four = ("one", "two", "three", "four")
    items = [
        Item("exam", "Which of the following is even?", "two", options=four),
        Item("exam", "What is twice one?", "two", options=four),
        Item("exam", "What is said?", "so many words that no rule will ever want to check them", options=four),
        Item("exam", "How many?", "it depends"),
    ]
    found = crossthink_views.flow(items)
    assert found == {
        "choice": 3,
        "open": 1,
        "ill-posed": 1,
        "kept": 1,
        "open answer over 10 words": 1,
        "unverifiable": 1,
    }
