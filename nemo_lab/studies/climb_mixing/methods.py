"""CLIMB and what it is compared with, at the same number of proxies.

    CLIMB           rounds and a predictor; the candidate predicted best
    CLIMB, mean     the same search; the mean of the 128 candidates predicted best
    RegMix          one round of as many proxies; the mean of the 128 candidates predicted best
    best of random  the same proxies as RegMix; the mixture whose proxy was best
    one random      the first of them, whatever its proxy says
    permuted        CLIMB with its predictor fitted to permuted scores: the negative control
    uniform         every cluster alike ('random' in the paper)
    natural         every cluster by its size

The first rounds of CLIMB, of the control and of the single round are the same mixtures. With a folder they are
trained once; the budget of each method counts them in full.
"""

from __future__ import annotations

from dataclasses import fields

from nemo_lab.mixing.pipeline import ClimbRecipe
from nemo_lab.mixing.pools import Floats
from nemo_lab.mixing.predictors import fit_permuted
from nemo_lab.mixing.proxies import ProxyPlan
from nemo_lab.mixing.search import Run, Search, SearchSettings, climb
from nemo_lab.studies.climb_mixing.settings import ClimbMixing


def recipe_from(settings: ClimbMixing) -> ClimbRecipe:
    """Take a recipe's numbers out of the notebook's settings; `nemo-lab climbmix` mixes by them as well."""
    return ClimbRecipe(**{field.name: getattr(settings, field.name) for field in fields(ClimbRecipe)})


def searches(plan: ProxyPlan, run: Run, objective: str, settings: SearchSettings, seed: int) -> dict[str, Search]:
    """Return CLIMB's search, one round of as many random proxies, and the control with permuted scores.

    `run` is a `runner` of the plan with the same seed; with a folder, what they share is trained once.
    """
    prior_K = plan.pools.natural_K
    single = SearchSettings((sum(settings.rounds),), settings.candidates, first=settings.first, later=settings.later)
    return {
        "CLIMB": climb(run, prior_K, objective, settings, seed),
        "one round": climb(run, prior_K, objective, single, seed),
        "permuted": climb(run, prior_K, objective, settings, seed, fit=fit_permuted),
    }


def answers(found: dict[str, Search], plan: ProxyPlan) -> dict[str, Floats]:
    """Return the mixture of every method, from what `searches` returned."""
    ours, single = found["CLIMB"], found["one round"]
    return {
        "CLIMB": ours.best_predicted_K,
        "CLIMB, mean": ours.mean_of_top(),
        "RegMix": single.mean_of_top(),
        "best of random": single.best_trained_K,
        "one random": single.mixtures_NK[0],
        "permuted": found["permuted"].best_predicted_K,
        "uniform": plan.pools.uniform_K,
        "natural": plan.pools.natural_K,
    }
