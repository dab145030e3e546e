"""Experience: advantages within a group, generators of their own, and groups without a signal."""

from dataclasses import replace

import pytest
import tiny_policy
import torch
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning import experience as experience_module
from nemo_lab.reasoning.experience import (
    Prompt,
    advantages,
    gather,
    join_experience,
    rows_of,
)
from nemo_lab.reasoning.grpo_settings import CHOICES
from tests.reasoning.refusals import Call, refused
from tests.reasoning.tiny_grpo import PROMPTS, SETTINGS, experience_for, letters
from tests.recorders import spy

REWARDS = st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4), min_size=1, max_size=5)


@given(REWARDS, st.sampled_from(CHOICES["advantage"]), st.randoms())
def test_advantages_are_relative_to_their_group(rewards, advantage, random):
    chosen = replace(SETTINGS, advantage=advantage)
    reward_B = torch.tensor(rewards).flatten()
    counted_B = torch.tensor([random.random() < 0.7 for _ in reward_B])
    found = advantages(reward_B, counted_B, chosen).view(-1, 4)
    assert torch.allclose(found.sum(1), torch.zeros(len(rewards)), atol=1e-4)
    assert not found.flatten()[~counted_B].any()
    shifted = advantages(reward_B + 3.0, counted_B, chosen).view(-1, 4)
    torch.testing.assert_close(shifted, found, atol=1e-3, rtol=1e-3)
    everything = torch.ones_like(counted_B)
    full = advantages(reward_B, everything, chosen).view(-1, 4)
    same = torch.tensor(rewards).std(1) == 0
    assert not full[same].any()
    if advantage == "std":
        torch.testing.assert_close(full[~same].std(1), torch.ones(int((~same).sum())), atol=1e-2, rtol=0)


def test_samples_have_a_generator_of_seed_step_and_attempt(monkeypatch):
    drawn = spy(monkeypatch, experience_module, "sample_responses")
    policy, asked = tiny_policy.tiny_policy(), []
    for seed in (0, 7):
        for step in (0, 1):
            gather(
                policy,
                lambda *at: asked.append(at) or PROMPTS,
                lambda prompt, text, ended: 1.0,
                replace(SETTINGS, seed=seed, resamples=1),
                step,
            )
    assert asked == [(0, 0), (0, 1), (1, 0), (1, 1)] * 2
    assert len({generator.initial_seed() for generator in drawn.all("generator")}) == 8
    assert set(drawn.all("temperature")) == {SETTINGS.temperature}
    assert set(drawn.all("group")) == {SETTINGS.group}


def test_dynamic_sampling_replaces_groups_without_a_signal():
    policy = tiny_policy.tiny_policy()

    def prompts(step, attempt):
        return [Prompt("same"), Prompt("x"), Prompt("y")] if attempt else [Prompt("same")] * 3

    def reward(prompt, text, ended):
        return 1.0 if prompt.text == "same" else letters(prompt, text, ended)

    chosen = replace(SETTINGS, resamples=2)
    experience, attempts = gather(policy, prompts, reward, chosen, 0)
    assert attempts > 1
    assert len(experience.reward_B) == 12
    spread = experience.reward_B.view(3, 4).std(1) > 0
    assert spread[:2].all()


def test_joining_groups_undoes_splitting_them():
    experience = experience_for(tiny_policy.tiny_policy(), SETTINGS)
    joined = join_experience([rows_of(experience, slice(i, i + 4)) for i in (0, 4, 8)], 1)
    for name in ("reward_B", "advantage_B", "length_B", "sampled_BL"):
        assert torch.equal(getattr(joined, name), getattr(experience, name))


@pytest.mark.parametrize(
    "call",
    [
        lambda: Prompt(None),  # type: ignore[arg-type]
    ],
)
def test_a_prompt_is_text(call: Call) -> None:
    refused(call)
