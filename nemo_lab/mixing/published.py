"""The blends that papers print, as data; the arithmetic of the headline; and budgets for text of one's own.

The two-phase paper (arXiv 2412.15285) could not be read in full: its own blend tables are not confirmed and
are not here. What is here was printed by its follow-ups: Nemotron-H (arXiv 2504.03624, Figure 4) and
Nemotron 3 Nano (its Figure 3). Percentages stand as printed, also where a column does not sum to 100;
`plan` divides by the sum.

    schedule = plan("nemotron-h", {"web crawl": 6e12, "code": 1e12, …}, horizon=1_000_000_000_000)
    schedule.summary()      # tokens and epochs of every source in every phase
    schedule.warnings()     # which sources are read too often, and what they can carry
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.errors import check_number, one_of
from nemo_lab.mixing.blends import BlendSchedule, Phase
from nemo_lab.mixing.pools import Floats, MixingError
from nemo_lab.mixing.weights import Source

if TYPE_CHECKING:
    import pandas as pd

_PERCENT = (90.0, 110.0)


@dataclass(frozen=True)
class BlendRecipe:
    """Phases in per cent, as printed: for each source one number a phase; `shares` are of the run's tokens."""

    name: str
    shares: tuple[float, ...]
    percent: Mapping[str, tuple[float, ...]]
    origin: str = "own"

    def __post_init__(self) -> None:
        """Refuse columns that are no percentages, and shares that are no division of a run."""
        phases = self.shares if isinstance(self.shares, Sequence) else ()
        if not isinstance(self.percent, Mapping) or not phases:
            raise MixingError(f"Recipe {self.name!r} needs a share for each phase and percentages by source.")
        wrong = [name for name, row in self.percent.items() if np.shape(row) != (len(phases),)]
        if wrong or not self.percent:
            raise MixingError(f"Sources {wrong} of {self.name!r} need {len(self.shares)} percentages, one a phase.")
        for name, row in {"shares": phases, **self.percent}.items():
            for value in row:
                check_number(f"a number of {name!r}", value, least=0, kind=MixingError)
        if abs(sum(self.shares) - 1) > 1e-6 or min(self.shares) <= 0:
            raise MixingError(f"The phases of {self.name!r} have shares {self.shares}; they must sum to 1.")
        low, high = _PERCENT
        if min(min(row) for row in self.percent.values()) < 0 or not all(low <= x <= high for x in self.sums):
            raise MixingError(f"The phases of {self.name!r} sum to {self.sums} %; give percentages of each phase.")

    @property
    def sums(self) -> tuple[float, ...]:
        """The sum of each phase's percentages as printed, rounded to a tenth."""
        return tuple(round(float(total), 1) for total in np.sum(list(self.percent.values()), axis=0))

    @property
    def weights_PK(self) -> Floats:
        """The phases on the simplex, [phases, sources]."""
        printed_KP = np.array(list(self.percent.values()), dtype=np.float64)
        return (printed_KP / printed_KP.sum(0)).T

    def table(self) -> pd.DataFrame:
        """One row a source, one column a phase, in per cent as printed."""
        import pandas as pd

        columns = [f"phase {p + 1}" for p in range(len(self.shares))]
        return pd.DataFrame.from_dict(dict(self.percent), orient="index", columns=columns)


# Phase 4 is the last 380B tokens, 1.9 % of the 20T of the 56B model. Phase 2 is printed with a sum of 99.1.
NEMOTRON_H = BlendRecipe(
    "nemotron-h",
    (0.6, 0.2, 0.181, 0.019),
    {
        "web crawl": (59.0, 40.7, 32.7, 13.5),
        "code": (20.0, 20.0, 20.0, 20.0),
        "academic": (8.8, 12.0, 12.0, 12.0),
        "multilingual": (5.0, 3.7, 3.7, 3.7),
        "crawl++": (4.0, 7.0, 7.0, 7.0),
        "math": (2.9, 14.0, 10.8, 10.8),
        "wiki": (0.3, 1.7, 1.1, 1.1),
        "SFT-style": (0.0, 0.0, 12.6, 31.8),
    },
    "Nemotron-H, arXiv 2504.03624, Figure 4; 20T tokens (56B model)",
)
# 23.5T + 1.5T tokens. cc-code has no label in the second phase of the figure: taken as 0.
NEMOTRON_3_NANO = BlendRecipe(
    "nemotron-3-nano",
    (0.94, 0.06),
    {
        "crawl-medium": (6.8, 0.0),
        "crawl-medium-high": (5.7, 4.0),
        "syn-medium-high": (11.7, 5.0),
        "crawl-high": (6.5, 6.5),
        "syn-crawl-high": (20.4, 20.4),
        "math": (6.4, 12.5),
        "wiki": (0.6, 1.3),
        "code": (14.0, 14.0),
        "cc-code": (1.3, 0.0),
        "code-sft": (3.3, 6.7),
        "stem-sft": (11.1, 22.3),
        "general-sft": (0.2, 0.4),
        "academic": (4.1, 2.0),
        "crawl++": (2.9, 0.0),
        "multilingual": (5.0, 5.0),
    },
    "Nemotron 3 Nano, Figure 3 (text of the PDF); 25T tokens",
)
RECIPES: Mapping[str, BlendRecipe] = {recipe.name: recipe for recipe in (NEMOTRON_H, NEMOTRON_3_NANO)}


@dataclass(frozen=True)
class SwitchPoint:
    """Where one published run changed its blend, in per cent of its tokens; `read` says how we know."""

    run: str
    tokens: str
    switches: tuple[float, ...]
    schedule: str
    read: str


SWITCHES = (
    SwitchPoint("two-phase, 8B", "1T", (60.0,), "not seen", "a later paper of the group: 600B + 400B (secondary)"),
    SwitchPoint("Nemotron-CC, 8B", "15T", (60.0,), "not seen", "Nemotron-CC, appendix E: 9T + 6T"),
    SwitchPoint("Nemotron-H, 56B", "20T", (60.0, 80.0, 98.1), "cosine", "section 2.2.3; the last is 380B of 20T"),
    SwitchPoint("Nemotron Nano 2", "20T", (60.0, 90.0), "WSD", "secondary"),
    SwitchPoint("Nemotron 3 Super", "25T", (80.0,), "WSD, with the decay", "released recipe: 20T + 5T"),
    SwitchPoint("Nemotron 3 Nano", "25T", (94.0,), "WSD, decay from 80 %", "section 2.3: 23.5T + 1.5T"),
)
HEADLINE = {"blend": 0.132, "order": 0.034, "whole": 0.17}
"""Relative gains in average accuracy at 8B and 1T tokens: whole and order from the abstract, blend secondary."""


def switch_table() -> pd.DataFrame:
    """The published switch points, oldest run first."""
    import pandas as pd

    rows = [
        {
            "run": point.run,
            "tokens": point.tokens,
            "switches at, %": ", ".join(f"{x:g}" for x in point.switches),
            "learning rate": point.schedule,
            "read in": point.read,
        }
        for point in SWITCHES
    ]
    return pd.DataFrame(rows)


def decompose(blend: float, order: float) -> dict[str, float]:
    """Combine two relative gains: (1 + whole) = (1 + blend)(1 + order), and each one's part of the whole.

    Parts are of the logarithm, the scale on which gains that multiply add up. All are fractions, not per cent;
    the parts are NaN where the two gains cancel.
    """
    for name, gain in (("blend", blend), ("order", order)):  # -1 is a loss of everything
        check_number(name, gain, above=-1, kind=MixingError)
    logs = math.log1p(blend), math.log1p(order)
    whole = sum(logs)
    part = logs[0] / whole if whole else math.nan
    return {
        "blend": blend,
        "order": order,
        "whole": math.expm1(whole),
        "part of blend": part,
        "part of order": 1 - part,
    }


def plan(
    recipe: str | BlendRecipe, tokens: Mapping[str, float], horizon: float, *, missing: str = "refuse"
) -> BlendSchedule:
    """Turn a recipe into a schedule over one's own sources: token and epoch budgets, warnings, batches.

    Args:
        recipe: a name in `RECIPES`, or phases of one's own.
        tokens: unique tokens of each source, by the recipe's names for them.
        horizon: tokens of the whole run.
        missing: what becomes of sources that one does not have: `refuse` (an error that names them) or
            `spread` (their weight goes to the others, in proportion).

    Raises:
        MixingError: an unknown recipe or source, a missing one, no tokens, or a phase that nothing is left of.
    """
    if not isinstance(recipe, BlendRecipe):
        if recipe not in list(RECIPES):  # a list has no hash
            raise MixingError(one_of("recipe", recipe, list(RECIPES)))
        recipe = RECIPES[recipe]
    _check_request(recipe, tokens, horizon, missing)
    own = [name for name in recipe.percent if name in tokens]
    kept_PK = recipe.weights_PK[:, [name in tokens for name in recipe.percent]]
    if not kept_PK.sum(1).all():
        raise MixingError(f"A phase of {recipe.name!r} has none of {own}; add one of its sources.")
    weights_PK = kept_PK / kept_PK.sum(1, keepdims=True)
    phases = tuple(Phase(share, tuple(w_K)) for share, w_K in zip(recipe.shares, weights_PK.tolist(), strict=True))
    return BlendSchedule(tuple(Source(name, int(tokens[name])) for name in own), phases, int(horizon))


def _check_request(recipe: BlendRecipe, tokens: Mapping[str, float], horizon: float, missing: str) -> None:
    """Refuse what cannot be planned, with a sentence that says what to do."""
    if missing not in ("refuse", "spread"):
        raise MixingError(one_of("choice for missing", missing, ("refuse", "spread")))
    if not isinstance(tokens, Mapping):
        raise MixingError(f"tokens are {tokens!r:.60}, expected a number of tokens by the name of each source.")
    for name, number in {"horizon": horizon, **{f"tokens of {name!r}": n for name, n in tokens.items()}}.items():
        check_number(name, number, least=1, kind=MixingError)
    unknown = [name for name in tokens if name not in recipe.percent]
    if unknown:
        raise MixingError(one_of("source", unknown[0], list(recipe.percent)))
    lacking = [name for name in recipe.percent if name not in tokens]
    if lacking and missing == "refuse":
        raise MixingError(
            f"{recipe.name!r} also reads {', '.join(lacking)}; give their tokens, or missing='spread' to give "
            "their weight to the others."
        )
