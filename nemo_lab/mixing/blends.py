"""Two-phase pretraining (arXiv 2412.15285): which source, at which weight, in which part of the run.

A schedule is a list of phases, each with a share of the run's tokens and a mixture. Of source i with N_i
unique tokens the run reads, over phases of T_1, T_2, … tokens with weights w_1i, w_2i, …,

    e_i = (w_1i T_1 + w_2i T_2 + …) / N_i   epochs,

and its aggregate weight is (w_1i T_1 + w_2i T_2 + …) / T. The control for the order of the data is a run with
the same aggregate; here it reads the very same rows (`pools.Blend`), dealt in random order or with the phases
reversed.

Relative to the paper: its text could not be read in full, and its blends were tuned by search. The principle,
as its authors restate it (Nemotron-H, arXiv 2504.03624, section 2.2.3), is that sources of equal quality get
similar weights and better ones more, with a limit on epochs. The two formulas that make numbers of it are
ours: `quality_blend` (one number: how many times the weight of the worst source the best one gets) and
`split_phases` (one number: how much likelier a token of the best source lies in the second phase).

Shapes: K sources, P phases, S steps, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.errors import check_number, check_whole, one_of
from nemo_lab.mixing.pools import Blend, Floats, MixingError, Pools, Table, check_mixture, counts_of, draw_table
from nemo_lab.mixing.weights import MAX_EPOCHS, Source, check_sources, deal_reversed, place_of, quality_blend
from nemo_lab.training import TrainSettings
from nemo_lab.training.schedules import learning_rate

if TYPE_CHECKING:
    import pandas as pd

ORDERS = ("scheduled", "random", "reversed")


@dataclass(frozen=True)
class Phase:
    """A part of the run: its share of all tokens, and the weight of each source in it."""

    share: float
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Switch:
    """Where in the learning-rate schedule one phase ends: what a late phase can still change depends on it."""

    share: float  # of the updates that come before
    update: int  # the first of the new phase, from 1
    lr: float  # of that update
    of_peak: float  # the same over the peak
    remaining: float  # share of the sum of all learning rates that is still to come
    place: str  # warm-up, stable, decay, or constant

    def __str__(self) -> str:
        """The same as a sentence."""
        return (
            f"the switch at {self.share:.0%} of the run falls in the {self.place} part: learning rate at "
            f"{self.of_peak:.0%} of its peak, {self.remaining:.0%} of all learning still to come"
        )


@dataclass(frozen=True)
class BlendSchedule:
    """Sources, phases and a horizon in tokens; the order of the sources is the order of all weights.

    Raises:
        MixingError: weights off the simplex, shares that do not sum to 1, a source twice, no tokens.
    """

    sources: tuple[Source, ...]
    phases: tuple[Phase, ...]
    horizon: int

    def __post_init__(self) -> None:
        """Check everything once, so that no method needs to."""
        check_sources(self.sources)
        if not all(isinstance(phase, Phase) for phase in self.phases) or not self.phases:
            raise MixingError(f"phases are {self.phases!r:.60}, expected Phase(share, weights), at least one.")
        names = self.names
        if len(set(names)) != len(names):
            raise MixingError(f"The sources {names} are not all different; merge those of one name.")
        check_number("horizon", self.horizon, least=1, kind=MixingError)
        check_mixture([phase.share for phase in self.phases], len(self.phases))
        for phase in self.phases:
            check_mixture(phase.weights, len(self.sources))

    @property
    def names(self) -> list[str]:
        """The sources' names."""
        return [source.name for source in self.sources]

    @property
    def unique_K(self) -> Floats:
        """Unique tokens of each source."""
        return np.array([source.tokens for source in self.sources], dtype=np.float64)

    @property
    def quality_K(self) -> Floats:
        """Quality of each source."""
        return np.array([source.quality for source in self.sources], dtype=np.float64)

    @property
    def shares_P(self) -> Floats:
        """Each phase's share of the run."""
        return check_mixture([phase.share for phase in self.phases], len(self.phases))

    @property
    def weights_PK(self) -> Floats:
        """The mixture of each phase."""
        return np.stack([check_mixture(phase.weights, len(self.sources)) for phase in self.phases])

    @property
    def aggregate_K(self) -> Floats:
        """The mixture of the whole run."""
        return self.shares_P @ self.weights_PK

    @property
    def tokens_PK(self) -> Floats:
        """Tokens read of each source in each phase."""
        return self.horizon * self.shares_P[:, None] * self.weights_PK

    @property
    def epochs_K(self) -> Floats:
        """How often the run reads each source: e_i = (w_1i T_1 + w_2i T_2 + …) / N_i."""
        return self.tokens_PK.sum(0) / self.unique_K

    def at(self, horizon: int) -> BlendSchedule:
        """The same phases at another horizon, sources unchanged: epochs change with it."""
        return replace(self, horizon=horizon)

    def with_quality_reversed(self) -> BlendSchedule:
        """The control: in every phase the best source gets the weight of the worst, and so on."""
        phases = [
            Phase(phase.share, tuple(deal_reversed(np.array(phase.weights), self.quality_K))) for phase in self.phases
        ]
        return replace(self, phases=tuple(phases))

    def summary(self) -> pd.DataFrame:
        """One row a source: quality, unique tokens, tokens of each phase and in all, weights in %, epochs."""
        import pandas as pd

        columns = {"quality": self.quality_K, "unique": self.unique_K}
        columns |= {f"phase {p + 1}, %": 100 * w_K for p, w_K in enumerate(self.weights_PK)}
        columns |= {"run, %": 100 * self.aggregate_K}
        columns |= {f"phase {p + 1}, tokens": tokens_K for p, tokens_K in enumerate(self.tokens_PK)}
        columns |= {"run, tokens": self.tokens_PK.sum(0), "epochs": self.epochs_K}
        return pd.DataFrame(columns, index=pd.Index(self.names, name="source"))

    def warnings(self, max_epochs: float = MAX_EPOCHS) -> list[str]:
        """One sentence for each source that is read more often than `max_epochs` times."""
        check_number("max_epochs", max_epochs, above=0, kind=MixingError)
        return [
            f"{source.name} is read {epochs:.1f} times, more than {max_epochs:g}; up to {max_epochs:g} epochs "
            f"it can carry {max_epochs * source.tokens / self.horizon:.1%} of the run."
            for source, epochs in zip(self.sources, self.epochs_K, strict=True)
            if epochs > max_epochs * (1 + 1e-9)
        ]

    def table(self, steps: int, batch_size: int, seed: int, order: str = "scheduled") -> Table:
        """The source of every row of a run, [S, B]; all three orders hold the same numbers of each source.

        Args:
            steps: updates of the run; phases are rounded to whole updates.
            batch_size: rows an update.
            seed: of the order inside a phase (or, for `random`, inside the run).
            order: scheduled, random (no phases), or reversed (the last phase first).
        """
        for name, value, least in (("steps", steps, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
            check_whole(name, value, least, kind=MixingError)
        if order not in ORDERS:
            raise MixingError(one_of("order", order, ORDERS))
        lengths = counts_of(self.shares_P, steps)
        parts = [
            draw_table(w_K, int(n), batch_size, seed * 1009 + p)
            for p, (w_K, n) in enumerate(zip(self.weights_PK, lengths, strict=True))
        ]
        if order == "random":
            flat = np.concatenate(parts).ravel()
            return np.random.default_rng([seed, 1]).permutation(flat).reshape(steps, batch_size)
        return np.concatenate(parts[::-1] if order == "reversed" else parts)

    def blend(self, pools: Pools, steps: int, batch_size: int, seed: int, order: str = "scheduled") -> Blend:
        """The batches of a run over `pools`, for `training.train`; the names must agree, in order."""
        if not isinstance(pools, Pools):
            raise MixingError(f"pools are {pools!r:.60}, expected Pools, such as `pools_by` makes.")
        if pools.names != self.names:
            raise MixingError(f"The pools are {pools.names}, the schedule's sources {self.names}.")
        return Blend(pools, self.table(steps, batch_size, seed, order), seed)

    def switch_in(self, settings: TrainSettings) -> list[Switch]:
        """Where in a learning-rate schedule the phases end, one entry for each switch."""
        lr_S = np.array([learning_rate(update, settings) for update in range(1, settings.steps + 1)])
        ends = np.cumsum(counts_of(self.shares_P, settings.steps))[:-1]
        return [_switch(int(end), lr_S, settings) for end in ends if end < settings.steps]


def _switch(end: int, lr_S: Floats, settings: TrainSettings) -> Switch:
    lr, before = float(lr_S[end]), float(lr_S[:end].sum() / lr_S.sum())
    of_peak = lr / settings.peak_lr
    return Switch(end / settings.steps, end + 1, lr, of_peak, 1 - before, _place(end + 1, of_peak, settings))


def _place(update: int, of_peak: float, settings: TrainSettings) -> str:
    if update < settings.warmup_steps:
        return "warm-up"
    if settings.schedule == "wsd":
        return "stable" if of_peak == 1 else "decay"
    return "constant" if settings.schedule == "constant" else "decay"


def one_phase(sources: Sequence[Source], weights: Sequence[float] | Floats, horizon: int) -> BlendSchedule:
    """A run with the same mixture from beginning to end."""
    check_sources(sources)
    check_mixture(weights, len(sources))
    return BlendSchedule(tuple(sources), (Phase(1.0, tuple(np.asarray(weights).tolist())),), horizon)


def split_phases(
    aggregate_K: Floats, quality_K: Floats, switch: float = 0.6, *, odds: float = 16.0
) -> tuple[Phase, Phase]:
    """Two phases with a given aggregate: the better a source, the more of it comes after the switch.

    The part f_i of source i's tokens that lies in phase 2 has the odds

        f_i / (1 - f_i) = c · odds^p_i,

    p_i from 0 (worst source) to 1 (best), and c such that phase 2 has its share of the run. `odds` of 1 is no
    order at all; a very large one is a curriculum, source after source. The aggregate is exact for every
    `switch` and every `odds`, so that nothing but the order changes with them.

    Raises:
        MixingError: a switch outside (0, 1), odds that are not positive, or weights or a quality that are no numbers.
    """
    from scipy.optimize import brentq
    from scipy.special import expit

    check_number("odds", odds, above=0, kind=MixingError)
    if check_number("switch", switch, above=0, kind=MixingError) >= 1:
        raise MixingError(f"switch is {switch}; it must be below 1, or there is no second phase.")
    weights_K = check_mixture(aggregate_K, np.size(quality_K))
    for quality in np.ravel(quality_K).tolist():
        check_number("quality", quality, kind=MixingError)
    tilt_K = np.log(odds) * place_of(np.asarray(quality_K, dtype=np.float64))
    ends = float(np.abs(tilt_K).max()) + 40
    c = brentq(lambda c: weights_K @ expit(c + tilt_K) - (1 - switch), -ends, ends)
    late_K = weights_K * expit(c + tilt_K)
    early_K = weights_K - late_K
    return (
        Phase(switch, tuple((early_K / early_K.sum()).tolist())),
        Phase(1 - switch, tuple((late_K / late_K.sum()).tolist())),
    )


def design(
    sources: Sequence[Source],
    horizon: int,
    *,
    ratio: float = 4.0,
    switch: float = 0.6,
    odds: float = 16.0,
    max_epochs: float = MAX_EPOCHS,
) -> BlendSchedule:
    """The two-phase schedule of `weights.quality_blend` and `split_phases` together.

    Raises:
        MixingError: no source, a number out of its range, or too little text for the horizon.
    """
    check_sources(sources)
    check_number("horizon", horizon, least=1, kind=MixingError)
    check_number("ratio", ratio, above=0, kind=MixingError)
    check_number("max_epochs", max_epochs, above=0, kind=MixingError)
    weights_K = quality_blend(sources, horizon, ratio=ratio, max_epochs=max_epochs)
    quality_K = np.array([source.quality for source in sources], dtype=np.float64)
    return BlendSchedule(tuple(sources), split_phases(weights_K, quality_K, switch, odds=odds), horizon)
