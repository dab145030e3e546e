"""The runs of notebook 09, as independent jobs: tune a model by a lesson, then practise with GRPO from there.

    tuned = tune(lab.settings, seed, "paired")                       # SFT; keeps some checkpoints
    result = practise(lab.settings, seed, tuned.states["late"], Practice("main"))

Jobs travel between processes (`jobs.run_many`), so they take and return numbers, frames and small tensors.
Everything of a seed starts from the same weights and meets the same prompts in the same order; runs of one seed
differ in what their names say and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nemo_lab.reasoning import curriculum
from nemo_lab.reasoning.evaluate import answer, pass_at, pass_rates, score
from nemo_lab.reasoning.experience import Prompt, Prompts, Reward
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, State, small_policy
from nemo_lab.reasoning.questions.domains import check_canaries, draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import MODES, prompt_of, reward
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.studies.reasoning_toggle_rl.lessons import SumTeacher, lesson_pairs
from nemo_lab.studies.reasoning_toggle_rl.settings import ToggleRL
from nemo_lab.training import TrainSettings, train, with_fingerprint

LEVEL = {"on": 3, "off": 2}  # digits of the numbers that a mode is practised and examined on
ROOM = {"on": 20, "off": 7}  # tokens that an answer may take
ORDERS = {
    "curriculum": curriculum.gaussian_batches,
    "random": curriculum.random_batches,
    "fixed": curriculum.fixed_batches,
    "reversed": curriculum.reversed_batches,
}
Grades = dict[str, float]


@dataclass(frozen=True)
class Tuned:
    """A model after a lesson: its grades by step, and its weights at some of the steps by name."""

    curve: pd.DataFrame
    states: dict[str, State]


@dataclass(frozen=True)
class Practice:
    """One GRPO run. `mode` on, off or both; `order` of the prompts (fresh ones, or of `ORDERS`).

    `combine` is how format and accuracy make the reward; the judge rejects a right answer with chance
    `false_negatives` and accepts a wrong one with chance `false_positives`; `grpo` overrides its settings.
    """

    name: str
    mode: str = "on"
    order: str = "fresh"
    combine: str = "product"
    false_negatives: float = 0.0
    false_positives: float = 0.0
    grpo: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Practised:
    """History of a GRPO run, grades before and after it, and the weights after it."""

    history: pd.DataFrame
    before: Grades
    after: Grades
    state: State


def _policy(settings: ToggleRL, seed: int = 0) -> Policy:
    """A small Transformer over the characters, untrained."""
    return small_policy(settings.d_model, "*-" * settings.pairs, seed)


def training_items(settings: ToggleRL, seed: int) -> list[Item]:
    """Sums of two and of three digits, half and half, in random order: lessons go by an item's place."""
    count = settings.items // 2
    drawn = [item for level in sorted(LEVEL.values()) for item in draw("sum", count, seed=seed, level=level)]
    return [drawn[k] for k in np.random.default_rng(seed).permutation(len(drawn))]


def exam_items(settings: ToggleRL, seed: int, mode: str) -> list[Item]:
    """Held-out sums that a mode is examined on."""
    return draw("sum", settings.exam_items, seed=seed, split="test", level=LEVEL[mode])


def examine(settings: ToggleRL, policy: Policy, seed: int, samples: int = 0) -> Grades:
    """Greedy accuracy, adherence and tokens of both modes; with `samples`, pass@1 and pass@samples too."""
    grades: Grades = {}
    for mode in MODES:
        items = exam_items(settings, seed, mode)
        greedy = score(answer(policy, items, mode=mode, max_new_tokens=ROOM[mode]))
        grades |= {f"{mode}.accuracy": greedy.accuracy, f"{mode}.adherence": greedy.adherence}
        grades |= {f"{mode}.tokens": greedy.tokens}
        if samples:
            drawn = answer(
                policy,
                items[: max(1, len(items) // 4)],
                mode=mode,
                max_new_tokens=ROOM[mode],
                samples=samples,
                temperature=1.0,
                seed=seed,
            )
            grades |= {f"{mode}.pass@{k}": pass_at(drawn, k) for k in _powers(samples)}
    return grades


def _powers(most: int) -> list[int]:
    return [2**k for k in range(most.bit_length()) if 2**k <= most]


def tune(
    settings: ToggleRL, seed: int, lesson: str, *, steps: int = 0, peak_lr: float = 0.0, start: State | None = None
) -> Tuned:
    """Teach a fresh model (or `start`) by a lesson; keeps the weights early, in the middle and at the end.

    Args:
        settings: as in `lab.settings`. lesson: one of `LESSONS`.
        steps, peak_lr: other than the settings' own. start: weights to go on from.
    """
    steps = steps or settings.sft_steps
    policy = _policy(settings, seed) if start is None else _policy(settings).with_state(start)
    items, teacher = training_items(settings, seed), SumTeacher(settings.slip)
    pairs = lesson_pairs(lesson, items, teacher, steps=steps, batch_size=settings.batch_size, seed=seed)
    at = {max(1, round(settings.early * steps)): "early", max(1, round(settings.middle * steps)): "middle"}
    states: dict[str, State] = {}
    rows = []

    def look(row: Mapping[str, float]) -> None:
        step = int(row["step"])
        if step in at or step % max(1, steps // settings.curve_points) == 0:
            rows.append({"step": step, **examine(settings, policy, seed)})
        if step in at:
            states[at[step]] = policy.state()

    train(
        policy.model,
        pair_source(pairs, policy.encode, policy.end, policy.pad),
        TrainSettings(
            steps=steps,
            batch_size=settings.batch_size,
            peak_lr=peak_lr or settings.sft_lr,
            warmup_steps=min(20, steps // 2),
            min_lr_ratio=0.05,
            weight_decay=0.01,
            seed=seed,
        ),
        progress=False,
        on_step=look,
    )
    return Tuned(pd.DataFrame(rows), states | {"late": policy.state()})


def measure_pass_rates(settings: ToggleRL, seed: int, start: State) -> list[float]:
    """Pass rates, by eight sampled answers each, of the prompts that the orders deal out."""
    policy = _policy(settings).with_state(start)
    items = curriculum_items(settings, seed)
    drawn = answer(policy, items, mode="on", max_new_tokens=ROOM["on"], samples=8, temperature=1.0, seed=seed)
    return pass_rates(drawn)


def curriculum_items(settings: ToggleRL, seed: int) -> list[Item]:
    """Three times as many three-digit sums as a run of the orders uses: some are dropped, and bins must not run dry."""
    count = 3 * settings.rl_steps * settings.prompts
    return draw("sum", count, seed=seed, level=LEVEL["on"], start=settings.items)


def practise(
    settings: ToggleRL,
    seed: int,
    start: State,
    practice: Practice,
    rates: Sequence[float] = (),
    samples: int = 0,
    examine_start: bool = True,
    on_step: Callable[[Mapping[str, float]], object] | None = None,
) -> Practised:
    """One GRPO run from kept weights.

    Args:
        rates: pass rates of `curriculum_items`, for orders other than fresh.
        samples: answers an item for pass@k before and after. examine_start: whether to grade the start too (`before`
            is empty otherwise). on_step: as in `grpo`.

    Raises:
        LabError: the checker that rewards come from fails one of its canaries.
    """
    check_canaries(["sum"])
    policy = _policy(settings).with_state(start)
    before = examine(settings, policy, seed, samples) if examine_start else {}
    chosen = GRPOSettings(
        **{
            "steps": settings.rl_steps,
            "prompts": settings.prompts,
            "group": settings.group,
            "max_new_tokens": ROOM["off" if practice.mode == "off" else "on"],
            "peak_lr": settings.rl_lr,
            "seed": seed,
        }
        | dict(practice.grpo)
    )
    prompts, verdict = _prompts(settings, seed, practice, rates), judge(practice, seed)
    history = grpo(policy, prompts, verdict, chosen, progress=False, on_step=on_step)
    return Practised(history, before, examine(settings, policy, seed, samples), policy.state())


def _prompts(settings: ToggleRL, seed: int, practice: Practice, rates: Sequence[float]) -> Prompts:
    modes = MODES if practice.mode == "both" else (practice.mode,)
    if practice.order != "fresh":
        items = curriculum_items(settings, seed)
        batches = ORDERS[practice.order](rates, settings.rl_steps, settings.prompts, seed=seed)
        return with_fingerprint(lambda step, attempt: [_prompt(items[k], "on") for k in batches[step]], items, batches)
    pools = {mode: draw("sum", settings.items // 2, seed=seed, level=LEVEL[mode]) for mode in modes}

    def prompts(step: int, attempt: int) -> list[Prompt]:
        random = np.random.default_rng([seed, step, attempt])
        chosen = [modes[i % len(modes)] for i in range(settings.prompts)]
        return [_prompt(pools[mode][int(random.integers(len(pools[mode])))], mode) for mode in chosen]

    return with_fingerprint(prompts, "fresh", pools, settings.prompts, seed)


def _prompt(item: Item, mode: str) -> Prompt:
    return Prompt(prompt_of(item, mode), (item, mode))


def judge(practice: Practice, seed: int) -> Reward:
    """The reward of a run: correctness and format, judged with the run's share of errors.

    A verdict depends on prompt and answer alone: a judge that errs on an answer errs on it every time.
    """

    def verdict(prompt: Prompt, text: str, ended: bool) -> float:
        item, mode = prompt.about
        worth = reward(item, text, ended=ended, mode=mode, combine=practice.combine)
        wrong = practice.false_positives if worth == 0 else practice.false_negatives
        if not wrong or not ended:
            return worth
        digest = np.random.SeedSequence([seed, *prompt.text.encode(), *text.encode()]).generate_state(1)[0]
        return 1.0 - worth if digest < wrong * 2**32 else worth

    errors = (practice.false_positives, practice.false_negatives)
    return with_fingerprint(verdict, "verdict", practice.combine, errors, seed)
