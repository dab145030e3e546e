"""`extract_to`: every record accounted for, and a run that was killed ends with the same bytes as one that was not."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nemo_lab.cli import main
from nemo_lab.curation import Options, extract_to
from nemo_lab.curation.duplicates.near import duplicate_groups
from nemo_lab.curation.shards import folder
from nemo_lab.curation.shards.folder import LOCK, WORK
from nemo_lab.errors import LabError
from tests.curation.made_pages import article, page, write_warc

QUOTE = "How many ways are there to seat five people at a round table if two of them refuse to sit together?"
RUN = """
import sys
from pathlib import Path
from nemo_lab.curation import Options, extract_to
if __name__ == "__main__":
    extract_to([Path(sys.argv[1])], Path(sys.argv[2]), Options(shard=10, batch=4), keep_out=[sys.argv[3]], jobs=1)
"""


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 records: 40 articles, a copy, a quote, a PDF posing as HTML, nested tags, no text, navigation only, "
    "latin-1, a long one."""
    pages = [(f"http://a/{number}", article(number).encode()) for number in range(40)]
    pages[5:5] = [
        ("http://a/copy", article(3).replace("Series", "series").encode()),
        ("http://a/quote", page(f"<p>{QUOTE}</p>").encode()),
        ("http://a/pdf", b"%PDF-1.5 <html>"),
        ("http://a/deep", b"<div>" * 5000 + b"x"),
        ("http://a/empty", page("").encode()),
        ("http://a/nav", page("<nav>home</nav>").encode()),
        ("http://a/latin", page("<p>Théorème élémentaire démontré " * 10).encode("latin-1")),
        ("http://a/long", b"<p>" + b"x " * 9_000_000),
    ]
    return write_warc(tmp_path_factory.mktemp("crawl") / "c.warc.gz", pages, "text/html")


@pytest.fixture(scope="module")
def straight(crawl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("straight") / "out"
    run(crawl, out)
    return out


def run(crawl: Path, out: Path) -> None:
    extract_to([crawl], out, Options(shard=10, batch=4), keep_out=[QUOTE], jobs=1)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_record_is_accounted_for(straight: Path) -> None:
    report = {row["url"].rsplit("/", 1)[1]: row for row in pq.read_table(straight / "report.parquet").to_pylist()}
    outcomes = {name: row["outcome"] for name, row in report.items()}
    assert len(outcomes) == 48
    assert outcomes["copy"] == "near-duplicate"
    assert report["copy"]["detail"] == "record 3"
    assert outcomes["quote"] == "quotes a test"
    assert outcomes["pdf"] == "failed: binary content"
    assert outcomes["deep"] == "failed: elements nest deeper than the parser goes"
    assert outcomes["empty"] == outcomes["nav"] == "failed: no text"
    assert outcomes["long"] == "failed: longer than 16,777,216 bytes"
    assert [outcomes[str(number)] for number in range(40)] == ["kept"] * 40
    assert not any(row["suspected"] for row in report.values())
    assert report["7"]["math_signs"] == report["7"]["math_spans"] == 1
    kept = [row for path in sorted(straight.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert len(kept) == 41
    assert all(row["math_spans"] == row["math_nodes"] == 1 for row in kept if row["title"].startswith("Series"))
    summary = json.loads((straight / "summary.json").read_text(encoding="utf-8"))
    assert sum(summary["outcomes"].values()) == 48
    assert summary["passed"] == {"warcinfo record": 1}
    assert not (straight / ".work").exists()


def test_what_is_suspected_and_what_is_no_notebook_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "lost.html").write_text(
        '<p>Words before <span class="mathquill-static">x2</span> and behind it.</p>', encoding="utf-8"
    )
    (folder / "hidden.html").write_text("<p>Words of prose.</p><div hidden>\\(x^2\\)</div>", encoding="utf-8")
    (folder / "settings.ipynb").write_text('{"theme": "dark"}', encoding="utf-8")
    summary = extract_to([folder], tmp_path / "out", jobs=1)
    report = {row["url"]: row for row in pq.read_table(tmp_path / "out" / "report.parquet").to_pylist()}
    assert report["settings.ipynb"]["outcome"] == "failed: no notebook: JSON without a list of cells"
    assert report["hidden.html"]["in_furniture"] == 1
    assert {name: row["suspected"] for name, row in report.items()} == {
        "lost.html": True,
        "hidden.html": False,
        "settings.ipynb": False,
    }
    assert summary.losses["suspected"] == 1
    assert "more formulas than came out 1: `suspected`" in summary.lines()
    assert "in furniture or hidden 1" in summary.lines()


def test_groups_are_those_of_the_index_in_memory(straight: Path) -> None:
    kept = [row["text"] for path in sorted(straight.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert duplicate_groups(kept) == list(range(len(kept)))


@pytest.mark.parametrize("shards", [1, 3])
def test_killed_and_resumed_is_undisturbed(crawl: Path, straight: Path, tmp_path: Path, shards: int) -> None:
    out, script = tmp_path / "out", tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, str(script), str(crawl), str(out), QUOTE],
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    wait_for(out / ".work" / f"part-{shards - 1:05d}.parquet", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "summary.json").exists(), "it was killed before its end"
    (out / ".part-00000.parquet.0a1b.tmp").write_bytes(b"half")  # as a kill in the middle of a final shard leaves
    run(crawl, out)
    assert content(out) == content(straight)


def test_workers_end_with_a_killed_command(crawl: Path, tmp_path: Path) -> None:
    """SIGKILL reaches the main process alone; the pipe closes when the last process that inherited it is gone."""
    out, script = tmp_path / "out", tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    command = [sys.executable, str(script), str(crawl), str(out), QUOTE]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE) as process:
        wait_for(out / ".work" / "part-00000.parquet", process)
        process.kill()
        process.communicate(timeout=300)
    assert not (out / "summary.json").exists(), "it was killed before its end"


def wait_for(file: Path, process: subprocess.Popen) -> None:
    """Wait until the file is there or the process has ended."""
    deadline = time.monotonic() + 300
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def test_options_of_another_run_are_refused(crawl: Path, straight: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="other inputs or options"):
        extract_to([crawl], straight, Options(shard=11))
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LabError, match="not empty"):
        extract_to([crawl], tmp_path)


def test_the_command(crawl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = tmp_path / "items.txt"
    items.write_text(QUOTE, encoding="utf-8")
    arguments = [
        "extract",
        str(crawl),
        "--out",
        str(tmp_path / "out"),
        "--keep-out",
        str(items),
        "--jobs",
        "1",
        "--min-score",
        "0.5",
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "48 records" in shown
    assert "1 quotes a test" in shown
    assert "formulas 41 of 41" in shown
    assert main(["extract", str(tmp_path / "no"), "--out", str(tmp_path / "o")]) == 2
    assert main(["extract", str(crawl), "--out", str(tmp_path / "o"), "--min-score", "7"]) == 2


def test_a_copy_of_a_page_that_is_left_out_stays(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.html").write_text(article(3).replace("</body>", f"<p>{QUOTE}</p></body>"))
    for name in ("2.html", "3.html"):
        (tmp_path / "in" / name).write_text(article(3))
    extract_to([tmp_path / "in"], tmp_path / "out", Options(), keep_out=[QUOTE], jobs=1)
    outcomes = pq.read_table(tmp_path / "out" / "report.parquet")["outcome"].to_pylist()
    assert outcomes == ["quotes a test", "kept", "near-duplicate"]


def test_a_second_run_into_the_same_folder_is_refused(crawl: Path, tmp_path: Path) -> None:
    def meanwhile(shard: int) -> None:
        with pytest.raises(LabError, match="Another run writes to"):
            extract_to([crawl], tmp_path / "out", Options(shard=10), jobs=1)

    extract_to([crawl], tmp_path / "out", Options(shard=10), jobs=1, stop=meanwhile)


def test_the_lock_is_taken_before_anything_is_written(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "a.html").write_text(article(1))
    work = tmp_path / "out" / WORK
    work.mkdir(parents=True)
    with (work / LOCK).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LabError, match="Another run writes to"):
            extract_to([tmp_path / "a.html"], tmp_path / "out", jobs=1)
        assert [file.name for file in (tmp_path / "out").rglob("*")] == [WORK, LOCK]
    extract_to([tmp_path / "a.html"], tmp_path / "out", jobs=1)
    assert not work.exists()


def test_a_lock_that_another_run_took_away_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends removes the folder between our opening the lock and our locking it."""
    hold, lost = folder._hold, []

    def late(lock, out: Path) -> None:
        if not lost:
            lost.append(shutil.rmtree(out / WORK))
        hold(lock, out)

    monkeypatch.setattr(folder, "_hold", late)
    (tmp_path / "a.html").write_text(article(1))
    assert extract_to([tmp_path / "a.html"], tmp_path / "out", jobs=1).outcomes == {"kept": 1}
    assert lost


def test_a_second_run_cannot_change_what_the_first_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run with other options came and went between our first look and our lock."""
    (tmp_path / "a.html").write_text(article(1))
    out = tmp_path / "out"
    hold, others = folder._hold, []

    def late(lock, out: Path) -> None:
        if not others:
            others.append((out / "run.json").write_text("another run's", encoding="utf-8"))
            (out / "report.parquet").touch()
        hold(lock, out)

    monkeypatch.setattr(folder, "_hold", late)
    with pytest.raises(LabError, match="holds the result of other inputs or options"):
        extract_to([tmp_path / "a.html"], out, jobs=1)
    assert (out / "run.json").read_text() == "another run's"


def test_an_archive_packed_as_a_whole_and_files_left_out(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    archive = write_warc(inside / "a.warc.gz", [(f"http://a/{n}", article(n).encode()) for n in range(5)])
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes())))
    for name in ("b.css", "c.css", "d.jsonl", "e"):
        (inside / name).write_text("no page")
    (inside / "f.html").symlink_to(archive)
    summary = extract_to([inside], tmp_path / "out", jobs=1)
    assert summary.outcomes == {"kept": 5}
    assert summary.passed == {
        "files of no known kind (.css)": 2,
        "files of no known kind (.jsonl)": 1,
        "files of no known kind (no suffix)": 1,
        "files that are links": 1,
        "warcinfo record": 1,
    }
    assert "passed over: 2 files of no known kind (.css)" in summary.lines()


def test_items_too_short_to_be_looked_for_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.html").write_text(article(1))
    (tmp_path / "items.txt").write_text(f"{QUOTE}\nWhat is 2 + 2?\nWho?\n")
    arguments = ["extract", str(tmp_path / "a.html"), "--keep-out", str(tmp_path / "items.txt"), "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "2 of 3 items of --keep-out have fewer than 8 words and are not looked for, such as 'What is 2 + 2?'" in told
    (tmp_path / "items.txt").write_text(QUOTE)
    assert main([*arguments, "--out", str(tmp_path / "out2")]) == 0
    assert "fewer than" not in capsys.readouterr().err


def test_an_out_that_cannot_be_written_is_one_sentence(crawl: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="is a file"):
        extract_to([crawl], tmp_path / "file", jobs=1)
    with pytest.raises(LabError, match="cannot be written to"):
        extract_to([crawl], tmp_path / "file" / "below", jobs=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard": 0}, "shard is 0; it must be a whole number of at least 1"),
        ({"batch": None}, "batch is None"),
        ({"min_score": 5.1}, "min_score is 5.1; it must be a finite number at least 0 and at most 5"),
        ({"min_score": float("nan")}, "min_score is nan"),
        ({"page_bytes": 0}, "page_bytes is 0"),
        ({"page_seconds": 0}, "page_seconds is 0; it must be a finite number above 0"),
        ({"deduplicate": "no"}, "deduplicate is 'no', expected True or False"),
    ],
)
def test_options_that_extract_nothing_are_refused(change, words):
    with pytest.raises(LabError, match=words):
        Options(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": None}, "paths are None, expected a list of files and folders"),
        ({"paths": []}, r"paths are \[\], expected"),
        ({"paths": "crawl.warc"}, "paths are 'crawl.warc', expected a list"),
        ({"paths": [None]}, "path is None, expected the path"),
        ({"paths": ["nope.warc"]}, "There is no file or folder 'nope.warc'"),
        ({"out": None}, "out is None, expected the path"),
        ({"jobs": -1}, "jobs is -1; it must be a whole number of at least 0"),
        ({"keep_out": "one string"}, "keep_out is one text, 'one string'"),
        ({"options": {"shard": 1}}, "options are .*, expected Options"),
    ],
)
def test_what_cannot_be_extracted_is_one_sentence(change, words, tmp_path):
    (tmp_path / "page.html").write_text("<p>text")
    with pytest.raises(LabError, match=words):
        extract_to(**{"paths": [tmp_path / "page.html"], "out": tmp_path / "out"} | change)
    assert not (tmp_path / "out").exists()
