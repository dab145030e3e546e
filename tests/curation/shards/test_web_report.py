"""Where each record ends, the first step that refuses it, and the tables of a run."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nemo_lab.curation.shards import files as shards
from nemo_lab.curation.shards import web_report, web_rows
from nemo_lab.curation.shards.web_report import Funnel, Verdicts

ROWS = [
    {"step": "reading", "reason": "record cut short"},
    {"step": "language", "reason": "de (0.98)", "language": "de", "probability": 0.98},
    {"step": "language", "reason": "de (0.41)", "language": "de", "probability": 0.41},
    {"text": "best", "broken": "words; digits"},
    {"text": "good", "broken": "words"},
    {"text": "copy", "broken": "words"},
    {"text": "like"},
    {"text": "plain"},
    {"step": "language", "reason": "en (0.21), less sure than 0.3", "language": "en", "probability": 0.21},
]
BUCKETS = [-1, -1, -1, 19, 18, -1, -1, 3, -1]


def judged(folder: Path, rules: bool = True) -> tuple[list[dict], list[dict], Funnel]:
    rows = [dict.fromkeys(web_rows.ROW_SCHEMA.names) | {"step": "", "reason": "", "broken": ""} | row for row in ROWS]
    shards.write(folder / "piece", [row | {"url": f"u{n}", "place": f"p{n}"} for n, row in enumerate(rows)], SCHEMA)
    numbers = np.arange(10, 19)
    exact, near = np.arange(19), np.arange(19)
    exact[15], near[15], near[16] = 13, 13, 14
    scores = {"signs": np.where(np.array([-1] * 10 + BUCKETS) < 0, np.nan, 2.5)}
    verdicts = Verdicts(exact, near, np.array([-1] * 10 + BUCKETS), scores, rules)
    funnel = Funnel()
    table, stay = web_report.judged(folder / "piece", int(numbers[0]), verdicts, funnel)
    return table.to_pylist(), stay, funnel


SCHEMA = web_rows.ROW_SCHEMA


def test_a_record_ends_at_the_first_step_that_refuses_it(tmp_path: Path) -> None:
    report, stay, _ = judged(tmp_path)
    assert [(row["step"], row["reason"]) for row in report] == [
        ("reading", "record cut short"),
        ("language", "de (0.98)"),
        ("language", "de (0.41)"),
        ("kept", ""),
        ("rules", "words"),
        ("exact duplicates", "record 13"),
        ("near duplicates", "record 14"),
        ("kept", ""),
        ("language", "en (0.21), less sure than 0.3"),
    ]
    assert [row["quality"] for row in report[3:]] == ["high", "medium-high", None, None, "low", None]
    assert report[3]["broken_rules"] == "words; digits"
    assert [row["score_signs"] for row in report[3:6]] == [2.5, 2.5, None]
    assert [(row["text"], row["source"], row["bucket"]) for row in stay] == [("best", "p3", 19), ("plain", "p7", 3)]


def test_without_rules_broken_ones_are_told_and_kept(tmp_path: Path) -> None:
    report, stay, _ = judged(tmp_path, rules=False)
    assert (report[4]["step"], report[4]["broken_rules"]) == ("kept", "words")
    assert len(stay) == 3


def test_counts_add_up(tmp_path: Path) -> None:
    _, stay, funnel = judged(tmp_path)
    assert funnel.ended.total() == len(ROWS)
    assert funnel.ended["kept"] == len(stay) == funnel.kept.total()
    assert funnel.ranked == {"high": 1, "medium-high": 1, "low": 1}
    assert funnel.reasons["language"] == {"de": 2, "en, less sure than 0.3": 1}, (
        "without the probability, which differs for each"
    )
    assert funnel.reasons["rules"] == {"words": 1}
    assert funnel.characters == {"high": 4, "low": 5}


def test_the_table_shows_what_is_left_after_each_step(tmp_path: Path) -> None:
    _, _, funnel = judged(tmp_path)
    funnel.passed = {"type image/png": 3}
    funnel.rephrased = {"low, wikipedia": Counter({"written": 1, "reply cut off": 2})}
    lines = funnel.lines().split("\n")
    assert lines[0] == "9 records in 0 s"
    assert [line.split()[0] for line in lines[2:5]] == ["reading", "extraction", "language"]
    assert "3        5  2 de; 1 en, less sure than 0.3" in lines[4]
    assert lines[8].split()[:3] == ["rules", "1", "2"]
    assert "  passed over: 3 type image/png" in lines
    assert "  low, wikipedia: 2 reply cut off, 1 written" in lines
    assert lines[-1].strip().startswith("Only 3 pages were ranked")


def test_stored_counts_have_no_time_and_every_step() -> None:
    funnel = Funnel(seconds=3.0)
    stored = funnel.stored()
    assert "seconds" not in stored
    assert list(stored["ended"]) == [*web_report.STEPS, "kept"]
    assert set(stored["ranked"].values()) == {0}
    assert "ranked:" not in funnel.lines(), "no warning where nothing was ranked"


@pytest.mark.parametrize("schema", [web_report.final_schema, web_report.report_schema])
def test_each_scorer_has_its_column(schema) -> None:
    names = schema({"signs": None, "words": None}).names
    assert [name for name in names if name.startswith("score_")] == ["score_signs", "score_words"]
    assert {"url", "source", "language", "bucket", "quality"} <= set(names)
