"""GRPO: the right gradient, whatever the micro-batches; learning; and the same curve after a kill."""

import copy
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import killed_grpo
import pandas as pd
import pytest
import tiny_policy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.experience import (
    Experience,
    Prompt,
    advantages,
    example,
)
from nemo_lab.reasoning.grpo_loop import accumulate, grpo, importance, token_weights
from nemo_lab.reasoning.grpo_settings import CHOICES, GRPOSettings
from nemo_lab.reasoning.policy import token_logprobs
from nemo_lab.reasoning.retro.search import RevisionSettings
from nemo_lab.reasoning.sft import pair_batch
from nemo_lab.training import with_fingerprint
from nemo_lab.training.packing import IGNORE
from nemo_lab.training.settings import TrainingError
from tests.reasoning.refusals import one_wrong, refused
from tests.reasoning.tiny_grpo import PROMPTS, SETTINGS, experience_for, letters


def gradient(policy, experience, chosen, **more):
    policy.model.zero_grad(set_to_none=True)
    accumulate(policy.model, experience, chosen, **more)
    return torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("aggregate", CHOICES["aggregate"])
@pytest.mark.parametrize("overlong", CHOICES["overlong"])
def test_the_gradient_does_not_depend_on_micro_batches(aggregate, overlong):
    policy = tiny_policy.tiny_policy()
    chosen = replace(SETTINGS, aggregate=aggregate, overlong=overlong, kl=0.1)
    experience = experience_for(policy, chosen)
    reference = tiny_policy.tiny_policy(seed=1).model
    whole = gradient(policy, experience, chosen, reference=reference)
    assert whole.abs().max() > 1e-4
    for size in (1, 5, 7):
        part = gradient(policy, experience, replace(chosen, micro_batch=size), reference=reference)
        torch.testing.assert_close(part, whole, atol=1e-6, rtol=1e-4)


def enumerated(reward_V, advantage):
    """The expected GRPO gradient over all pairs of one-token answers, and that of the expected reward."""
    V = len(reward_V)
    config = HybridConfig("*-", vocab_size=V, d_model=8, d_ff=16, n_heads=2, n_kv_heads=1, head_dim=4, init_std=0.5)
    model = HybridLM(config, seed=2)
    p_V = model(torch.tensor([[2, 3]]))[0, -1].softmax(-1)
    model.zero_grad()
    (p_V * reward_V).sum().backward()
    exact = torch.cat([p.grad.flatten() for p in model.parameters()])
    pairs = [(a, b) for a in range(V) for b in range(V)]
    answers = [answer for pair in pairs for answer in pair]
    chosen = GRPOSettings(steps=1, prompts=len(pairs), group=2, max_new_tokens=1, advantage=advantage)
    batch = pair_batch([[2, 3]] * len(answers), [[answer] for answer in answers], 1)
    ones = torch.ones(len(answers))
    reward_B = reward_V[torch.tensor(answers)]
    chance_B = torch.stack([p_V.detach()[a] * p_V.detach()[b] for a, b in pairs]).repeat_interleave(2)
    advantage_B = advantages(reward_B, ones.bool(), chosen) * chance_B * len(pairs)
    experience = Experience(
        batch, token_logprobs(model, batch).detach(), reward_B, advantage_B, ones.bool(), ones.long(), ones.bool(), 0.0
    )
    model.zero_grad()
    accumulate(model, experience, chosen)
    return -torch.cat([p.grad.flatten() for p in model.parameters()]), exact


def test_leave_one_out_is_unbiased_and_the_group_mean_half_of_it():
    reward_V = torch.tensor([0.0, 1.0, 0.3, 0.0, 2.0, 0.5])
    ours, exact = enumerated(reward_V, "loo")
    torch.testing.assert_close(ours, exact, atol=1e-6, rtol=1e-4)
    ours, exact = enumerated(reward_V, "mean")
    torch.testing.assert_close(ours * 2, exact, atol=1e-6, rtol=1e-4)


@given(st.sampled_from(CHOICES["aggregate"]), st.integers(0, 2**20))
@settings(max_examples=20, deadline=None)
def test_token_weights_add_up(aggregate, seed):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 7, (5,), generator=random)
    made = example([0.0] * 5, lengths.tolist())
    batch, counted = made.batch, torch.rand(5, generator=random) < 0.7
    experience = replace(made, counted_B=counted)
    weight_BL = token_weights(experience, replace(SETTINGS, aggregate=aggregate))
    assert not weight_BL[batch.targets_BL == IGNORE].any()
    assert not weight_BL[~counted].any()
    expected = 1.0 if aggregate != "constant" else float(lengths[counted].sum() / (6 * counted.sum().clamp(min=1)))
    assert float(weight_BL.sum()) == pytest.approx(expected * bool(counted.any()), abs=1e-5)


@pytest.mark.parametrize("overlong", CHOICES["overlong"])
def test_answers_that_did_not_end_count_or_not_as_the_setting_says(overlong):
    chosen = replace(SETTINGS, overlong=overlong)
    experience = experience_for(tiny_policy.tiny_policy(), chosen)
    assert not experience.ended_B.all()
    counted = experience.ended_B if overlong == "mask" else torch.ones_like(experience.ended_B)
    assert torch.equal(experience.counted_B, counted)
    plain = experience_for(tiny_policy.tiny_policy(), SETTINGS).reward_B
    punished = (plain - experience.reward_B)[~experience.ended_B]
    assert set(punished.tolist()) == {1.0 if overlong == "soft" else 0.0}


def test_clipping_stops_what_has_moved_far_enough():
    policy = tiny_policy.tiny_policy()
    chosen = replace(SETTINGS, updates=3)
    experience = experience_for(policy, chosen)
    now_BL = token_logprobs(policy.model, experience.batch).detach()
    sign_BL = experience.advantage_B[:, None].sign()
    moved = gradient(policy, experience, chosen, before_BL=now_BL - sign_BL)  # ratio e for A > 0, 1/e for A < 0
    assert not moved.any()
    back = gradient(policy, experience, chosen, before_BL=now_BL + sign_BL)
    assert back.abs().max() > 1e-4


def held(policy, chosen):
    """Answers that no reward speaks for or against: all that is left of the loss is the KL term."""
    return replace(experience_for(policy, chosen), advantage_B=torch.zeros(len(PROMPTS) * chosen.group))


def test_the_kl_term_is_k3_of_the_policy_against_the_reference():
    """r - log r - 1 with r = pi_ref / pi, in value and in gradient; the other way round is another number."""
    policy, reference = tiny_policy.tiny_policy(), tiny_policy.tiny_policy(seed=1).model
    chosen = replace(SETTINGS, kl=0.5, temperature=0.7)
    experience = held(policy, chosen)
    ours = gradient(policy, experience, chosen, reference=reference)
    seen = accumulate(policy.model, experience, chosen, reference)["kl"]
    policy.model.zero_grad(set_to_none=True)
    logp_BL = token_logprobs(policy.model, experience.batch, 0.7)
    with torch.no_grad():
        reference_BL = token_logprobs(reference, experience.batch, 0.7)
    ratio_BL = (reference_BL - logp_BL).exp()
    k3_BL = ratio_BL - ratio_BL.log() - 1
    (0.5 * (token_weights(experience, chosen) * k3_BL).sum()).backward()
    exact = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    torch.testing.assert_close(ours, exact, atol=1e-7, rtol=1e-4)
    tokens = float(experience.length_B.sum())
    assert seen == pytest.approx(k3_BL.sum().item() / tokens, rel=1e-4)
    reversed_BL = 1 / ratio_BL + ratio_BL.log() - 1
    assert seen != pytest.approx(reversed_BL.sum().item() / tokens, rel=0.05)
    assert all(p.grad is None for p in reference.parameters())


def test_the_kl_term_draws_the_policy_to_the_reference_and_its_size_is_the_setting():
    policy, reference = tiny_policy.tiny_policy(), tiny_policy.tiny_policy(seed=1).model
    chosen = replace(SETTINGS, kl=0.5)
    experience = held(policy, chosen)
    before = accumulate(policy.model, experience, chosen, reference)["kl"]
    step = gradient(policy, experience, chosen, reference=reference)
    torch.testing.assert_close(gradient(policy, experience, replace(chosen, kl=1.0), reference=reference), 2 * step)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter -= 0.05 * parameter.grad
    assert accumulate(policy.model, experience, chosen, reference)["kl"] < before
    same = copy.deepcopy(policy.model)
    assert accumulate(policy.model, experience, chosen, same)["kl"] == pytest.approx(0, abs=1e-7)


def test_the_learning_rate_warms_up_and_stays(monkeypatch):
    chosen = replace(SETTINGS, steps=5, warmup_steps=2, peak_lr=3e-4)
    history = grpo(tiny_policy.tiny_policy(), lambda step, attempt: PROMPTS, letters, chosen)
    assert history.lr.tolist() == pytest.approx([1e-4, 2e-4, 3e-4, 3e-4, 3e-4])


def test_a_sequence_ratio_is_the_geometric_mean():
    logp = torch.tensor([[0.0, -1.0, -2.0, 0.0]])
    before = torch.tensor([[0.0, -2.0, -2.5, 7.0]])
    mask = torch.tensor([[False, True, True, False]])
    ratio = importance(logp, before, mask, replace(SETTINGS, importance="sequence"))
    torch.testing.assert_close(ratio, torch.full((1, 4), 0.75).exp())


def test_the_truncated_weight_follows_the_sampler():
    policy = tiny_policy.tiny_policy()
    experience = experience_for(policy, SETTINGS)
    plain = gradient(policy, experience, SETTINGS)
    close = gradient(policy, experience, replace(SETTINGS, sampler_cap=2.0))
    torch.testing.assert_close(close, plain, atol=1e-4, rtol=1e-2)  # the sampler is the trainer
    lower = Experience(**(vars(experience) | {"sampled_BL": experience.sampled_BL - 9.0}))
    capped = gradient(policy, lower, replace(SETTINGS, sampler_cap=2.0))
    torch.testing.assert_close(capped, 2 * plain, atol=1e-4, rtol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"advantage": "mean", "aggregate": "constant"},
        {"advantage": "loo", "updates": 2, "clip_high": 0.28},
        {"aggregate": "sequence", "kl": 0.01, "overlong": "soft"},
        {"importance": "sequence", "updates": 4},
        {"resamples": 1, "sampler_cap": 2.0, "overlong": "mask"},
    ],
    ids=str,
)
def test_every_variant_learns(changes):
    policy = tiny_policy.tiny_policy(d_model=32)
    chosen = replace(GRPOSettings(40, prompts=4, group=8, max_new_tokens=4, peak_lr=1e-2), **changes)
    reference = copy.deepcopy(policy.model) if chosen.kl else None

    def reward(prompt, text, ended):
        return sum(letter in "0123456789" for letter in text) / 4

    history = grpo(policy, lambda step, attempt: [Prompt(p) for p in "abcd"], reward, chosen, reference=reference)
    assert history.reward.tail(5).mean() > history.reward.head(5).mean() + 0.3
    assert history.gap.max() < 1e-3
    assert history[[f"rate_{k}" for k in range(9)]].sum(axis=1).round(6).eq(1).all()


def test_a_hugging_face_model_learns_too():
    policy = tiny_policy.tiny_llama()
    chosen = GRPOSettings(25, prompts=2, group=8, max_new_tokens=4, peak_lr=1e-2)
    history = grpo(
        policy, lambda step, attempt: [Prompt("a"), Prompt("b")], lambda prompt, text, ended: float("z" in text), chosen
    )
    assert history.reward.tail(5).mean() > history.reward.head(5).mean() + 0.2


def test_a_killed_run_resumes_to_the_same_curve(tmp_path):
    worker = [sys.executable, killed_grpo.__file__, str(tmp_path / "killed"), "5"]
    root = Path(__file__).parents[2]
    done = subprocess.run(worker, check=False, cwd=root, env={"PYTHONPATH": f"{root}:{Path(__file__).parent}"})
    assert done.returncode == -signal.SIGKILL
    resumed, history = killed_grpo.run(tmp_path / "killed", killed_grpo.vowels)
    whole, expected = killed_grpo.run(tmp_path / "whole", killed_grpo.vowels)
    columns = [name for name in history if not name.startswith("seconds")]
    pd.testing.assert_frame_equal(history[columns], expected[columns])
    for ours, theirs in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_mistakes_are_named(tmp_path):
    policy = tiny_policy.tiny_policy()
    with pytest.raises(TrainingError, match="kl is above 0"):
        grpo(policy, lambda step, attempt: PROMPTS, letters, replace(SETTINGS, kl=0.1))
    with pytest.raises(TrainingError, match="are 1, not prompts=3"):
        grpo(policy, lambda step, attempt: PROMPTS[:1], letters, SETTINGS)
    for wrong, said in [
        ({"group": 1}, "group is 1"),
        ({"advantage": "z"}, "choose one of std"),
        ({"updates": 2}, "cannot be cut"),
        ({"peak_lr": 0.0}, "peak_lr is 0.0"),
        ({"kl": -1.0}, "kl is -1.0"),
        ({"peak_lr": "1e-6"}, "peak_lr is '1e-6'"),
        ({"clip_low": None}, "clip_low is None"),
    ]:
        with pytest.raises(TrainingError, match=said):
            replace(SETTINGS, **wrong)
    with pytest.raises(TrainingError, match=r"is 'abc'; make each a `Prompt`"):
        grpo(policy, lambda step, attempt: ["abc"] * 3, letters, SETTINGS)


@pytest.mark.parametrize("found", [float("nan"), float("inf"), None, "much"])
def test_a_reward_that_is_no_number_is_named_and_spoils_nothing(found):
    policy, control = tiny_policy.tiny_policy(), tiny_policy.tiny_policy()
    with pytest.raises(TrainingError, match=r"to '1.1=' is .*; a reward must be a finite number"):
        grpo(policy, lambda step, attempt: PROMPTS, lambda prompt, text, ended: found, SETTINGS)
    for run in (policy, control):
        grpo(run, lambda step, attempt: PROMPTS, letters, SETTINGS)
    for ours, theirs in zip(policy.model.parameters(), control.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_gradients_of_a_run_that_failed_are_forgotten():
    policy, control = tiny_policy.tiny_policy(), tiny_policy.tiny_policy()
    for weight in policy.model.parameters():
        weight.grad = torch.full_like(weight, torch.nan)
    for run in (policy, control):
        grpo(run, lambda step, attempt: PROMPTS, letters, SETTINGS)
    for ours, theirs in zip(policy.model.parameters(), control.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_reward_sees_no_end_token():
    """Also where `decode` would show it, as a tokenizer of Hugging Face does."""
    policy, seen = tiny_policy.tiny_policy(), []
    shown = replace(policy, decode=lambda tokens: " ".join(map(str, tokens)))

    def note(prompt, text, ended):
        seen.append((text.split(), ended))
        return float(len(seen) % 2)

    grpo(shown, lambda step, attempt: PROMPTS, note, replace(SETTINGS, steps=8, group=16, max_new_tokens=20))
    assert any(ended for _, ended in seen)
    assert not any(str(policy.end) in tokens for tokens, _ in seen)


KNOWN = {
    "prompts": with_fingerprint(lambda step, attempt: PROMPTS, "three"),
    "reward": with_fingerprint(letters, "letters"),
    "settings": replace(SETTINGS, kl=0.1),
    "seed": 3,
    "reference": 5,
}


def known_run(folder, **changes):
    how = KNOWN | changes
    policy, reference = (tiny_policy.tiny_policy(seed=how[name]) for name in ("seed", "reference"))
    if how.get("wide"):
        policy = tiny_policy.tiny_policy(seed=3, d_ff=48)
    reference = reference.model
    return grpo(policy, how["prompts"], how["reward"], how["settings"], reference=reference, folder=folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompts": with_fingerprint(lambda step, attempt: PROMPTS, "others")}, "has prompts="),
        ({"prompts": lambda step, attempt: PROMPTS}, r"has prompts='\w+', now it is ''"),
        ({"reward": with_fingerprint(letters, "numbers")}, "has reward="),
        ({"reference": 6}, "has reference="),
        ({"wide": True}, "model.config.d_ff=32, now it is 48"),
        ({"settings": replace(SETTINGS, kl=0.2)}, "settings.kl=0.1, now it is 0.2"),
    ],
)
def test_a_folder_knows_what_it_learned_from(tmp_path, changes, said):
    first = known_run(tmp_path)
    assert known_run(tmp_path).equals(first)
    with pytest.raises(TrainingError, match=said):
        known_run(tmp_path, **changes)


def test_a_gradient_that_is_no_number_spoils_nothing(monkeypatch):
    policy, control = tiny_policy.tiny_policy(), tiny_policy.tiny_policy()
    policy.model.head.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(TrainingError, match="The gradient is not finite"):
        grpo(policy, lambda step, attempt: PROMPTS, letters, SETTINGS)
    for ours, theirs in zip(policy.model.parameters(), control.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


NAN = math.nan
POLICY = tiny_policy.tiny_policy()
SEARCH = RevisionSettings(max_new_tokens=4)
ONE_STEP = GRPOSettings(1, prompts=1, group=2, max_new_tokens=2)


@one_wrong(
    {
        "policy": [None, POLICY.model],
        "prompts": [None, [], lambda step, attempt: None, lambda step, attempt: [Prompt("")]],
        "reward": [None, "x", lambda *given: None, lambda *given: NAN, lambda *given: "x"],
        "settings": [None, {}, SEARCH, replace(ONE_STEP, kl=0.1)],
    }
)
def test_grpo(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {
        "policy": POLICY,
        "prompts": lambda step, attempt: [Prompt("1+1=")],
        "reward": lambda *given: 1.0,
        "settings": ONE_STEP,
        "progress": False,
    }
    refused(lambda: grpo(**usual | {name: wrong}))


@pytest.mark.parametrize(
    ("more", "words"),
    [({"folder": 3}, "folder is 3, expected the path"), ({"on_step": 3}, "on_step is 3, which cannot be called")],
)
def test_a_wrong_folder_or_listener_is_refused_before_anything_is_sampled(more, words):
    with pytest.raises(LabError, match=words):
        grpo(tiny_policy.tiny_policy(), lambda step, attempt: PROMPTS, letters, SETTINGS, **more)
