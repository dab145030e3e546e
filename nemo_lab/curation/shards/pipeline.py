"""`nemo-lab extract`: WARC archives, folders or parquet files of pages to parquet shards of clean, scored text.

Two stages. The first reads records in order, extracts them in worker processes and writes one *work* shard for
each `shard` records, whatever became of them; the second finds near-duplicates over all signatures, band by
band, and writes the *final* shards and the report. A shard is written under another name and renamed, so a
killed run leaves whole shards, and the same command goes on behind the last one. Shards are cut by count of
records, and every decision depends on the records alone, so an interrupted run ends with the same bytes.

Nothing is lost silently: `report.parquet` has one row for each record that should have been a page, with what
became of it (kept, duplicate, contaminated, below the score, or the reason of its failure) and its losses; the
column `suspected` names pages whose raw markup shows far more formulas than came out.
Memory holds one record a worker slot and 8 bytes a page and band in the second stage.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from nemo_lab.curation.shards import files as shards
from nemo_lab.curation.shards import folder, records, workers
from nemo_lab.errors import LabError, check_number, check_path, check_texts, check_whole
from nemo_lab.files import write_text
from nemo_lab.progress import progress

REPORT, SUMMARY = "report.parquet", "summary.json"


@dataclass(frozen=True)
class Options:
    """What decides the output.

    Attributes:
        shard: records of a shard; a killed run repeats at most so many.
        batch: pages that one start of lynx renders.
        min_score: pages with a lower quality score are reported and left out.
        deduplicate: whether near-duplicates of an earlier page are left out.
        page_bytes, page_seconds: limits of one page.
    """

    shard: int = 512
    batch: int = 32
    min_score: float = 0.0
    deduplicate: bool = True
    page_bytes: int = records.LIMIT
    page_seconds: float = 20.0

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing is extracted."""
        for name in ("shard", "batch", "page_bytes"):
            check_whole(name, getattr(self, name))
        check_number("min_score", self.min_score, least=0, most=5)
        check_number("page_seconds", self.page_seconds, above=0)
        if not isinstance(self.deduplicate, bool):
            raise LabError(f"deduplicate is {self.deduplicate!r}, expected True or False.")


@dataclass(frozen=True)
class Summary:
    """What a run did; `outcomes` counts records by what became of them, `passed` what was no page."""

    outcomes: dict[str, int]
    passed: dict[str, int]
    losses: dict[str, int]
    seconds: float

    def lines(self) -> str:
        """Return the summary for a terminal."""
        total = sum(self.outcomes.values())
        parts = [f"{total:,} records in {self.seconds:.0f} s"]
        parts += [f"  {count:,} {name}" for name, count in sorted(self.outcomes.items(), key=lambda item: -item[1])]
        parts += [f"  passed over: {count:,} {name}" for name, count in sorted(self.passed.items())]
        lost = self.losses
        parts.append(f"  formulas {lost['math_spans']:,} of {lost['math_nodes']:,}")
        parts.append(f"  code blocks {lost['code_kept']:,} of {lost['code_blocks']:,}")
        if lost["in_furniture"]:
            parts.append(f"  formulas and code blocks in furniture or hidden {lost['in_furniture']:,}")
        if lost["suspected"]:
            parts.append(f"  pages whose markup shows more formulas than came out {lost['suspected']:,}: `suspected`")
        return "\n".join(parts)


def extract_to(
    paths: Sequence[Path],
    out: Path,
    options: Options | None = None,
    *,
    keep_out: Sequence[str] = (),
    jobs: int = 0,
    stop: Callable[[int], None] | None = None,
) -> Summary:
    """Run the pipeline from files or folders to the folder `out`, going on where an earlier run was stopped.

    Args:
        keep_out: test items; pages that quote one are left out.
        jobs: worker processes; 0 means all cores.
        stop: called after each work shard with its number, for tests that interrupt.

    Raises:
        LabError: nothing to read, or `out` holds the result of other inputs or options.
    """
    options = options or Options()
    if not isinstance(options, Options):
        raise LabError(f"options are {options!r:.60}, expected Options, such as Options(min_score=2).")
    check_whole("jobs", jobs, 0)
    out, keep_out = check_path("out", out), check_texts("keep_out", keep_out)
    start = time.perf_counter()
    files = records.inputs(paths)
    with folder.held(out, _state(files, options, keep_out), "extract") as work:
        return _run(files, out, work, options, keep_out, jobs, stop, records.others(paths), start)


def _run(
    files: list[Path],
    out: Path,
    work: Path,
    options: Options,
    keep_out: Sequence[str],
    jobs: int,
    stop: Callable[[int], None] | None,
    passed: Counter[str],
    start: float,
) -> Summary:
    """Extract what no earlier run has, write the result, and take the work shards away."""
    stream = (record for file in files for record in records.read(file, passed, options.page_bytes))
    done = _skip_finished(stream, work, options)
    with (
        workers.Pool(jobs or os.cpu_count() or 1, options, keep_out) as pool,
        progress(desc="pages", unit="page") as bar,
    ):
        bar.update(done * options.shard)
        rows = pool.rows(stream)
        while piece := list(islice(rows, options.shard)):
            shards.write(work / shards.name_of(done), piece, shards.WORK_SCHEMA)
            bar.update(len(piece))
            done += 1
            if stop is not None:
                stop(done)
    summary = _finish(out, work, options, dict(sorted(passed.items())), time.perf_counter() - start)
    shutil.rmtree(work)
    return summary


def _skip_finished(stream: Iterator[Any], work: Path, options: Options) -> int:
    """Read past the records of finished work shards; return how many shards there are."""
    done = len(shards.list_in(work))
    for _ in islice(stream, done * options.shard):
        pass
    return done


def _state(files: list[Path], options: Options, keep_out: Sequence[str]) -> dict[str, Any]:
    """Return what an output belongs to: the inputs, the options and the tests kept out."""
    return {
        "inputs": folder.inputs_state(files),
        "options": dataclasses.asdict(options),
        "keep_out": hashlib.sha256("\0".join(keep_out).encode()).hexdigest(),
    }


def _finish(out: Path, work: Path, options: Options, passed: dict[str, int], seconds: float) -> Summary:
    """Write the final shards, the report and the summary from the work shards."""
    pieces = shards.list_in(work)
    roots = shards.duplicate_roots(pieces, options.min_score) if options.deduplicate else None
    for leftover in out.glob("part-*.parquet"):
        leftover.unlink()
    shards.sweep(out)
    outcomes: Counter[str] = Counter()
    counted = (*shards.LOSSES, "suspected")
    losses: Counter[str] = Counter(dict.fromkeys(counted, 0))
    with shards.report_to(out / REPORT) as report:
        for number, piece in enumerate(pieces):
            table, rows = shards.judged(piece, number * options.shard, roots, options.min_score)
            report.write_table(table)
            shards.write(out / shards.name_of(number), rows, shards.FINAL_SCHEMA)
            outcomes.update(table["outcome"].to_pylist())
            losses.update({name: sum(table[name].to_pylist()) for name in counted})
    summary = Summary(dict(outcomes.most_common()), passed, dict(losses), round(seconds, 1))
    stored = {
        "outcomes": summary.outcomes,
        "passed": passed,
        "losses": summary.losses,
    }  # no times: the same bytes again
    write_text(out / SUMMARY, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
    return summary
