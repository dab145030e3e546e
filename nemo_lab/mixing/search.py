r"""CLIMB's search: rounds of proxies, a predictor, and better proxies where the predictor points.

    S_1      = mixtures from the prior sampler, trained and scored
    f_k      = predictor fitted to all of S_k
    S_{k+1}  = S_k  ∪  M_{k+1} mixtures drawn at random from the N candidates that f_k ranks best
    answer   = argmin over candidates of f after the last round       (CLIMB, arXiv 2504.13161, eqs. 1-4)

Scores are losses, lower is better. RegMix (arXiv 2407.01492) is the case of one round whose answer is the mean of
the candidates that f ranks best; the best mixture among those trained is random search. All of them read the
same table, so that one set of proxies serves several methods and they are compared on equal terms.

The search knows nothing of training: `run` turns mixtures into scores. `proxies.train_proxies` is the one
used; a formula serves in tests. As `run` keeps what it has finished and everything drawn here follows from the
seed, a search that was killed is called again and goes on.

Relative to the paper: N is not in it; its code takes N = max(M², 128) of 100,000 candidates, and draws them
from the 'sparse' sampler, while the text has them drawn like the first round. Both are offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nemo_lab.errors import check_whole
from nemo_lab.mixing.pools import Floats, MixingError
from nemo_lab.mixing.predictors import FEWEST, Predict, fit_chosen
from nemo_lab.mixing.samplers import sample_mixtures

Run = Callable[[Floats, int], pd.DataFrame]
FitScores = Callable[[Floats, Floats, int], Predict]
TOP_MEAN = 128  # candidates that RegMix averages


@dataclass(frozen=True)
class SearchSettings:
    """Sizes of a search; the defaults are the paper's 112 proxies in the ratio 4:2:1.

    Attributes:
        rounds: proxies of each round.
        candidates: mixtures that the predictor ranks.
        top: how many of the best the next round is drawn from; 0: max(M², 128) for a round of M.
        first: sampler of the first round. later: sampler of the candidates.
    """

    rounds: tuple[int, ...] = (64, 32, 16)
    candidates: int = 100_000
    top: int = 0
    first: str = "prior"
    later: str = "prior"

    def __post_init__(self) -> None:
        """Refuse sizes with which no search is possible."""
        if not isinstance(self.rounds, tuple):
            raise MixingError(
                f"rounds is {self.rounds!r:.60}, expected a tuple of numbers of proxies, such as (8, 4, 2)."
            )
        for name, value in {
            "candidates": self.candidates,
            **{f"rounds[{i}]": n for i, n in enumerate(self.rounds)},
        }.items():
            check_whole(name, value, 0, kind=MixingError)
        check_whole("top", self.top, 0, kind=MixingError)
        if not self.rounds or min(self.rounds) < 1 or self.rounds[0] <= FEWEST:  # one is left out to choose by
            raise MixingError(
                f"rounds={self.rounds} must be positive numbers of proxies, the first at least {FEWEST + 1}."
            )
        if self.candidates < max(self.rounds) or self.top < 0:
            raise MixingError(
                f"candidates={self.candidates} must be at least {max(self.rounds)}, the largest round, and "
                f"top={self.top} not negative."
            )


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        table: one row a proxy: what `run` returned, and the round (from 1).
        mixtures_NK, scores_N: the same as arrays, in the order of training.
        candidates_CK, predicted_C: the last candidates and what the last predictor says of them.
    """

    table: pd.DataFrame
    mixtures_NK: Floats
    scores_N: Floats
    candidates_CK: Floats
    predicted_C: Floats

    @property
    def best_predicted_K(self) -> Floats:
        """CLIMB's answer: the candidate, or trained mixture, with the lowest prediction."""
        return self.candidates_CK[int(np.argmin(self.predicted_C))]

    @property
    def best_trained_K(self) -> Floats:
        """Random search's answer: the mixture with the lowest score among those trained."""
        return self.mixtures_NK[int(np.argmin(self.scores_N))]

    def mean_of_top(self, count: int = TOP_MEAN) -> Floats:
        """RegMix's answer: the mean of the candidates with the lowest predictions."""
        best = np.argsort(self.predicted_C, kind="stable")[:count]
        mean_K = self.candidates_CK[best].mean(0)
        return mean_K / mean_K.sum()


def climb(
    run: Run,
    prior_K: Floats,
    objective: str,
    settings: SearchSettings,
    seed: int,
    *,
    fit: FitScores = fit_chosen,
) -> Search:
    """Search for the mixture with the lowest `objective`.

    Args:
        run: trains and scores mixtures, [M, K], numbered from its second argument on; its table has one row a
            mixture and a column `objective`.
        prior_K: natural shares of the K sources.
        objective: the column to make small.
        settings: rounds and samplers.
        seed: of all that is drawn here.
        fit: from mixtures, scores and a seed to a predictor; `predictors.fit_permuted` is the negative control.

    Raises:
        MixingError: a prior off the simplex, or no such objective.
    """
    tables: list[pd.DataFrame] = []
    mixtures_NK = np.empty((0, len(prior_K)))
    scores_N = np.empty(0)
    for number, size in enumerate(settings.rounds, 1):
        if number == 1:
            chosen_MK = sample_mixtures(settings.first, prior_K, size, seed)
        else:
            candidates_CK = sample_mixtures(settings.later, prior_K, settings.candidates, seed + 7919 * number)
            predict = fit(mixtures_NK, scores_N, seed)
            chosen_MK = _pick(candidates_CK, predict, size, settings.top, np.random.default_rng([seed, number]))
        table = run(chosen_MK, len(scores_N))
        tables.append(table.assign(round=number))
        mixtures_NK = np.vstack([mixtures_NK, chosen_MK])
        scores_N = np.append(scores_N, _scores(table, objective))
    return conclude(pd.concat(tables, ignore_index=True), mixtures_NK, scores_N, prior_K, settings, seed, fit=fit)


def conclude(
    table: pd.DataFrame,
    mixtures_NK: Floats,
    scores_N: Floats,
    prior_K: Floats,
    settings: SearchSettings,
    seed: int,
    *,
    fit: FitScores = fit_chosen,
) -> Search:
    """Return the answer that trained mixtures give, without training any more; another column of scores will do."""
    fresh_CK = sample_mixtures(settings.later, prior_K, settings.candidates, seed + 104_729)
    candidates_CK = np.vstack([mixtures_NK, fresh_CK])
    predicted_C = fit(mixtures_NK, scores_N, seed)(candidates_CK)
    return Search(table, mixtures_NK, scores_N, candidates_CK, predicted_C)


def _pick(candidates_CK: Floats, predict: Predict, size: int, top: int, random: np.random.Generator) -> Floats:
    """Draw a round at random from the candidates ranked best."""
    ranked = np.argsort(predict(candidates_CK), kind="stable")[: max(top or max(size**2, 128), size)]
    return candidates_CK[random.choice(ranked, size=size, replace=False)]


def _scores(table: pd.DataFrame, objective: str) -> Floats:
    if objective not in table:
        raise MixingError(f"The proxies were not scored on {objective!r}; there are {sorted(table.columns)}.")
    return table[objective].to_numpy(dtype=float)
