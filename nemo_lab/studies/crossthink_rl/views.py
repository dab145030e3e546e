"""What notebook 10 shows of its runs, as tables: accuracy by domain, tokens that are saved, what filters leave.

Domains count alike in every mean, whatever their number of questions. Points are per cent of the questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nemo_lab.reasoning.questions.domains import DOMAINS
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import TEMPLATES, as_open, filter_reasons
from nemo_lab.studies.crossthink_rl.runs import ArmResult
from nemo_lab.studies.crossthink_rl.start import LEVELS, RL_DOMAINS, Start, accuracy, tokens_saved

Examined = ArmResult | Start
"""What has answered the held-out questions."""

MATH = [name for name in LEVELS if DOMAINS[name].kind == "math"]
GENERAL = [name for name in LEVELS if DOMAINS[name].kind == "general"]
PAPER_SOURCES = {
    "MMLU": ("general", "choice", 99_842),
    "Syn-QA": ("general", "choice", 192_930),
    "NaturalReasoning": ("general", "open", 100_000),
    "NuminaMath": ("math", "open", 87_350),
    "PersonaSkill-MATH": ("math", "open", 100_000),
    "MATH": ("math", "open", 8_523),
}
"""Questions of the paper by set: kind, format, number (from accounts of the paper, which agree)."""

PAPER_MEANS = {
    "base": 44.75,
    "natural": 55.66,
    "choice 2:1": 56.89,
    "open 2:1": 57.49,
    "usefulness": 56.95,
    "math only": 57.82,
    "general only": 53.30,
    "general 2:1": 58.12,
}
"""Mean of seven benchmarks at 7B in the paper, points (from accounts of the paper)."""


def accuracy_table(runs: Mapping[tuple[str, int], Examined]) -> pd.DataFrame:
    """Accuracy on open questions in points by (arm, seed): each domain, math, general (with the held-out one), mean.

    Args:
        runs: by arm and seed.
    """
    rows = {key: accuracy(run.answers) for key, run in runs.items()}
    table = pd.DataFrame(rows).T.rename_axis(["arm", "seed"])
    means = {"math": table[MATH].mean(axis=1), "general": table[GENERAL].mean(axis=1), "mean": table.mean(axis=1)}
    return table.assign(**means)


def format_table(runs: Mapping[tuple[str, int], Examined], domains: Sequence[str] = RL_DOMAINS) -> pd.DataFrame:
    """Accuracy in points by (arm, seed), in the open and in the choice format, means over domains."""
    rows = {}
    for key, run in runs.items():
        part = run.answers[run.answers["domain"].isin(domains)]
        by = part.groupby(["template", "domain"])["right"].mean()
        rows[key] = {template: 100 * by[template].mean() for template in TEMPLATES}
    return pd.DataFrame(rows).T.rename_axis(["arm", "seed"])


def saved_table(
    runs: Mapping[tuple[str, int], Examined], arms: Sequence[str], reference: str = "math only", *, both: bool = True
) -> pd.DataFrame:
    """Tokens of right open answers that arms save against a reference, per cent, by (arm, seed): all, each domain.

    A domain in which nothing is solved by both is NaN.
    """
    rows = {}
    for (arm, seed), run in runs.items():
        if arm in arms:
            ours, theirs = (r.answers[r.answers["template"] == "open"] for r in (run, runs[reference, seed]))
            parts = {"all": tokens_saved(ours, theirs, both=both)}
            for name in LEVELS:
                own = ours["domain"] == name
                parts[name] = tokens_saved(ours[own], theirs[own], both=both)
            rows[arm, seed] = parts
    return pd.DataFrame(rows).T.rename_axis(["arm", "seed"])


def reward_curve(runs: Mapping[tuple[str, int], ArmResult], arm: str, kind: str, window: int = 5) -> np.ndarray:
    """Mean reward of an arm on the prompts of one kind, a running mean: one row a seed, one column a step."""
    names = MATH if kind == "math" else GENERAL
    rows = []
    for (name, _), run in runs.items():
        if name == arm:
            wide = run.rewards.pivot(index="step", columns="domain", values="reward")
            own = wide[[domain for domain in names if domain in wide]]
            rows.append(own.rolling(window, min_periods=1).mean().mean(axis=1).to_numpy())
    return np.array(rows)


def left_by_filters(items: Sequence[Item]) -> dict[str, int]:
    """What conversion to the open format and the filters leave of a set of questions.

    Returns:
        choice and open (as they come); ill-posed (choice that cannot be asked without its options); kept (of those
        with an open form); and, for each reason of the filters, how many of those with an open form it drops first.
    """
    choice = [item for item in items if item.options]
    asked = [found for item in items if (found := as_open(item) if item.options else item) is not None]
    reasons = [filter_reasons(item) for item in asked]
    first = pd.Series([why[0] for why in reasons if why], dtype=object).value_counts()
    counts = {"choice": len(choice), "open": len(items) - len(choice), "ill-posed": len(items) - len(asked)}
    return counts | {"kept": sum(not why for why in reasons)} | {str(why): int(n) for why, n in first.items()}
