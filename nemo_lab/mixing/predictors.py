"""From a mixture to the score of a model trained on it: the regression inside CLIMB and RegMix.

A search trains a few dozen proxies and must guess the score of a hundred thousand mixtures, so everything
hangs on a regression with more inputs than one would wish for. Three are offered:

    lightgbm  boosted trees with the paper's settings (CLIMB, arXiv 2504.13161, section 3.1; values of its
              code): depth 4, at least 5 samples a leaf, L1 = L2 = 1, rate 0.01, up to 1,000 rounds, stopped
              early on a tenth of the points. With 16 points it can hardly split at all.
    ridge     linear in w and √w, a penalty chosen by cross-validation. √w lets a source saturate.
    gp        a Gaussian process on √w, where Euclidean distance is Hellinger's, the usual one between
              mixtures; its noise is fitted, so it knows that proxies repeat only roughly.

`choose` takes the one whose leave-one-out predictions rank the trained mixtures best. Scores are losses: lower
is better everywhere in this folder.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nemo_lab.errors import one_of
from nemo_lab.mixing.pools import Floats, MixingError

Predict = Callable[[Floats], Floats]
Fit = Callable[[Floats, Floats, int], Predict]
FEWEST = 4  # points below which no regression is worth its name


def fit(kind: str, mixtures_NK: Floats, scores_N: Floats, seed: int = 0) -> Predict:
    """Return a function from mixtures, [M, K], to predicted scores, [M].

    Raises:
        MixingError: an unknown kind, fewer than four points, shapes that do not fit, scores that are not finite.
    """
    mixtures_NK, scores_N = _checked(kind, mixtures_NK, scores_N, FEWEST)
    return KINDS[kind](mixtures_NK, scores_N, seed)


def _checked(kind: str, mixtures_NK: Floats, scores_N: Floats, fewest: int) -> tuple[Floats, Floats]:
    if kind not in list(KINDS):  # a list has no hash
        raise MixingError(one_of("predictor", kind, list(KINDS)))
    try:
        mixtures_NK, scores_N = np.asarray(mixtures_NK, dtype=float), np.asarray(scores_N, dtype=float)
    except (TypeError, ValueError) as error:
        raise MixingError(
            "Mixtures and scores are no tables of numbers; give one row and one score a proxy."
        ) from error
    if mixtures_NK.ndim != 2 or scores_N.shape != mixtures_NK.shape[:1] or len(scores_N) < fewest:
        raise MixingError(
            f"A predictor needs at least {fewest} mixtures with one score each, not {mixtures_NK.shape} mixtures "
            f"with {scores_N.shape} scores."
        )
    if not np.isfinite(mixtures_NK).all() or mixtures_NK.min() < 0:
        raise MixingError("A mixture has a weight that is no number or below 0; give weights that sum to 1.")
    if not np.isfinite(scores_N).all():
        raise MixingError(f"Score {np.argmin(np.isfinite(scores_N))} is not finite; train that proxy again.")
    return mixtures_NK, scores_N


def leave_one_out(kind: str, mixtures_NK: Floats, scores_N: Floats, seed: int = 0) -> Floats:
    """Return for every point what a predictor fitted to all the others says of it.

    A Gaussian process is fitted once and its predictions follow in closed form (Rasmussen and Williams, 2006,
    eq. 5.12), with lengths and noise from all points; the other kinds are fitted anew without each point.
    """
    mixtures_NK, scores_N = _checked(kind, mixtures_NK, scores_N, FEWEST + 1)
    if kind == "gp":
        return _gp_leave_one_out(mixtures_NK, scores_N, seed)
    keep = ~np.eye(len(scores_N), dtype=bool)
    told = [fit(kind, mixtures_NK[k], scores_N[k], seed)(mixtures_NK[~k])[0] for k in keep]
    return np.array(told)


def agreement(predicted_N: Floats, scores_N: Floats) -> float:
    """Spearman's rank correlation; 0 where either side does not vary, which tells nothing."""
    from scipy.stats import spearmanr

    if np.ptp(predicted_N) == 0 or np.ptp(scores_N) == 0:
        return 0.0
    return float(spearmanr(predicted_N, scores_N).statistic)


def choose(mixtures_NK: Floats, scores_N: Floats, seed: int = 0, kinds: tuple[str, ...] = ("ridge", "gp")) -> str:
    """Return the kind with the best leave-one-out rank correlation; the first one wins a tie.

    LightGBM is left out by default: N fits of up to 1,000 rounds, and with a few dozen points it has not won.
    """
    found = {kind: agreement(leave_one_out(kind, mixtures_NK, scores_N, seed), scores_N) for kind in kinds}
    return max(kinds, key=lambda kind: found[kind])


def fit_chosen(mixtures_NK: Floats, scores_N: Floats, seed: int = 0) -> Predict:
    """Fit the kind that `choose` finds."""
    return fit(choose(mixtures_NK, scores_N, seed), mixtures_NK, scores_N, seed)


def fit_permuted(mixtures_NK: Floats, scores_N: Floats, seed: int = 0) -> Predict:
    """The negative control: the same regression, fitted to scores dealt to the mixtures at random."""
    order = np.random.default_rng([seed, len(scores_N)]).permutation(len(scores_N))
    return fit_chosen(mixtures_NK, np.asarray(scores_N)[order], seed)


def _lightgbm(mixtures_NK: Floats, scores_N: Floats, seed: int) -> Predict:
    import lightgbm

    order = np.random.default_rng(seed).permutation(len(scores_N))
    held = order[: max(1, len(order) // 10)]
    rest = order[len(held) :]
    model = lightgbm.LGBMRegressor(
        n_estimators=1000,
        learning_rate=0.01,
        max_depth=4,
        min_child_samples=5,
        reg_alpha=1.0,
        reg_lambda=1.0,
        random_state=seed,
        n_jobs=1,
        verbosity=-1,
        deterministic=True,
        force_row_wise=True,
    )
    # In units of their spread: L1 = L2 = 1 are meant for accuracies in per cent, not for bits of a byte.
    centre, spread = scores_N.mean(), scores_N.std() or 1.0
    scaled_N = (scores_N - centre) / spread
    stop = lightgbm.early_stopping(20, verbose=False)
    model.fit(mixtures_NK[rest], scaled_N[rest], eval_X=mixtures_NK[held], eval_y=scaled_N[held], callbacks=[stop])
    return lambda mixtures: np.asarray(model.predict(np.asarray(mixtures)), dtype=float) * spread + centre


def _ridge(mixtures_NK: Floats, scores_N: Floats, seed: int) -> Predict:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(0.01, 1000, 16)))
    model.fit(_with_roots(mixtures_NK), scores_N)
    return lambda mixtures: np.asarray(model.predict(_with_roots(mixtures)), dtype=float)


def _with_roots(mixtures: Floats) -> Floats:
    return np.hstack([mixtures, np.sqrt(mixtures)])


def _gp(mixtures_NK: Floats, scores_N: Floats, seed: int) -> Predict:
    model = _fitted_gp(mixtures_NK, scores_N, seed)
    return lambda mixtures: np.asarray(model.predict(np.sqrt(mixtures)), dtype=float)


def _gp_leave_one_out(mixtures_NK: Floats, scores_N: Floats, seed: int) -> Floats:
    """μ_i = y_i - [K⁻¹ y]_i / [K⁻¹]_ii, with y centred on its mean."""
    kernel = _fitted_gp(mixtures_NK, scores_N, seed).kernel_
    inverse_NN = np.linalg.inv(kernel(np.sqrt(mixtures_NK)))
    centre = scores_N.mean()
    return np.asarray(scores_N - inverse_NN @ (scores_N - centre) / np.diag(inverse_NN))


def _fitted_gp(mixtures_NK: Floats, scores_N: Floats, seed: int) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(1.0, (0.1, 100)) * RBF(0.5, (0.1, 10)) + WhiteKernel(0.05, (1e-4, 1))
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    with warnings.catch_warnings():  # a parameter at the edge of its range is no reason to speak up
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.sqrt(mixtures_NK), scores_N)
    return model


KINDS: Mapping[str, Fit] = {"lightgbm": _lightgbm, "ridge": _ridge, "gp": _gp}
