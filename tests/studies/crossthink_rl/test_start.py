"""The start of notebook 10 at a tiny size: what it is taught, and on what it is examined."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from nemo_lab.reasoning.evaluate import Answer
from nemo_lab.reasoning.policy import small_policy
from nemo_lab.reasoning.questions.items import split_of
from nemo_lab.reasoning.questions.templates import parse
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.studies.crossthink_rl import start as crossthink
from tests.recorders import record, spy
from tests.studies.crossthink_rl.tiny_start import TINY, same_weights


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


def answers_of(right: list[bool], tokens: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"domain": "sum", "template": "open", "right": right, "tokens": tokens})


def test_tokens_are_compared_on_what_both_solve() -> None:
    ours = answers_of([True, True, False], [5, 50, 9])
    theirs = answers_of([True, False, True], [10, 7, 10])
    assert crossthink.tokens_saved(ours, theirs) == pytest.approx(50)
    assert crossthink.tokens_saved(ours, theirs, both=False) == pytest.approx(100 * (1 - 27.5 / 10))
    assert np.isnan(crossthink.tokens_saved(ours, answers_of([False] * 3, [1, 1, 1])))


# --- what reaches the start


def one_answer(policy, items, *, mode, max_new_tokens, template="open", samples=1, temperature=0.0, seed=0):
    """What `answer` returns, without a model: only the first question is solved, in all samples."""
    return [[Answer(item, "", k == 0, True, True, 3) for _ in range(samples)] for k, item in enumerate(items)]


def test_draws_are_of_the_split_and_seed_asked_for(monkeypatch) -> None:
    drawn = spy(monkeypatch, crossthink, "draw")
    items = crossthink.draws(4711, 3, "test", ("sum", "path"))
    assert drawn.all("domain") == ["sum", "path"]
    assert drawn.all("split") == ["test", "test"]
    assert drawn.all("seed") == [4711, 4711]
    assert drawn.all("level") == [crossthink.LEVELS["sum"], crossthink.LEVELS["path"]]
    assert {split_of(item) for item in items} == {"test"}
    assert {split_of(item) for item in crossthink.draws(4711, 3, "train")} == {"train"}
    assert items != crossthink.draws(4712, 3, "test", ("sum", "path"))


def test_the_exam_is_held_out_greedy_and_the_same_in_both_formats(monkeypatch) -> None:
    asked = record(monkeypatch, crossthink, "answer", one_answer)
    found = crossthink.evaluate("policy", TINY, 5)
    wanted = crossthink.draws(5, TINY.held_out, "test")
    assert all(items == wanted for items in asked.all("items"))
    assert asked.all("template") == ["open", "choice"]
    assert set(asked.all("temperature")) == {0.0}
    assert set(asked.all("max_new_tokens")) == {TINY.max_new_tokens}
    assert found["right"].tolist() == [k == 0 for k in range(len(wanted))] * 2
    assert found["domain"].tolist() == [item.domain for item in wanted] * 2
    crossthink.evaluate("policy", TINY, 5, ("path",))
    assert asked.calls[-1]["items"] == crossthink.draws(5, TINY.held_out, "test", ("path",))


def test_pass_rates_are_of_training_questions_of_rl_drawn_at_temperature_one(monkeypatch) -> None:
    asked = record(monkeypatch, crossthink, "answer", one_answer)
    found = crossthink.pass_rate_table("policy", TINY, 5)
    wanted = crossthink.draws(5 + crossthink.RL_SEED, TINY.held_out // 4, "train", crossthink.RL_DOMAINS)
    assert all(items == wanted for items in asked.all("items"))
    assert set(asked.all("temperature")) == {1.0}
    assert set(asked.all("samples")) == {TINY.group}
    assert set(asked.all("seed")) == {5}
    assert found["rate"].tolist() == [float(k == 0) for k in range(len(wanted))] * 2


def test_the_seed_of_a_start_reaches_weights_lessons_updates_and_exams(monkeypatch) -> None:
    trained = record(monkeypatch, crossthink, "train", pd.DataFrame({"step": [1], "loss": [2.0]}))
    judged = [record(monkeypatch, crossthink, name, name) for name in ("evaluate", "pass_rate_table")]
    start = crossthink.start_model(TINY, 5)
    settings = trained.only("settings")
    assert (settings.seed, settings.steps, settings.batch_size) == (5, TINY.sft_steps, TINY.sft_batch)
    fresh = small_policy(TINY.d_model, TINY.pattern, 5)
    assert same_weights(fresh, start.state)
    wanted = pair_source(crossthink.lessons(TINY, 5), fresh.encode, fresh.end, fresh.pad)
    assert all(torch.equal(a, b) for a, b in zip(trained.only("data")(3), wanted(3), strict=True))
    for recorder in judged:
        assert recorder.only("seed") == 5
        assert recorder.only("policy").model is trained.only("model")
    assert (start.answers, start.rates) == ("evaluate", "pass_rate_table")
    assert not start.early
    trained.only("on_step")({"step": TINY.sft_steps})
    assert not start.early, "the weaker model is that from half-way"
    trained.only("on_step")({"step": TINY.sft_steps // 2})
    assert same_weights(fresh, start.early)


def test_lessons_are_of_training_questions_apart_from_those_of_rl(monkeypatch) -> None:
    drawn = spy(monkeypatch, crossthink, "draws")
    pairs = {seed: crossthink.lessons(TINY, seed)(3) for seed in (5, 6)}
    assert drawn.all("seed") == [5 + crossthink.SFT_SEED, 6 + crossthink.SFT_SEED]
    assert set(drawn.all("split")) == {"train"}
    assert pairs[5] != pairs[6]
    assert len({0, crossthink.SFT_SEED, crossthink.RL_SEED}) == 3
