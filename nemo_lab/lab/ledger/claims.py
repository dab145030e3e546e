"""The claims ledger: what the papers say, the rule that decides, and the verdict on our samples.

`claims.toml` holds one row a claim. Its rule is written before the experiment is run, and is a bound on a
confidence interval, so that a verdict is computed and never typed. A sample is one independent repeat,
usually one seed; the interval is Student's, mean ± t(0.975, n - 1) · s / √n.

Four kinds of rule:

    bound       reproduced when the 95 % interval lies wholly beyond `bound` on the better side
    par         'on par or better': reproduced when the interval's worse end is within `margin` of no effect
    exact       reproduced when every sample is within `tolerance` of `value`; holds at any scale
    untestable  no laptop judges it: `reason`, and what it `needs`

Every judged claim carries a negative control, samples of a measurement on which the rule must not be met.
A check that its control passes proves nothing; the verdict then is 'control failed', whatever we measured.
"""

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError, one_of
from nemo_lab.lab.scales import SCALES, rank

REPRODUCED = "reproduced"
SAME_DIRECTION = "same direction"
NOT_REPRODUCED = "not reproduced"
TOO_SMALL = "too small to judge"
CONTROL_FAILED = "control failed"
VERDICTS = (REPRODUCED, SAME_DIRECTION, NOT_REPRODUCED, TOO_SMALL, CONTROL_FAILED)
MIN_SAMPLES = 3
LEDGER = Path(__file__).with_name("claims.toml")

_RULES: Mapping[str, Mapping[str, type]] = {
    "bound": {"bound": float},
    "par": {"margin": float},
    "exact": {"value": float, "tolerance": float},
    "untestable": {"reason": str, "needs": str},
}
_PROSE = ("id", "paper", "claim", "figure", "conditions")
_TESTED = ("notebook", "measure", "unit", "control", "min_scale")
_COMPARED = ("better", "no_effect")


@dataclass(frozen=True)
class DecisionRule:
    """What decides a claim; only the fields of its kind are set."""

    kind: str
    bound: float = math.nan
    margin: float = math.nan
    value: float = math.nan
    tolerance: float = math.nan
    reason: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Claim:
    """One row of the ledger; `better` and `no_effect` belong to the kinds bound and par only."""

    id: str
    paper: str
    claim: str
    figure: str
    conditions: str
    rule: DecisionRule
    notebook: str = ""
    measure: str = ""
    unit: str = ""
    better: str = ""
    no_effect: float = math.nan
    control: str = ""
    min_scale: str = ""

    @property
    def testable(self) -> bool:
        """Whether a notebook judges it."""
        return self.rule.kind != "untestable"

    @property
    def criterion(self) -> str:
        """The rule in words, such as 'whole interval above 2.2'."""
        rule, above = self.rule, self.better == "higher"
        if rule.kind == "bound":
            return f"whole interval {'above' if above else 'below'} {rule.bound:g} {self.unit}".strip()
        if rule.kind == "par":
            edge = self.no_effect - rule.margin if above else self.no_effect + rule.margin
            return f"interval's worse end at {'least' if above else 'most'} {edge:g} {self.unit}".strip()
        if rule.kind == "exact":
            spread = f" ± {rule.tolerance:g}" if rule.tolerance else " exactly"
            return f"every sample {rule.value:g}{spread} {self.unit}".strip()
        return f"not testable here: {rule.reason}"


@dataclass(frozen=True)
class Judgement:
    """Samples, their mean and 95 % interval (None below two samples), and the verdict."""

    samples: tuple[float, ...]
    n: int
    mean: float
    low: float | None
    high: float | None
    verdict: str
    control: "Judgement | None" = None


def interval(samples: Sequence[float]) -> tuple[float | None, float | None]:
    """Return Student's 95 % confidence interval of the mean, (None, None) below two samples."""
    from scipy.stats import t

    if len(samples) < 2:
        return None, None
    mean = math.fsum(samples) / len(samples)
    if min(samples) == max(samples):  # rounding must not widen what does not vary
        return samples[0], samples[0]
    variance = math.fsum((sample - mean) ** 2 for sample in samples) / (len(samples) - 1)
    half = float(t.ppf(0.975, len(samples) - 1)) * math.sqrt(variance / len(samples))
    return mean - half, mean + half


def judge(claim: Claim, samples: Iterable[float], control: Iterable[float] | None, scale: str) -> Judgement:
    """Return the verdict on `samples` by the claim's rule.

    Args:
        claim: a testable row.
        samples: one number an independent repeat, in the claim's unit.
        control: the same of the negative control; required as soon as the claim is judged.
        scale: where it was measured. Below the claim's `min_scale`, or with fewer than three samples of
            either side, nothing but an exact claim is judged.

    Raises:
        LabError: a claim that is not testable, no control, no samples, or samples that are not finite.
    """
    if not claim.testable:
        raise LabError(f"Claim {claim.id} is not testable here ({claim.rule.reason}); it takes no samples.")
    ours = _apply(claim, samples, scale, "samples")
    if control is None:
        if ours.verdict == TOO_SMALL:
            return ours
        raise LabError(f"Claim {claim.id} has no control; pass control=[…]: {claim.control}")
    check = _apply(claim, control, scale, "control")
    verdict = ours.verdict
    if TOO_SMALL in (verdict, check.verdict):
        verdict = TOO_SMALL
    elif check.verdict == REPRODUCED:
        verdict = CONTROL_FAILED
    return Judgement(ours.samples, ours.n, ours.mean, ours.low, ours.high, verdict, check)


def _apply(claim: Claim, samples: Iterable[float], scale: str, name: str) -> Judgement:
    """Judge one list of samples, without regard to the other side."""
    numbers = _numbers(claim.id, samples, name)
    low, high = interval(numbers)
    same = min(numbers) == max(numbers)
    mean = numbers[0] if same else math.fsum(numbers) / len(numbers)
    if claim.rule.kind == "exact":
        near = all(abs(number - claim.rule.value) <= claim.rule.tolerance for number in numbers)
        verdict = REPRODUCED if near else NOT_REPRODUCED
    elif rank(scale) < rank(claim.min_scale) or len(numbers) < MIN_SAMPLES or low is None or high is None:
        verdict = TOO_SMALL
    else:
        verdict = _compare(claim, mean, low, high)
    return Judgement(numbers, len(numbers), mean, low, high, verdict)


def _compare(claim: Claim, mean: float, low: float, high: float) -> str:
    """Apply a bound or par rule, turned so that higher is better."""
    sign = 1.0 if claim.better == "higher" else -1.0
    worse, better = sorted((sign * low, sign * high))
    neutral = sign * claim.no_effect
    if claim.rule.kind == "bound":
        met, towards = worse > sign * claim.rule.bound, sign * mean > neutral
    else:
        met, towards = worse >= neutral - claim.rule.margin, worse <= neutral <= better
    if met:
        return REPRODUCED
    return SAME_DIRECTION if towards else NOT_REPRODUCED


def _numbers(claim_id: str, samples: Iterable[float], name: str) -> tuple[float, ...]:
    """Return samples as floats; refuse what is not a flat, non-empty list of finite numbers."""
    try:
        numbers = tuple(float(sample) for sample in samples)
    except (TypeError, ValueError):
        raise LabError(f"Claim {claim_id}: {name} is {samples!r}, expected a list of numbers.") from None
    if not numbers or isinstance(samples, str | bytes | Mapping):
        raise LabError(f"Claim {claim_id}: {name} is {samples!r}, expected a list of numbers.")
    odd = [f"{name}[{i}] is {number}" for i, number in enumerate(numbers) if not math.isfinite(number)]
    if odd:
        raise LabError(f"Claim {claim_id}: {', '.join(odd)}; find out why before judging.")
    return numbers


@cache
def ledger() -> Mapping[str, Claim]:
    """Return the package's claims by id, in the order of the papers."""
    return load_ledger(LEDGER)


def find_claim(claim_id: str) -> Claim:
    """Return a row of the ledger; raise LabError listing near ids when there is none."""
    if claim_id not in ledger():
        raise LabError(one_of("claim", claim_id, list(ledger())))
    return ledger()[claim_id]


def claims_of(notebook: str) -> list[Claim]:
    """Return the rows that a notebook judges."""
    return [claim for claim in ledger().values() if claim.notebook == notebook]


def load_ledger(path: Path) -> dict[str, Claim]:
    """Read and check a ledger file.

    Raises:
        LabError: not TOML, a missing, unknown, empty or mistyped field, a rule that contradicts its row.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"The ledger {path.name} is not valid TOML: {error}.") from None
    if list(content) != ["claim"]:
        raise LabError(f"The ledger {path.name} has tables {list(content)}, expected [[claim]] rows only.")
    claims: dict[str, Claim] = {}
    for number, row in enumerate(content["claim"], 1):
        claim = parse_claim(row, f"row {number}")
        if claim.id in claims:
            raise LabError(f"The ledger has claim {claim.id!r} twice.")
        claims[claim.id] = claim
    return claims


def parse_claim(row: Mapping[str, Any], where: str) -> Claim:
    """Return one checked row; `where` names it in errors until its id is known."""
    where = f"Claim {row.get('id', where)}"
    rule = _parse_rule(row.get("rule"), where)
    optional = ("measure",) if rule.kind == "untestable" else ()
    wanted = _PROSE + (() if optional else _TESTED) + (_COMPARED if rule.kind in ("bound", "par") else ())
    _check_names(row, (*wanted, "rule"), optional, where)
    values = {
        name: _typed(row[name], float if name == "no_effect" else str, f"{where}: {name}")
        for name in row
        if name != "rule"
    }
    claim = Claim(rule=rule, **values)
    _check_words(claim, where)
    return claim


def _parse_rule(row: Any, where: str) -> DecisionRule:
    if not isinstance(row, dict) or row.get("kind") not in _RULES:
        raise LabError(f"{where}: rule is {row!r}, expected a table with a kind: {', '.join(_RULES)}.")
    wanted = _RULES[row["kind"]]
    _check_names(row, ("kind", *wanted), (), f"{where}: rule")
    rule = DecisionRule(
        row["kind"],
        **{name: _typed(row[name], kind, f"{where}: rule.{name}") for name, kind in wanted.items()},
    )
    if rule.margin <= 0 or rule.tolerance < 0:
        raise LabError(f"{where}: rule.margin must be above 0 and rule.tolerance not below 0.")
    return rule


def _check_names(row: Mapping[str, Any], wanted: Sequence[str], optional: Sequence[str], where: str) -> None:
    missing = [name for name in wanted if name not in row]
    unknown = [name for name in row if name not in (*wanted, *optional)]
    if missing or unknown:
        raise LabError(f"{where} lacks {missing} and has unknown {unknown}; fields: {', '.join((*wanted, *optional))}.")


def _typed(value: Any, kind: type, where: str) -> Any:
    """Return a finite float or a text that is not empty."""
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind is str and isinstance(value, str) and (value.strip() or where.endswith(": unit")):
        return value
    raise LabError(f"{where} is {value!r}, expected {'a finite number' if kind is float else 'some text'}.")


def _check_words(claim: Claim, where: str) -> None:
    """Check fields whose values come from a list or depend on one another."""
    if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", claim.id):
        raise LabError(f"{where}: an id is paper.claim in lower case.")
    if not claim.testable:
        return
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", claim.notebook):
        raise LabError(f"{where}: notebook is {claim.notebook!r}, expected a name such as '05_hybrid_architecture'.")
    if claim.min_scale not in SCALES:
        raise LabError(f"{where}: " + one_of("min_scale", claim.min_scale, SCALES))
    if claim.rule.kind == "exact":
        return
    if claim.better not in ("higher", "lower"):
        raise LabError(f"{where}: " + one_of("better", claim.better, ("higher", "lower")))
    lead = claim.rule.bound - claim.no_effect
    if claim.rule.kind == "bound" and (lead < 0 if claim.better == "higher" else lead > 0):
        raise LabError(f"{where}: the bound lies on the worse side of no effect.")
