"""An archive of thousands of records, one in eight of them bad: each is kept, dropped or failed, and memory is flat."""

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.curation import Options, extract_to
from nemo_lab.curation.shards.workers import rows_of
from tests.curation.made_pages import article, page

FILLING = 40_000  # bytes of a comment in each page: read, decoded and parsed, and nothing of it in the text
FEW, MANY = 160, 2080
LIMIT = 200_000
RUN = """
import json, multiprocessing, re, sys
from pathlib import Path
from nemo_lab.curation import Options, extract_to
STATUS = Path("/proc/self/status")
def peak(status):
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024
peaks = []
def note(shard):
    workers = [STATUS.parents[1] / str(child.pid) / "status" for child in multiprocessing.active_children()]
    peaks.extend(peak(status) for status in [STATUS, *workers] if status.is_file())
if __name__ == "__main__":
    options = Options(shard=64, page_bytes=int(sys.argv[3]))
    summary = extract_to([Path(sys.argv[1])], Path(sys.argv[2]), options, jobs=1, stop=note)
    note(0)
    print(json.dumps({"peaks": peaks, "outcomes": summary.outcomes, "passed": summary.passed}))
"""
BAD = {
    "binary": (b"%PDF-1.7 <html><p>text</p>", "failed: binary content"),
    "deep": (b"<div>" * 3000 + b"x", "failed: elements nest deeper than the parser goes"),
    "empty": (page("").encode(), "failed: no text"),
    "long": (b"<p>" + b"word " * LIMIT, f"failed: longer than {LIMIT:,} bytes"),
    "copy": (article(1).encode(), "near-duplicate"),
    "cut": (article(2).encode(), "failed: damaged record (ArchiveLoadFailed)"),
}
NO_PAGE = {"image": ("200 OK", "image/png", "type image/png"), "missing": ("404 Not Found", "text/html", "status 404")}


def write_crawl(path: Path, count: int) -> Counter[str]:
    """Write so many records and return what has to become of them; of every 64, one is of each bad kind."""
    expected: Counter[str] = Counter()
    kinds = {5 + 7 * at: name for at, name in enumerate([*BAD, *NO_PAGE])}
    damaged: list[tuple[int, int]] = []
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for number in range(count):
            kind, start = kinds.get(number % 64, ""), stream.tell()
            content = BAD[kind][0] if kind in BAD else article(number).encode() + filling(number)
            status, media = NO_PAGE[kind][:2] if kind in NO_PAGE else ("200 OK", "text/html")
            headers = StatusAndHeaders(status, [("Content-Type", media)], protocol="HTTP/1.1")
            url = f"http://a/{kind}/{number}"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(content), http_headers=headers)
            )
            expected[(BAD.get(kind) or (0, NO_PAGE[kind][2] if kind else "kept"))[1]] += 1
            damaged += [(start, stream.tell())] if kind == "cut" else []
    with path.open("r+b") as stream:
        for start, end in damaged:  # the compressed bytes from a third of the record on
            stream.seek(start + (end - start) // 3)
            stream.write(b"\x07" * 40)
    return expected


def filling(number: int) -> bytes:
    """A comment of letters, different for each number."""
    return b"<!-- " + random.Random(number).randbytes(FILLING // 2).hex().encode() + b" -->"


def run(folder: Path, count: int) -> tuple[Counter[str], dict, Path]:
    """Extract an archive of so many records in a process of its own."""
    archive, out, script = folder / f"{count}.warc.gz", folder / f"out-{count}", folder / "run.py"
    expected = write_crawl(archive, count)
    script.write_text(RUN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(archive), str(out), str(LIMIT)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=1200,
        check=True,
    )
    return expected, json.loads(done.stdout.splitlines()[-1]), out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Counter[str], dict, Path]]:
    folder = tmp_path_factory.mktemp("crawl")
    return [run(folder, count) for count in (FEW, MANY)]


def test_each_record_is_counted_once(runs: list) -> None:
    for expected, found, out in runs:
        assert Counter(found["outcomes"]) + Counter(found["passed"]) == expected
        report = pq.read_table(out / "report.parquet").to_pylist()
        assert Counter(row["outcome"] for row in report) == found["outcomes"]
        assert len({row["place"] for row in report}) == len(report)
        kept = [url for part in sorted(out.glob("part-*")) for url in pq.read_table(part)["url"].to_pylist()]
        assert kept == [row["url"] for row in report if row["outcome"] == "kept"]


def test_memory_does_not_grow_with_the_archive(runs: list) -> None:
    """The most that the main process or a worker has held, from the kernel's account of each process."""
    (_, few, _), (_, many, _) = runs
    if not few["peaks"]:
        pytest.skip("no /proc on this system")
    held = (MANY - FEW) * FILLING / 2**20
    assert held > 70, "MB that the pages would take if they were kept"
    assert max(many["peaks"]) - max(few["peaks"]) < held / 4


def test_a_page_that_kills_its_worker_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.html").write_text(
            article(number) if number != 2 else page("<p>die here</p>"), encoding="utf-8"
        )
    monkeypatch.setattr("nemo_lab.curation.shards.workers.rows_of", dies)
    extract_to([folder], tmp_path / "out", Options(batch=3), jobs=1)
    outcomes = [row["outcome"] for row in pq.read_table(tmp_path / "out" / "report.parquet").to_pylist()]
    assert outcomes == ["kept", "kept", "failed: its worker process died", "kept", "kept", "kept"]


def dies(batch: list) -> list:
    """Stand in for `rows_of` in a worker, which finds it by name."""
    if any(b"die here" in record.content for record in batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return rows_of(batch)
