"""The model that notebook 10 starts RL from, and its measures (Nemotron-CrossThink, arXiv 2504.13941).

`start_model` tunes a small model from scratch on all domains in both templates, to a middle level, with long and
short solutions mixed, so that RL has something to choose. `runs` trains copies of it.

**Relative to the paper.** Its base model learned from trillions of tokens; ours from these very domains, so that RL
sharpens what tuning has shown. One domain (`order`) is tuned on and never in RL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from nemo_lab.reasoning.evaluate import answer, pass_rates
from nemo_lab.reasoning.policy import Policy, State, small_policy
from nemo_lab.reasoning.questions.domains import draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import TEMPLATES, as_choice, prompt_of, response_of
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.studies.crossthink_rl.settings import CrossThink
from nemo_lab.training import TrainSettings, train, with_fingerprint

LEVELS = {"sum": 3, "chain": 3, "logic": 2, "path": 2, "reverse": 4, "order": 3}  # count was not learned in pilots
SHARES = {"sum": 1.6, "chain": 1.8, "logic": 0.6, "path": 1.4, "reverse": 0.6, "order": 0.9}  # of tuning's rows
HELD_OUT = "order"  # tuned on, and in no arm of RL
RL_DOMAINS = tuple(name for name in LEVELS if name != HELD_OUT)
MODE = "on"
SHORT_EARLY, SHORT_LAST = 0.1, 0.88  # share of short solutions at first, and where in tuning it becomes `short`
SFT_SEED, RL_SEED = 10_000, 20_000  # other questions for tuning, for RL and for the test


def draws(seed: int, count: int, split: str, domains: Sequence[str] = tuple(LEVELS)) -> list[Item]:
    """`count` questions of each domain at its level, each with four options.

    Wrong options are the answers to other questions of the domain, as far as they differ. `domains.DOMAINS` has
    nearer ones, which make it harder still for a small model to find its own answer among the options.
    """
    return [item for name in domains for item in _drawn(name, seed, count, split)]


@lru_cache(maxsize=64)
def _drawn(name: str, seed: int, count: int, split: str) -> tuple[Item, ...]:
    """The questions of one domain; a process makes many runs on the same ones."""
    random = np.random.default_rng([seed, 7])
    items = draw(name, count, seed=seed, split=split, level=LEVELS[name])
    answers = list(dict.fromkeys(item.answer for item in items))
    return tuple(as_choice(_with_options(item, answers, random), random) for item in items)


def _with_options(item: Item, answers: Sequence[str], random: np.random.Generator) -> Item:
    """The item with three other answers, if there are so many."""
    few = [answers[k] for k in random.integers(len(answers), size=12)]
    others = list(dict.fromkeys(answer for answer in few if answer != item.answer))[:3]
    return replace(item, options=(item.answer, *others)) if len(others) == 3 else item


# --- the start


@dataclass(frozen=True)
class Start:
    """A tuned model to begin RL from.

    Attributes:
        seed: of its weights and data. state: its weights. early: those from half-way, a weaker model.
        loss: of tuning, one row an update. answers: what it does on held-out questions, as `ArmResult.answers`.
        rates: share of right answers of eight to training questions; columns domain, template, rate.
    """

    seed: int
    state: State
    early: State
    loss: pd.DataFrame
    answers: pd.DataFrame
    rates: pd.DataFrame


def start_model(study: CrossThink, seed: int) -> Start:
    """Tune a model on every domain in both templates, with long and short solutions."""
    policy, early = small_policy(study.d_model, study.pattern, seed), {}

    def keep_half(row: Mapping[str, float]) -> None:
        if row["step"] == (study.sft_steps + 1) // 2:
            early.update(policy.state())

    settings = TrainSettings(
        steps=study.sft_steps,
        batch_size=study.sft_batch,
        peak_lr=study.sft_lr,
        warmup_steps=study.sft_steps // 50,
        min_lr_ratio=0.05,
        weight_decay=0.01,
        seed=seed,
    )
    source = pair_source(lessons(study, seed), policy.encode, policy.end, policy.pad)
    history = train(policy.model, source, settings, progress=False, on_step=keep_half)
    answers, rates = evaluate(policy, study, seed), pass_rate_table(policy, study, seed)
    return Start(seed, policy.state(), early, history[["step", "loss"]], answers, rates)


def lessons(study: CrossThink, seed: int) -> Callable[[int], list[tuple[str, str]]]:
    """Prompt and response of every row of a step.

    First long solutions with few short ones, later the short ones more often, `study.short` of the rows: what is
    shown last decides what a greedy answer looks like. A short solution is an empty thought and the answer; in
    choice the long one ends with the answer, to be looked up among the options. The template is one for a whole
    step, since rows of choice are twice as long.
    """
    items = by_domain(draws(seed + SFT_SEED, study.sft_items, "train"))
    shares = np.array([SHARES[name] for name in items]) / sum(SHARES[name] for name in items)

    def pairs(step: int) -> list[tuple[str, str]]:
        random = np.random.default_rng([seed, 3, step])
        names = random.choice(list(items), study.sft_batch, p=shares)
        rows = [items[name][random.integers(study.sft_items)] for name in names]
        template = TEMPLATES[int(study.choice * (step + 1)) > int(study.choice * step)]
        short = study.short if step >= SHORT_LAST * study.sft_steps else SHORT_EARLY
        return [_pair(item, template, short, random) for item in rows]

    plan = (study.sft_steps, study.sft_batch, study.choice, study.short)
    return with_fingerprint(pairs, "lessons", items, plan, seed)


def _pair(item: Item, template: str, short: float, random: np.random.Generator) -> tuple[str, str]:
    if random.random() < short:
        item = replace(item, thought="")
    elif template == "choice":
        item = replace(item, thought=f"{item.thought}={item.answer}")
    return prompt_of(item, MODE, template), response_of(item, MODE, template)


def by_domain(items: Sequence[Item]) -> dict[str, list[Item]]:
    """The items of each domain, in their order."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.domain, []).append(item)
    return found


# --- measures


def evaluate(policy: Policy, study: CrossThink, seed: int, domains: Sequence[str] = tuple(LEVELS)) -> pd.DataFrame:
    """Greedy answers to held-out questions, the same in both templates: domain, template, right, tokens."""
    rows = []
    items = draws(seed, study.held_out, "test", domains)
    for template in TEMPLATES:
        found = answer(policy, items, mode=MODE, template=template, max_new_tokens=study.max_new_tokens)
        rows += [(one.item.domain, template, one.right, one.tokens) for (one,) in found]
    return pd.DataFrame(rows, columns=["domain", "template", "right", "tokens"])


def pass_rate_table(policy: Policy, study: CrossThink, seed: int) -> pd.DataFrame:
    """Share of right answers among `group` drawn ones to the same training questions in both templates."""
    rows = []
    items = draws(seed + RL_SEED, study.held_out // 4, "train", RL_DOMAINS)
    for template in TEMPLATES:
        found = answer(
            policy,
            items,
            mode=MODE,
            template=template,
            max_new_tokens=study.max_new_tokens,
            samples=study.group,
            temperature=1.0,
            seed=seed,
        )
        rates = zip(items, pass_rates(found), strict=True)
        rows += [(item.domain, template, rate) for item, rate in rates]
    return pd.DataFrame(rows, columns=["domain", "template", "rate"])


def accuracy(answers: pd.DataFrame, template: str = "open") -> pd.Series:
    """Accuracy in points by domain, in one template."""
    return 100 * answers[answers["template"] == template].groupby("domain", sort=False)["right"].mean()


def tokens_saved(answers: pd.DataFrame, reference: pd.DataFrame, *, both: bool = True) -> float:
    """Tokens of right answers that are saved against a reference, in per cent of the reference's.

    Args:
        answers: of the model. reference: of the other, to the same questions in the same order.
        both: on questions that both solve; else each over its own right answers, which favours the weaker model.
    """
    solved = answers["right"] & reference["right"]
    ours, theirs = (solved, solved) if both else (answers["right"], reference["right"])
    return float(100 * (1 - answers["tokens"][ours].mean() / reference["tokens"][theirs].mean()))
