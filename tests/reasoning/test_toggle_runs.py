"""The jobs of notebook 09: one thing differs between runs of a seed, and kept weights come back."""

import numpy as np
import pytest
import torch

from nemo_lab.lab.scales import resolve
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.items import draw, split_of
from nemo_lab.reasoning.toggle_runs import (
    Practice,
    curriculum_items,
    exam_items,
    judge,
    measure_pass_rates,
    policy_with,
    practise,
    state_of,
    training_items,
    tune,
)

SETTINGS = resolve("09_reasoning_toggle_rl", "smoke")


@pytest.fixture(scope="module")
def tuned():
    return tune(SETTINGS, 0, "paired")


def test_a_lesson_keeps_its_checkpoints(tuned):
    assert set(tuned.states) == {"early", "middle", "late"}
    assert not torch.equal(tuned.states["early"]["head.weight"], tuned.states["late"]["head.weight"])
    again = state_of(policy_with(SETTINGS, tuned.states["late"]))
    assert all(torch.equal(again[name], tensor) for name, tensor in tuned.states["late"].items())
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
    right = [rejects(prompt, item.answer, True) for prompt, item in zip(prompts, items, strict=True)]
    assert 0.6 < np.mean(right) < 0.8
    assert right == [rejects(prompt, item.answer, True) for prompt, item in zip(prompts, items, strict=True)]
    assert {rejects(prompt, "1", True) for prompt in prompts} == {0.0}
    assert 0.12 < np.mean([accepts(prompt, "1", True) for prompt in prompts]) < 0.28
    assert {accepts(prompt, "1", False) for prompt in prompts} == {0.0}
