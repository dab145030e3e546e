"""The arms of notebook 10, at tiny sizes: what an arm changes, and that nothing else changes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nemo_lab.errors import LabError
from nemo_lab.reasoning import blends
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.policy import small_policy
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import as_choice, keep
from nemo_lab.studies.crossthink_rl import runs as crossthink_runs
from nemo_lab.studies.crossthink_rl import start as crossthink
from nemo_lab.studies.crossthink_rl.runs import ARMS, Arm
from tests.recorders import record, spy
from tests.studies.crossthink_rl.tiny_start import TINY, same_weights


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


def test_no_reward_of_a_silent_checker_is_believed(start: crossthink.Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DOMAINS, "path", replace(DOMAINS["path"], check=lambda answer, item: False))
    with pytest.raises(LabError, match="checker of 'path'"):
        crossthink_runs.run("natural", start, TINY)


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
    policy = small_policy(TINY.d_model, TINY.pattern).with_state(start.early)
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


def test_controls_differ_from_what_they_control_in_one_thing() -> None:
    assert Arm() == Arm("natural", "open", "clean", "right", 0)
    pairs = {
        "general 2:1, random rewards": replace(ARMS["general 2:1"], reward="random"),
        "answers dealt": replace(ARMS["natural"], items="dealt"),
        "math only, other seed": replace(ARMS["math only"], shift=1),
        "corrupted, filtered": replace(ARMS["corrupted"], items="filtered"),
        "corrupted, thinned": replace(ARMS["corrupted"], items="thinned"),
        "as many": replace(ARMS["hard"], items="as many"),
        "choice 2:1": replace(ARMS["open 2:1"], blend="choice 2:1"),
        "general only": replace(ARMS["math only"], blend="general"),
    }
    assert {name: ARMS[name] for name in pairs} == pairs
    assert len(set(ARMS.values())) == len(ARMS)


@pytest.mark.parametrize("shift", [0, 1])
def test_the_seed_of_a_run_reaches_prompts_rewards_and_updates(monkeypatch, start, shift) -> None:
    practised = record(monkeypatch, crossthink_runs, "grpo", "history")
    blended = spy(monkeypatch, blends, "blend_prompts")
    rewarded = spy(monkeypatch, crossthink_runs, "rewarder")
    sources = crossthink_runs.sources_of(crossthink_runs.pool(TINY, 5))
    blend = blends.natural({key: len(items) for key, items in sources.items()})
    arm, policy = Arm(shift=shift), crossthink_runs._policy(TINY, start.state)
    history, _ = crossthink_runs.learn(policy, blend, sources, arm, 5, TINY)
    settings = practised.only("settings")
    assert settings.seed == blended.only("seed") == rewarded.only("seed") == 5 + 100 * shift
    assert (settings.steps, settings.prompts, settings.group) == (TINY.steps, TINY.prompts, TINY.group)
    assert (settings.peak_lr, settings.max_new_tokens) == (TINY.rl_lr, TINY.max_new_tokens)
    assert (blended.only("blend"), blended.only("items"), blended.only("size")) == (blend, sources, TINY.prompts)
    assert rewarded.only("arm") is arm
    assert practised.only("policy") is policy
    assert history == "history"


def test_rewards_are_counted_by_step_and_domain(monkeypatch, start) -> None:
    sum_, path = (draw(name, 1, seed=1)[0] for name in ("sum", "path"))

    def rewards(policy, prompts, reward, settings, *, progress):
        for k in range(2 * TINY.prompts * TINY.group):
            item = (sum_, path)[k % 2]
            answer = item.answer if k < TINY.prompts * TINY.group else "wrong"
            reward(Prompt("", (item, "open")), f"<think></think>{answer}", True)
        return "history"

    record(monkeypatch, crossthink_runs, "grpo", rewards)
    policy = crossthink_runs._policy(TINY, start.state)
    sources = {("sum", "open"): [sum_], ("path", "open"): [path]}
    _, found = crossthink_runs.learn(policy, {("sum", "open"): 1.0}, sources, Arm(), 5, TINY)
    assert sorted(found.itertuples(index=False, name=None)) == [
        (1, "path", 1.0),
        (1, "sum", 1.0),
        (2, "path", 0.0),
        (2, "sum", 0.0),
    ]


def test_a_coin_looks_at_nothing_and_has_a_seed() -> None:
    right = as_choice(Item("sum", "34+58", "92", "12,09"), np.random.default_rng(0))

    def tossed(seed: int, text: str) -> list[float]:
        coin = crossthink_runs.rewarder(Arm(reward="random"), seed, [])
        return [coin(Prompt("", (right, "open")), text, True) for _ in range(64)]

    assert tossed(5, "<think></think>92") == tossed(5, "nonsense")
    assert tossed(5, "nonsense") != tossed(6, "nonsense")


def test_an_arm_begins_with_the_whole_start_and_is_examined_on_held_out_questions(monkeypatch, start) -> None:
    learned = record(monkeypatch, crossthink_runs, "learn", ("history", "rewards"))
    examined = record(monkeypatch, crossthink_runs, "evaluate", "answers")
    for name in ("natural", "math only, other seed"):
        found = crossthink_runs.run(name, start, TINY)
        assert same_weights(learned.calls[-1]["policy"], start.state), "not the weaker model"
        assert learned.calls[-1]["arm"] == ARMS[name]
        assert (learned.calls[-1]["seed"], examined.calls[-1]["seed"]) == (start.seed, start.seed)
        assert examined.calls[-1]["policy"] is learned.calls[-1]["policy"]
        assert tuple(examined.calls[-1]["domains"]) == tuple(crossthink.LEVELS)
        assert (found.answers, found.history, found.rewards) == ("answers", "history", "rewards")


def test_the_pool_is_of_training_questions_apart_from_those_of_tuning(monkeypatch) -> None:
    drawn = spy(monkeypatch, crossthink_runs, "draws")
    crossthink_runs.pool(TINY, 5)
    assert set(drawn.all("split")) == {"train"}
    assert set(drawn.all("seed")) == {5 + crossthink.RL_SEED}


def test_controls_of_the_filters_are_drawn_at_random(monkeypatch, start) -> None:
    random = spy(monkeypatch, crossthink_runs, "at_random")
    judged = spy(monkeypatch, crossthink_runs, "too_hard_for")
    sets = {name: crossthink_runs.questions(Arm(items=name), start, TINY) for name in ("filtered", "thinned")}
    assert sets["filtered"] != sets["thinned"]
    assert sets["filtered"] == keep(random.only("items"))[0]
    hard, many = (crossthink_runs.questions(Arm(items=name), start, TINY) for name in ("hard", "as many"))
    assert all(same_weights(policy, start.early) for policy in judged.all("policy")), "hard for the weaker model"
    every = crossthink_runs.questions(Arm(), start, TINY)
    assert random.calls[-1]["items"] == every
    assert random.calls[-1]["count"] == len(hard) == len(many)


def test_drawn_at_random_is_neither_first_nor_last_and_keeps_the_order() -> None:
    items = draw("sum", 40, seed=0)
    found = [crossthink_runs.at_random(items, 10, np.random.default_rng(seed)) for seed in range(2)]
    assert found[0] != found[1]
    for chosen in found:
        places = [items.index(item) for item in chosen]
        assert places == sorted(places)
        assert len(set(places)) == 10
        assert places not in ([*range(10)], [*range(30, 40)])


def test_each_blend_is_the_one_named(start) -> None:
    sources = crossthink_runs.sources_of(crossthink_runs.formatted(crossthink_runs.pool(TINY, 5), "mixed"))
    sizes = {key: len(items) for key, items in sources.items()}
    wanted = {
        "natural": blends.natural(sizes),
        "math 2:1": blends.two_to_one(sizes, "math"),
        "general 2:1": blends.two_to_one(sizes, "general"),
        "open 2:1": blends.by_format(sizes, "open"),
        "choice 2:1": blends.by_format(sizes, "choice"),
        "math": blends.only(sizes, "math"),
        "general": blends.only(sizes, "general"),
    }
    for name, blend in wanted.items():
        assert crossthink_runs.blend_of(name, sources, start, TINY) == blend, name


def test_usefulness_is_measured_from_the_start_on_one_domain_and_other_questions(monkeypatch, start) -> None:
    learned = record(monkeypatch, crossthink_runs, "learn", ("history", "rewards"))
    examined = spy(monkeypatch, crossthink_runs, "evaluate")
    sources = crossthink_runs.sources_of(crossthink_runs.formatted(crossthink_runs.pool(TINY, 5), "mixed"))
    found = crossthink_runs.usefulness(sources, start, TINY)
    for domain, call, exam in zip(crossthink.RL_DOMAINS, learned.calls, examined.calls, strict=True):
        assert {key[0] for key in call["sources"]} == {domain} == {key[0] for key in call["blend"]}
        assert call["arm"] == Arm()
        assert (call["seed"], exam["seed"]) == (start.seed, start.seed + 1)
        assert call["policy"] is exam["policy"]
        assert same_weights(call["policy"], start.state)
        assert tuple(exam["domains"]) == crossthink.RL_DOMAINS
        assert call["study"].steps == exam["study"].steps < TINY.steps
        right = exam["policy"], exam["study"], exam["seed"], exam["domains"]
        score = float(crossthink.accuracy(crossthink.evaluate(*right)).mean()) / 100
        assert {found[key] for key in call["sources"]} == {max(score, 0.01)}
    assert found.keys() == sources.keys()
    given = blends.by_usefulness(found)
    assert crossthink_runs.blend_of("usefulness", sources, start, TINY) == given
