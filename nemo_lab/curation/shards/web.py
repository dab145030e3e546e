"""`nemo-lab curate`: Nemotron-CC for one's own pages, from archives to parquet shards with quality labels.

    pages → jusText → language → copies → scorers → ranks in 20 buckets → largest → 5 labels → rules, but for the best

(arXiv 2412.02595, section 2; notebook 02.) Five stages, each of which goes on behind what an earlier run has finished:

1. workers turn records into rows, one work shard for each `shard` records (`web_rows`);
2. copies are found over all rows that stay, exact ones and near ones (`copies`);
3. scorers are taught by a sample of the pages and score the rest, a work shard at a time (`web_scores`);
4. ranks become buckets and labels, rules are applied, and final shards and the report are written (`web_report`);
5. if there is a writer, the best and the worst pages are written anew (`web_rephrasing`).

As with `extract`, every file is whole or not there, shards are cut by count of records, every decision depends on the
records alone, and an interrupted run ends with the same bytes. Memory holds the records on their way, one shard, the
sample that teaches, and some numbers a record.

Relative to the paper: copies of passages are not cut, the perplexity filter is left out, and the three scorers are
taught here and now (`web_scores`).
"""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nemo_lab.curation.duplicates.near import BANDS
from nemo_lab.curation.filters import language
from nemo_lab.curation.pages.lynx import executable
from nemo_lab.curation.pages.page import Record
from nemo_lab.curation.rewriting.writer import Writer
from nemo_lab.curation.shards import copies, folder, records, texts, web_rephrasing, web_report, web_rows, web_scores
from nemo_lab.curation.shards import files as shards
from nemo_lab.curation.shards.workers import Pool
from nemo_lab.errors import LabError, check_each, check_number, check_path, check_texts, check_whole, one_of
from nemo_lab.files import write_text
from nemo_lab.progress import progress

REPORT, SUMMARY = "report.parquet", "summary.json"
EXTRACTORS = ("justext", "lynx")
Stop = Callable[[str, int], None]


@dataclass(frozen=True)
class WebOptions:
    """What decides the output.

    Attributes:
        languages: codes of those that stay; none: every language.
        extractor: justext, as the paper, or lynx, which keeps formulas and code (`extract`).
        rules: whether pages that break a heuristic rule go, but for the best.
        deduplicate: whether exact and near copies of an earlier page go.
        shard: records of a shard; a killed run repeats at most so many.
        batch: pages that a worker does at a time.
        page_bytes, page_seconds: limits of one page.
    """

    languages: tuple[str, ...] = ("en",)
    extractor: str = "justext"
    rules: bool = True
    deduplicate: bool = True
    shard: int = 512
    batch: int = 32
    page_bytes: int = records.LIMIT
    page_seconds: float = 20.0

    def __post_init__(self) -> None:
        """Refuse what is no choice, and numbers with which nothing is done."""
        check_each("languages", self.languages, str)
        if self.extractor not in EXTRACTORS:
            raise LabError(one_of("extractor", self.extractor, EXTRACTORS))
        for name in ("rules", "deduplicate"):
            if not isinstance(getattr(self, name), bool):
                raise LabError(f"{name} is {getattr(self, name)!r}, expected True or False.")
        for name in ("shard", "batch", "page_bytes"):
            check_whole(name, getattr(self, name))
        check_number("page_seconds", self.page_seconds, above=0)


@dataclass(frozen=True)
class Guidance:
    """What is good, what is to be kept out, and who writes anew.

    Attributes:
        good: texts that are good by the user's judgement; none: the pages' own signs teach.
        keep_out: test items; pages that quote one go.
        encode: texts to vectors, for a scorer on embeddings; None: there is none.
        writer: writes pages anew; None: nobody does. writer_name: who that is.
    """

    good: Sequence[str] = ()
    keep_out: Sequence[str] = ()
    encode: web_scores.Encoder | None = None
    writer: Writer | None = None
    writer_name: str = ""

    def __post_init__(self) -> None:
        """Refuse what are no texts."""
        check_texts("good", self.good)
        check_texts("keep_out", self.keep_out)


def curate_to(
    paths: Sequence[Path],
    out: Path,
    options: WebOptions | None = None,
    guidance: Guidance | None = None,
    *,
    jobs: int = 0,
    stop: Stop | None = None,
) -> web_report.Funnel:
    """Run the pipeline from files or folders to the folder `out`, going on where an earlier run was stopped.

    Args:
        jobs: worker processes; 0 means all cores.
        stop: called after each file with its stage and number, for tests that interrupt.

    Raises:
        LabError: nothing to read, a language that no detector knows, or `out` holds the result of other inputs or
            options.
    """
    options, guidance = options or WebOptions(), guidance or Guidance()
    if not isinstance(options, WebOptions):
        raise LabError(f"options are {options!r:.60}, expected WebOptions, such as WebOptions(languages=('de',)).")
    check_whole("jobs", jobs, 0)
    out, start = check_path("out", out), time.perf_counter()
    inputs = records.inputs(paths, texts.is_json)
    _check_ready(options)
    with folder.held(out, _state(inputs, options, guidance), "curate") as work:
        run = _Run(inputs, out, work, options, guidance, stop or (lambda stage, number: None))
        run.funnel.passed |= dict(sorted(records.others(paths, texts.is_json).items()))
        run.read(jobs or os.cpu_count() or 1)
        run.judge()
        run.write_anew()
        run.funnel.seconds = round(time.perf_counter() - start, 1)
        write_text(out / SUMMARY, json.dumps(run.funnel.stored(), indent=1, ensure_ascii=False) + "\n")
        shutil.rmtree(work)
    return run.funnel


def _check_ready(options: WebOptions) -> None:
    """Let what is missing here be one sentence, before anything is written and before workers need it."""
    for code in options.languages or ("en",):
        language.is_in("text", code)
    if options.extractor == "lynx":
        executable()


def _state(inputs: Sequence[Path], options: WebOptions, guidance: Guidance) -> dict[str, Any]:
    return {
        "command": "curate",
        "inputs": folder.inputs_state(inputs),
        "options": json.loads(json.dumps(dataclasses.asdict(options))),
        "good": _digest(guidance.good),
        "keep_out": _digest(guidance.keep_out),
        "vectors": guidance.encode is not None,
        "rephrase": guidance.writer_name if guidance.writer else "",
    }


def _digest(items: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(items).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class _Run:
    """A run on its way; each method is a stage that passes over what is finished."""

    inputs: list[Path]
    out: Path
    work: Path
    options: WebOptions
    guidance: Guidance
    stop: Stop
    funnel: web_report.Funnel = field(default_factory=web_report.Funnel)

    @property
    def pieces(self) -> list[Path]:
        """The work shards, in order."""
        return shards.list_in(self.work)

    def read(self, jobs: int) -> None:
        """Turn records into work shards."""
        passed: Counter[str] = Counter()
        stream, done = self._records(passed), len(self.pieces)
        for _ in islice(stream, done * self.options.shard):
            pass
        work = web_rows.PageWork(self.options.extractor, self.options.languages, self.options.page_seconds)
        with (
            Pool(jobs, self.options, self.guidance.keep_out, work.rows, web_rows.lost) as pool,
            progress(desc="pages", unit="page") as bar,
        ):
            rows = pool.rows(stream)
            while piece := list(islice(rows, self.options.shard)):
                shards.write(self.work / shards.name_of(done), piece, web_rows.ROW_SCHEMA)
                bar.update(len(piece))
                self.stop("pages", done)
                done += 1
        self.funnel.passed |= dict(sorted(passed.items()))

    def judge(self) -> None:
        """Find copies, score, and write the final shards and the report."""
        stays = _going_on(self.pieces)
        exact, near = self._copies(stays)
        stays &= (exact == np.arange(len(stays))) & (near == np.arange(len(stays)))
        scores = self._scores(stays)
        bucket = web_scores.best_buckets(scores, stays)
        self._finish(web_report.Verdicts(exact, near, bucket, scores, self.options.rules))

    def write_anew(self) -> None:
        """Have the final shards rephrased, one after the other."""
        writer = self.guidance.writer
        if writer is None:
            return
        place = self.out / web_rephrasing.FOLDER
        place.mkdir(exist_ok=True)
        shards.sweep(place)
        for number, piece in enumerate(shards.list_in(self.out)):
            web_rephrasing.write_anew(piece, place / piece.name, writer, self.work)
            for name, counts in web_rephrasing.counts_in(place / piece.name).items():
                if counts:
                    self.funnel.rephrased.setdefault(name, Counter()).update(counts)
            self.stop("rephrased", number)

    def _records(self, passed: Counter[str]) -> Iterator[Record]:
        for file in self.inputs:
            limit = self.options.page_bytes
            yield from texts.read(file, limit) if texts.is_json(file) else records.read(file, passed, limit)

    def _copies(self, stays: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not self.options.deduplicate:
            return np.arange(len(stays)), np.arange(len(stays))
        exact = copies.first_of(self.pieces, "digest", 1, stays)
        return exact, copies.first_of(self.pieces, "bands", BANDS, stays)

    def _scores(self, stays: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
        pieces, size = self.pieces, self.options.shard
        paths = [piece.with_name(f"scores-{piece.name}") for piece in pieces]
        if not all(path.is_file() for path in paths):
            sample, signs = web_scores.sample_pages(pieces, stays)
            good = web_scores.sample_of(self.guidance.good)
            scorers = web_scores.teach(sample, signs, good, self.guidance.encode)
            for number, piece in enumerate(progress(pieces, desc="scoring", unit="shard")):
                if not paths[number].is_file():
                    part = stays[number * size : (number + 1) * size]
                    web_scores.write_scores(paths[number], piece, part, scorers)
                    self.stop("scores", number)
        return web_scores.read_scores(paths, stays)

    def _finish(self, verdicts: web_report.Verdicts) -> None:
        for leftover in self.out.glob("part-*.parquet"):
            leftover.unlink()
        shards.sweep(self.out)
        schema = web_report.final_schema(verdicts.scores)
        with shards.report_to(self.out / REPORT, web_report.report_schema(verdicts.scores)) as report:
            for number, piece in enumerate(self.pieces):
                table, rows = web_report.judged(piece, number * self.options.shard, verdicts, self.funnel)
                report.write_table(table)
                shards.write(self.out / shards.name_of(number), rows, schema)
                self.stop("final", number)


def _going_on(pieces: Sequence[Path]) -> NDArray[np.bool_]:
    """Return for each record whether it has a text that no step so far refuses."""
    steps = [pq.read_table(piece, columns=["step"])["step"].to_pylist() for piece in pieces]
    return np.array([not step for part in steps for step in part], dtype=bool)
