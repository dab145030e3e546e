r"""Group relative policy optimisation, whole: sample groups of answers, compare within groups, climb.

For a prompt, G answers o_i with rewards r_i are drawn. The advantage of an answer is its reward relative to its
group, A_i = (r_i - mean r) / std r, the same for all its tokens, so no value network is needed. With the ratio
rho_t = pi(o_t) / pi_old(o_t) between the policy now and when it sampled, the loss is

    - mean_t min(rho_t A, clip(rho_t, 1 - eps_low, 1 + eps_high) A) + beta KL,
    KL = exp(x) - x - 1,   x = log pi_ref - log pi

(DeepSeekMath, arXiv 2402.03300; KL is the estimator k3). With one update a batch rho is 1, clipping never acts and
this is REINFORCE with the group's mean as baseline. `grpo_settings` names the variants, notebook 09 shows them.

A step is a function of (weights, settings, step): prompts come from `prompts(step, attempt)`, random numbers from
(seed, step, attempt). A killed run therefore resumes to the same curve. The normaliser of the loss is that of
the whole update, so that gradients do not depend on how it is cut into micro-batches.

Left out on purpose: a value network, asynchronous sampling, several epochs over one batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nemo_lab.errors import check_callable, check_instance, check_path
from nemo_lab.progress import progress as progress_bar
from nemo_lab.reasoning.experience import Experience, Prompts, Reward, Row, gather, rows_of, summary
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, autocast, check_policy, on_device, token_logprobs
from nemo_lab.training import checkpoints
from nemo_lab.training.identity import identity_of, weights_fingerprint
from nemo_lab.training.loop import take_step
from nemo_lab.training.memory import keep_freed_memory
from nemo_lab.training.optimizer import adamw
from nemo_lab.training.packing import IGNORE, Batch
from nemo_lab.training.settings import TrainingError, TrainSettings


def grpo(
    policy: Policy,
    prompts: Prompts,
    reward: Reward,
    settings: GRPOSettings,
    *,
    reference: Any = None,
    folder: str | Path | None = None,
    progress: bool = True,
    on_step: Callable[[Row], object] | None = None,
) -> pd.DataFrame:
    """Train the policy's model in place and return its history.

    Args:
        prompts: `settings.prompts` prompts for (step, attempt). reward: scores one answer.
        reference: the frozen model of the KL term; needed where `settings.kl` is above 0.
        folder: where checkpoints go, every `settings.checkpoint_every` steps and after the last, and where to go on
            from; None keeps nothing. Prompts and reward are compared with those of the earlier run by their
            fingerprint (`training.with_fingerprint`); those without one are not.
        on_step: called after each step with its row of the history.

    Returns:
        One row a step: step (from 1), reward (mean), zero_std (share of groups without a signal), rate_0 … rate_8
        (share of groups by mean reward: rate_k holds k/8 up to (k+1)/8, rate_8 those at 1), entropy (nats a
        token), length, length_right, length_wrong (tokens; right is a reward above 0), ended (share), clipped
        (share of tokens), gap (mean absolute difference of log-probability between trainer and sampler), kl,
        grad_norm, lr, attempts, tokens (sampled so far), seconds_sampling and seconds_update (of this step).

    Raises:
        LabError: no policy, or something else than functions and settings.
        TrainingError: no reference for a KL term, a wrong number of prompts or something else than prompts, a reward
            that is no finite number, a gradient that is not, a folder of other settings, another model, another
            reference, or prompts or a reward of another fingerprint.
    """
    _check(policy, prompts, reward, settings, reference)
    if on_step is not None:
        check_callable("on_step", on_step, "give a function of a row of the history, or leave it out")
    keep_freed_memory()
    optimizer = adamw(policy.model, _optimizer_settings(settings))
    optimizer.zero_grad(set_to_none=True)  # what a run that failed half way may have left
    where = None if folder is None else check_path("folder", folder)
    run = _identity(policy, prompts, reward, settings, reference) if where else {}
    history = checkpoints.resume(where, policy.model, optimizer, run) if where else []
    with progress_bar(total=settings.steps, desc="GRPO", unit="step") if progress else _NoBar() as bar:
        bar.update(len(history))
        for step in range(len(history), settings.steps):
            history.append(_step(policy, optimizer, prompts, reward, settings, step, reference, history))
            if where and checkpoints.is_due(step + 1, settings.checkpoint_every, settings.steps):
                checkpoints.save(where, policy.model, optimizer, history, run)
            if on_step:
                on_step(history[-1])
            bar.set_postfix({"reward": f"{history[-1]['reward']:.2f}"}, refresh=False)
            bar.update()
    return pd.DataFrame(history).astype({"step": int})


def _identity(
    policy: Policy, prompts: Prompts, reward: Reward, settings: GRPOSettings, reference: Any
) -> dict[str, Any]:
    """What must be the same when a run goes on; the reference counts where there is a KL term."""
    return {
        "settings": asdict(settings),
        "model": identity_of(policy.model),
        "tokens": {"end": policy.end if isinstance(policy.end, int) else list(policy.end), "pad": policy.pad},
        "prompts": getattr(prompts, "fingerprint", ""),
        "reward": getattr(reward, "fingerprint", ""),
        "reference": weights_fingerprint(reference) if settings.kl else "",
    }


def _check(policy: object, prompts: object, reward: object, settings: GRPOSettings, reference: Any) -> None:
    check_policy(policy)
    check_callable("prompts", prompts, "give a function of step and attempt that returns a list of Prompt")
    check_callable("reward", reward, "give a function of prompt, text and whether it ended")
    check_instance("settings", settings, GRPOSettings, "make it with GRPOSettings(steps=...)")
    if settings.kl and reference is None:
        raise TrainingError("kl is above 0, but there is no reference model; pass reference=… or set kl=0.")


class _NoBar:
    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...

    def update(self, count: int = 1) -> None: ...

    def set_postfix(self, values: Row, refresh: bool = True) -> None: ...


def _optimizer_settings(settings: GRPOSettings) -> TrainSettings:
    """AdamW without weight decay: a reward says nothing about the size of weights."""
    return TrainSettings(
        steps=settings.steps, batch_size=1, peak_lr=settings.peak_lr, schedule="constant", weight_decay=0.0
    )


def _step(
    policy: Policy,
    optimizer: torch.optim.Optimizer,
    prompts: Prompts,
    reward: Reward,
    settings: GRPOSettings,
    step: int,
    reference: Any,
    history: list[Row],
) -> Row:
    """Sample, score, update; returns the row of this step."""
    began = time.perf_counter()
    experience, attempts = gather(policy, prompts, reward, settings, step)
    sampled = time.perf_counter()
    lr = settings.peak_lr * min(1.0, (step + 1) / (settings.warmup_steps + 1))
    policy.model.train()
    updated = _update(policy.model, optimizer, experience, settings, reference, lr)
    row = {"step": step + 1.0} | summary(experience, settings) | updated
    before = history[-1]["tokens"] if history else 0.0
    return row | {
        "lr": lr,
        "attempts": float(attempts),
        "tokens": before + float(experience.length_B.sum()),
        "seconds_sampling": sampled - began,
        "seconds_update": time.perf_counter() - sampled,
    }


def _update(
    model: Any,
    optimizer: torch.optim.Optimizer,
    experience: Experience,
    settings: GRPOSettings,
    reference: Any,
    lr: float,
) -> Row:
    """Take `settings.updates` optimiser updates on an experience; returns means over them."""
    rows = len(experience.reward_B) // settings.updates
    before_BL = _logprobs(model, experience.batch, settings) if settings.updates > 1 else None
    results = []
    for start in range(0, len(experience.reward_B), rows):
        span = slice(start, start + rows)
        before = None if before_BL is None else before_BL[span]
        result = accumulate(model, rows_of(experience, span), settings, reference, before)
        result["grad_norm"] = take_step(model, optimizer, lr, settings.clip)
        results.append(result)
    return {name: float(np.mean([result[name] for result in results])) for name in results[0]}


@torch.no_grad()
def _logprobs(model: Any, batch: Batch, settings: GRPOSettings) -> Tensor:
    with autocast(model, settings.precision):
        return token_logprobs(model, Batch(*on_device(model, batch)), settings.temperature).float().cpu()


def accumulate(
    model: Any, experience: Experience, settings: GRPOSettings, reference: Any = None, before_BL: Tensor | None = None
) -> Row:
    """Add the gradient of the loss over an experience, in micro-batches; returns what was seen on the way.

    `before_BL` are the trainer's log-probabilities before the first update of this batch; None: this is it.
    """
    weight_BL = token_weights(experience, settings)
    size = settings.micro_batch or len(experience.reward_B)
    totals = {"clipped": 0.0, "gap": 0.0, "kl": 0.0}
    for start in range(0, len(experience.reward_B), size):
        span = slice(start, start + size)
        before = None if before_BL is None else before_BL[span]
        seen = _backward(model, rows_of(experience, span), weight_BL[span], before, settings, reference)
        totals = {name: total + seen[name] for name, total in totals.items()}
    return {name: total / float(experience.length_B.sum()) for name, total in totals.items()}


def token_weights(experience: Experience, settings: GRPOSettings) -> Tensor:
    """What each token's term counts in the loss, (B, L); all that is not a counted response token is 0."""
    mask_BL = (experience.batch.targets_BL != IGNORE) * experience.counted_B[:, None].float()
    rows = experience.counted_B.sum().clamp(min=1)
    if settings.aggregate == "token":
        return mask_BL / mask_BL.sum().clamp(min=1)
    if settings.aggregate == "sequence":
        return mask_BL / mask_BL.sum(1, keepdim=True).clamp(min=1) / rows
    return mask_BL / (rows * settings.max_new_tokens)


def _backward(
    model: Any, part: Experience, weight_BL: Tensor, before_BL: Tensor | None, settings: GRPOSettings, reference: Any
) -> Row:
    """Add one micro-batch's gradient; returns sums over its tokens."""
    batch = Batch(*on_device(model, part.batch))
    weight_BL, sampled_BL, advantage_B = on_device(model, (weight_BL, part.sampled_BL, part.advantage_B))
    mask_BL = batch.targets_BL != IGNORE
    with autocast(model, settings.precision):
        logp_BL = token_logprobs(model, batch, settings.temperature).float()
    before_BL = logp_BL.detach() if before_BL is None else before_BL.to(logp_BL.device)
    ratio_BL = importance(logp_BL, before_BL, mask_BL, settings)
    low, high = 1 - settings.clip_low, 1 + settings.clip_high
    gain_BL = torch.minimum(ratio_BL * advantage_B[:, None], ratio_BL.clamp(low, high) * advantage_B[:, None])
    if settings.sampler_cap:
        gain_BL = gain_BL * (before_BL - sampled_BL).exp().clamp(max=settings.sampler_cap)
    kl_BL = _kl(reference, batch, logp_BL, settings)
    (weight_BL * (settings.kl * kl_BL - gain_BL)).sum().backward()
    outside_BL = ((ratio_BL < low) | (ratio_BL > high)) & mask_BL
    gap_BL = (before_BL - sampled_BL).abs() * mask_BL
    return {name: float(x.detach().sum()) for name, x in (("clipped", outside_BL), ("gap", gap_BL), ("kl", kl_BL))}


def importance(logp_BL: Tensor, before_BL: Tensor, mask_BL: Tensor, settings: GRPOSettings) -> Tensor:
    """The ratio of the policy now to the one that sampled, a token; GSPO's is the geometric mean of an answer."""
    difference_BL = (logp_BL - before_BL) * mask_BL
    if settings.importance == "sequence":
        difference_BL = (difference_BL.sum(1, keepdim=True) / mask_BL.sum(1, keepdim=True)).expand_as(logp_BL)
    return difference_BL.exp()


def _kl(reference: Any, batch: Batch, logp_BL: Tensor, settings: GRPOSettings) -> Tensor:
    """The estimator k3 of KL(policy, reference) a token, (B, L), never negative; 0 without a reference."""
    if not settings.kl:
        return torch.zeros_like(logp_BL)
    with torch.no_grad(), autocast(reference, settings.precision):
        x_BL = token_logprobs(reference, batch, settings.temperature).float()
    x_BL = x_BL - logp_BL
    return x_BL.exp() - x_BL - 1
