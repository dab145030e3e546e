"""The jobs of notebook 09: one thing differs between runs of a seed, and kept weights come back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.lab.scales import resolve
from nemo_lab.reasoning import curriculum
from nemo_lab.reasoning.evaluate import Answer
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.items import split_of
from nemo_lab.reasoning.questions.templates import MODES, prompt_of
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.studies.reasoning_toggle_rl import runs
from nemo_lab.studies.reasoning_toggle_rl.lessons import SumTeacher
from nemo_lab.studies.reasoning_toggle_rl.runs import (
    LEVEL,
    ROOM,
    Practice,
    curriculum_items,
    exam_items,
    examine,
    judge,
    measure_pass_rates,
    practise,
    training_items,
    tune,
)
from tests.recorders import record, spy

SETTINGS = resolve("09_reasoning_toggle_rl", "smoke")


@pytest.fixture(scope="module")
def tuned():
    return tune(SETTINGS, 0, "paired")


def test_a_lesson_keeps_its_checkpoints(tuned):
    assert set(tuned.states) == {"early", "middle", "late"}
    assert not torch.equal(tuned.states["early"]["head.weight"], tuned.states["late"]["head.weight"])
    assert tuned.curve.step.tolist() == sorted(tuned.curve.step)


def test_a_run_changes_the_weights_and_starts_where_it_should(tuned):
    start = tuned.states["late"]
    result = practise(SETTINGS, 0, start, Practice("main"), samples=2)
    same = practise(SETTINGS, 0, start, Practice("again"), samples=2)
    assert result.before == same.before
    assert result.history.reward.tolist() == same.history.reward.tolist()
    assert {"on.pass@1", "on.pass@2", "off.accuracy"} <= set(result.after)
    assert "late" in tuned.states
    assert torch.equal(start["head.weight"], tuned.states["late"]["head.weight"])


@pytest.mark.parametrize("order", ["curriculum", "random", "fixed", "reversed"])
def test_orders_deal_the_measured_prompts(tuned, order):
    rates = [0.25] * len(curriculum_items(SETTINGS, 0))
    result = practise(SETTINGS, 0, tuned.states["late"], Practice(order, order=order), rates)
    assert len(result.history) == SETTINGS.rl_steps


def test_pass_rates_are_eighths(tuned):
    rates = measure_pass_rates(SETTINGS, 0, tuned.states["late"])
    assert len(rates) == 3 * SETTINGS.rl_steps * SETTINGS.prompts
    assert all((8 * rate) % 1 == 0 for rate in rates)


def test_exams_are_never_practised():
    learned = {item.question for item in (*training_items(SETTINGS, 0), *curriculum_items(SETTINGS, 0))}
    for mode in ("on", "off"):
        exam = exam_items(SETTINGS, 0, mode)
        assert not learned & {item.question for item in exam}
        assert {split_of(item) for item in exam} == {"test"}


def test_a_judge_errs_as_often_as_told_and_the_same_way_twice():
    items = draw("sum", 400, seed=3, level=3)
    prompts = [Prompt(f"<off>{item.question}=", (item, "off")) for item in items]
    rejects = judge(Practice("r", mode="off", false_negatives=0.3), 0)
    accepts = judge(Practice("a", mode="off", false_positives=0.2), 0)
    assert len({judge(Practice("r"), seed).fingerprint for seed in (0, 1)} | {rejects.fingerprint}) == 3
    right = [rejects(prompt, item.answer, True) for prompt, item in zip(prompts, items, strict=True)]
    assert 0.6 < np.mean(right) < 0.8
    assert right == [rejects(prompt, item.answer, True) for prompt, item in zip(prompts, items, strict=True)]
    assert {rejects(prompt, "1", True) for prompt in prompts} == {0.0}
    assert 0.12 < np.mean([accepts(prompt, "1", True) for prompt in prompts]) < 0.28
    assert {accepts(prompt, "1", False) for prompt in prompts} == {0.0}


def test_no_reward_of_a_silent_checker_is_believed(tuned, monkeypatch):
    monkeypatch.setitem(DOMAINS, "sum", replace(DOMAINS["sum"], check=lambda answer, item: False))
    with pytest.raises(LabError, match="checker of 'sum'"):
        practise(SETTINGS, 0, tuned.states["late"], Practice("main"), examine_start=False)


# --- what reaches a run


def one_answer(policy, items, *, mode, max_new_tokens, template="open", samples=1, temperature=0.0, seed=0):
    """What `answer` returns, without a model: every second sample of an item is right."""
    return [[Answer(item, "", k % 2 == 1, True, True, 3) for k in range(samples)] for item in items]


@pytest.fixture
def answered(monkeypatch):
    return record(monkeypatch, runs, "answer", one_answer)


def test_exams_are_of_the_test_split_and_of_no_other_seed(monkeypatch):
    drawn = spy(monkeypatch, runs, "draw")
    for seed in (0, 7):
        for mode in MODES:
            runs.exam_items(SETTINGS, seed, mode)
    assert set(drawn.all("split")) == {"test"}
    assert drawn.all("seed") == [0, 0, 7, 7]
    assert drawn.all("level") == [LEVEL[mode] for mode in MODES] * 2
    assert set(drawn.all("count")) == {SETTINGS.exam_items}


def test_lessons_and_practice_are_of_the_training_split_and_of_other_numbers(monkeypatch):
    drawn = spy(monkeypatch, runs, "draw")
    lessons, practice = training_items(SETTINGS, 7), curriculum_items(SETTINGS, 7)
    assert set(drawn.all("split")) == {"train"}
    assert set(drawn.all("seed")) == {7}
    *two, last = drawn.calls
    assert sorted(call["level"] for call in two) == sorted(LEVEL.values())
    assert all(call["start"] + call["count"] <= last["start"] for call in two), "dealt prompts were not taught"
    assert (last["level"], len(practice)) == (LEVEL["on"], 3 * SETTINGS.rl_steps * SETTINGS.prompts)
    assert lessons != [item for call in two for item in drawn.original(**call)], "in random order"
    assert lessons != training_items(SETTINGS, 8)


def test_an_exam_asks_held_out_items_greedily_and_samples_at_temperature_one(answered):
    grades = examine(SETTINGS, "policy", 7, samples=4)
    for mode, (greedy, drawn) in zip(MODES, [answered.calls[:2], answered.calls[2:]], strict=True):
        exam = exam_items(SETTINGS, 7, mode)
        assert greedy["items"] == exam
        assert (greedy["mode"], greedy["samples"], greedy["temperature"]) == (mode, 1, 0.0)
        assert drawn["items"] == exam[: len(exam) // 4]
        assert (drawn["mode"], drawn["samples"], drawn["temperature"], drawn["seed"]) == (mode, 4, 1.0, 7)
        assert greedy["max_new_tokens"] == drawn["max_new_tokens"] == ROOM[mode]
        assert grades[f"{mode}.accuracy"] == 0
        assert [grades[f"{mode}.pass@{k}"] for k in (1, 2, 4)] == pytest.approx([1 / 2, 5 / 6, 1])
    assert set(answered.all("policy")) == {"policy"}


def test_a_lesson_has_the_seed_in_weights_items_pairs_and_updates(monkeypatch):
    trained = record(monkeypatch, runs, "train")
    taught = spy(monkeypatch, runs, "lesson_pairs")
    tuned = tune(SETTINGS, 7, "confused", steps=5, peak_lr=1e-4)
    settings = trained.only("settings")
    assert (settings.seed, settings.steps, settings.peak_lr) == (7, 5, 1e-4)
    assert settings.batch_size == SETTINGS.batch_size
    assert (taught.only("lesson"), taught.only("seed"), taught.only("steps")) == ("confused", 7, 5)
    assert taught.only("items") == training_items(SETTINGS, 7)
    assert taught.only("teacher") == SumTeacher(SETTINGS.slip)
    policy = runs._policy(SETTINGS, 7)
    assert all(torch.equal(tensor, policy.model.state_dict()[name]) for name, tensor in tuned.states["late"].items())
    pairs = taught.original(**taught.calls[0])
    wanted = pair_source(pairs, policy.encode, policy.end, policy.pad)
    assert all(torch.equal(a, b) for a, b in zip(trained.only("data")(3), wanted(3), strict=True))
    tune(SETTINGS, 7, "paired", start={name: tensor + 1 for name, tensor in tuned.states["late"].items()})
    weights = trained.calls[-1]["model"].state_dict()
    assert all(torch.equal(weights[name], tensor + 1) for name, tensor in tuned.states["late"].items())
    assert trained.calls[-1]["settings"].peak_lr == SETTINGS.sft_lr


def test_pass_rates_are_of_the_prompts_to_be_dealt_drawn_with_the_seed(tuned, answered):
    assert set(measure_pass_rates(SETTINGS, 7, tuned.states["early"])) == {0.5}
    assert answered.only("items") == curriculum_items(SETTINGS, 7)
    assert (answered.only("mode"), answered.only("samples")) == ("on", 8)
    assert (answered.only("temperature"), answered.only("seed")) == (1.0, 7)
    weights = answered.only("policy").model.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in tuned.states["early"].items())


def test_a_run_has_its_seed_start_and_settings(tuned, monkeypatch):
    practised = record(monkeypatch, runs, "grpo", "history")
    examined = record(monkeypatch, runs, "examine", lambda *args: {"exams": float(len(examined.calls))})
    start = tuned.states["middle"]
    practice = Practice("off", mode="off", grpo=(("advantage", "mean"), ("steps", 9)))
    result = practise(SETTINGS, 7, start, practice, samples=2)
    chosen = practised.only("settings")
    assert (chosen.seed, chosen.advantage, chosen.steps, chosen.max_new_tokens) == (7, "mean", 9, ROOM["off"])
    assert (chosen.prompts, chosen.group, chosen.peak_lr) == (SETTINGS.prompts, SETTINGS.group, SETTINGS.rl_lr)
    policy = practised.only("policy")
    assert all(torch.equal(policy.model.state_dict()[name], tensor) for name, tensor in start.items())
    assert (result.before, result.after, result.history) == ({"exams": 1.0}, {"exams": 2.0}, "history")
    assert examined.all("seed") == [7, 7]
    assert examined.all("samples") == [2, 2]
    assert all(one is policy for one in examined.all("policy"))
    assert practise(SETTINGS, 7, start, practice, examine_start=False).before == {}


def prompts_of(monkeypatch, practice, seed=7, rates=()):
    """The prompts of a run by (step, attempt)."""
    practised = record(monkeypatch, runs, "grpo", "history")
    record(monkeypatch, runs, "examine", {})
    practise(SETTINGS, seed, runs._policy(SETTINGS, 0).model.state_dict(), practice, rates)
    return practised.only("prompts")


def test_fresh_prompts_depend_on_seed_step_and_attempt_and_are_of_training_items(monkeypatch):
    drawn = record(monkeypatch, runs, "draw", lambda *given, seed, **more: draw(*given, seed=3, **more))
    prompts = prompts_of(monkeypatch, Practice("p", mode="both"))
    found = prompts(0, 0)
    assert found == prompts(0, 0)
    asked = [[prompt.text for prompt in some] for some in (found, prompts(1, 0), prompts(0, 1))]
    asked.append([prompt.text for prompt in prompts_of(monkeypatch, Practice("p", mode="both"), seed=8)(0, 0)])
    assert len(set(map(tuple, asked))) == 4, "also where the items to ask are the same"
    assert drawn.all("seed") == [7, 7, 8, 8]
    assert [prompt.about[1] for prompt in found] == [MODES[k % 2] for k in range(len(found))]
    assert all(split_of(prompt.about[0]) == "train" for prompt in found)
    assert all(prompt.text == prompt_of(*prompt.about) for prompt in found)
    alone = prompts_of(monkeypatch, Practice("p", mode="off"))(0, 0)
    assert {prompt.about[1] for prompt in alone} == {"off"}


@pytest.mark.parametrize("order", ["curriculum", "random", "fixed", "reversed"])
def test_an_order_deals_what_its_name_says(monkeypatch, order):
    items = curriculum_items(SETTINGS, 7)
    rates = [(k % 7) / 8 for k in range(len(items))]
    named = {"curriculum": "gaussian"}.get(order, order)
    wanted = getattr(curriculum, f"{named}_batches")(rates, SETTINGS.rl_steps, SETTINGS.prompts, seed=7)
    prompts = prompts_of(monkeypatch, Practice(order, order=order), rates=rates)
    for step, batch in enumerate(wanted):
        assert [prompt.about for prompt in prompts(step, 0)] == [(items[k], "on") for k in batch]


def test_judges_of_two_seeds_err_on_different_answers_and_a_perfect_one_never():
    items = draw("sum", 200, seed=3, level=3)
    prompts = [Prompt(f"<off>{item.question}=", (item, "off")) for item in items]

    def verdicts(seed, **errors):
        verdict = judge(Practice("p", mode="off", **errors), seed)
        right = [verdict(prompt, item.answer, True) for prompt, item in zip(prompts, items, strict=True)]
        return right, [verdict(prompt, "1", True) for prompt in prompts]

    assert verdicts(0) == ([1.0] * 200, [0.0] * 200)
    assert verdicts(0, false_negatives=0.3) != verdicts(1, false_negatives=0.3)
    assert verdicts(0, false_positives=0.3) != verdicts(1, false_positives=0.3)
    assert set(verdicts(0, false_positives=0.3)[0]) == {1.0}


def test_format_and_accuracy_are_combined_as_the_run_says(monkeypatch):
    rewarded = record(monkeypatch, runs, "reward", 1.0)
    item = draw("sum", 1, seed=3, level=3)[0]
    judge(Practice("p", combine="sum"), 0)(Prompt("", (item, "on")), "text", True)
    call = rewarded.calls[0]
    assert (call["item"], call["mode"], call["combine"], call["ended"]) == (item, "on", "sum", True)
