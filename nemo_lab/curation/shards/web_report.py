"""What became of each record of `nemo-lab curate`, why, and which pages stay.

A record's way ends at the first of these steps that refuses it, and the report names step and reason:

    reading            the record is damaged or too long
    extraction         no text, or not in time
    language           not of a wanted language by both detectors
    test items         quotes one
    exact duplicates   the very text of an earlier record
    near duplicates    nearly the text of an earlier record, or of one that is nearly its text
    rules              breaks a heuristic rule and is not of high quality
    kept               stays

Rules come last and spare the best bucket, since Nemotron-CC found that they remove a fifth of the best text (arXiv
2412.02595, section 2.1).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nemo_lab.curation.filters import buckets
from nemo_lab.curation.filters.scorers import Scores
from nemo_lab.curation.shards import web_rows

EXACT, NEAR, RULES, KEPT = "exact duplicates", "near duplicates", "rules", "kept"
STEPS = (web_rows.READING, web_rows.EXTRACTION, web_rows.LANGUAGE, web_rows.TESTS, EXACT, NEAR, RULES)
SPARED = "high"  # the label whose pages the rules spare
_PROBABILITY = re.compile(r" \(\d\.\d+\)")
FEW = 10 * buckets.BINS  # pages; fewer are hardly ranked


@dataclass(frozen=True)
class Verdicts:
    """What was decided over all records, one value a record in each array.

    Attributes:
        exact, near: the number of the first record of its group, its own if it stays.
        bucket: 0 to 19, -1 where it was not ranked. scores: by scorer, NaN where it was not.
        rules: whether pages that break a rule go, unless they are spared.
    """

    exact: NDArray[np.int64]
    near: NDArray[np.int64]
    bucket: NDArray[np.int64]
    scores: Mapping[str, Scores]
    rules: bool


@dataclass
class Funnel:
    """How many records came, where they went, and how good those are that stay.

    Attributes:
        ended: records by the step that refused them, or kept. passed: what was no page, by what it is.
        reasons: of every step, the commonest first.
        ranked, kept: pages by label, before and after the rules.
        characters: of the pages kept, by label.
        rephrased: texts written anew by task, or the reasons why not.
        seconds: of the run.
    """

    ended: Counter[str] = field(default_factory=Counter)
    passed: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    ranked: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    rephrased: dict[str, Counter[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def stored(self) -> dict[str, Any]:
        """Return what a file holds of it: no times, so that the same records give the same bytes."""
        return {
            "records": self.ended.total(),
            "ended": {step: self.ended[step] for step in (*STEPS, KEPT)},
            "passed": self.passed,
            "reasons": {step: dict(self.reasons[step].most_common(20)) for step in STEPS if step in self.reasons},
            "ranked": {label: self.ranked[label] for label in buckets.LABELS},
            "kept": {label: self.kept[label] for label in buckets.LABELS},
            "characters": {label: self.characters[label] for label in buckets.LABELS},
            "rephrased": {name: dict(sorted(counts.items())) for name, counts in sorted(self.rephrased.items())},
        }

    def lines(self) -> str:
        """Return the tables for a terminal: records left after each step, pages by label, texts written anew."""
        left = self.ended.total()
        rows = [f"{left:,} records in {self.seconds:.0f} s", f"  {'step':18}{'out':>9}{'left':>9}  most often"]
        for step in STEPS:
            left -= self.ended[step]
            rows.append(f"  {step:18}{self.ended[step]:>9,}{left:>9,}  {self._most(step)}".rstrip())
        rows += [f"  passed over: {count:,} {name}" for name, count in self.passed.items()]
        rows.append(f"  {'quality':12}{'buckets':>9}{'ranked':>9}{'kept':>9}{'characters':>14}")
        rows += [self._label(label) for label in buckets.LABELS]
        rows += [f"  {name}: {_listed(counts)}" for name, counts in sorted(self.rephrased.items())]
        if 0 < self.ranked.total() < FEW:
            rows.append(f"  Only {self.ranked.total()} pages were ranked: {buckets.BINS} buckets say little of so few.")
        return "\n".join(rows)

    def _most(self, step: str) -> str:
        found = self.reasons.get(step, Counter()).most_common(2)
        return "; ".join(f"{count:,} {reason:.50}" for reason, count in found)

    def _label(self, label: str) -> str:
        low, high = buckets.LABELS[label]
        span = str(low) if low == high else f"{low} to {high}"
        counts = f"{self.ranked[label]:>9,}{self.kept[label]:>9,}{self.characters[label]:>14,}"
        return f"  {label:12}{span:>9}{counts}"


def final_schema(scorers: Mapping[str, Any]) -> pa.Schema:
    """Return the columns of the pages that stay."""
    texts = [(name, pa.string()) for name in ("text", "url", "source", "language")]
    return pa.schema([*texts, *_scored(scorers), ("bucket", pa.int8()), ("quality", pa.string())])


def report_schema(scorers: Mapping[str, Any]) -> pa.Schema:
    """Return the columns of the report, which has a row for every record."""
    names = [(name, pa.string()) for name in ("url", "source", "step", "reason", "language")]
    numbers = [("probability", pa.float32()), ("characters", pa.int64()), ("broken_rules", pa.string())]
    return pa.schema([*names, *numbers, *_scored(scorers), ("bucket", pa.int8()), ("quality", pa.string())])


def judged(piece: Path, start: int, verdicts: Verdicts, funnel: Funnel) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return a work shard's rows of the report and the pages of it that stay, and count them."""
    report, stay = [], []
    for number, row in enumerate(pq.read_table(piece).to_pylist(), start):
        found = _judged(row, number, verdicts)
        report.append(found)
        _count(funnel, found)
        if found["step"] == KEPT:
            stay.append(found | {"text": row["text"]})
    return pa.Table.from_pylist(report, schema=report_schema(verdicts.scores)), stay


def _judged(row: dict[str, Any], number: int, verdicts: Verdicts) -> dict[str, Any]:
    bucket = int(verdicts.bucket[number])
    quality = buckets.labels([bucket])[0] if bucket >= 0 else None
    step, reason = _ended(row, number, verdicts, quality)
    scores = {f"score_{name}": float(values[number]) for name, values in verdicts.scores.items()} if quality else {}
    return {
        **{name: row[name] for name in ("url", "language", "probability")},
        **scores,
        "source": row["place"],
        "step": step,
        "reason": reason,
        "characters": len(row["text"] or ""),
        "broken_rules": row["broken"],
        "bucket": bucket if quality else None,
        "quality": quality,
    }


def _ended(row: dict[str, Any], number: int, verdicts: Verdicts, quality: str | None) -> tuple[str, str]:
    if row["step"]:
        return row["step"], row["reason"]
    if verdicts.exact[number] != number:
        return EXACT, f"record {verdicts.exact[number]}"
    if verdicts.near[number] != number:
        return NEAR, f"record {verdicts.near[number]}"
    if verdicts.rules and row["broken"] and quality != SPARED:
        return RULES, row["broken"]
    return KEPT, ""


def _count(funnel: Funnel, found: dict[str, Any]) -> None:
    step, quality = found["step"], found["quality"]
    funnel.ended[step] += 1
    if step not in (EXACT, NEAR, KEPT):
        funnel.reasons.setdefault(step, Counter()).update(_kinds(step, found))
    if quality:
        funnel.ranked[quality] += 1
    if step == KEPT:
        funnel.kept[quality] += 1
        funnel.characters[quality] += found["characters"]


def _kinds(step: str, found: dict[str, Any]) -> list[str]:
    """Return a reason without what is different for every record."""
    if step == web_rows.LANGUAGE:
        return [_PROBABILITY.sub("", found["reason"])]
    return found["reason"].split("; ") if step == RULES else [found["reason"]]


def _scored(scorers: Mapping[str, Any]) -> list[tuple[str, pa.DataType]]:
    return [(f"score_{name}", pa.float64()) for name in scorers]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1]))
