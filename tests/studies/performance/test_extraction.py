"""Both sides of the comparison do what is said of them: the same pages, all counted; killed and resumed, the same."""

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from nemo_lab.errors import LabError
from nemo_lab.studies.performance import extraction
from nemo_lab.studies.performance.sides import main
from tests.curation.made_pages import article
from tests.recorders import record


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Stand-ins for the pages of packages: 96 articles, one of them twice, and an empty page."""
    made = [(f"http://a/{number}", article(number).encode()) for number in range(96)]
    made[40] = ("http://a/again", made[3][1])
    made[50] = ("http://a/empty", b"<html><body></body></html>")
    monkeypatch.setattr(extraction, "real_pages", lambda: iter(made))
    return made


def test_pages_are_dealt_out_and_counted_on_both_sides(pages: list, tmp_path: Path) -> None:
    one, other = extraction.write_archives(tmp_path, 2, 48)
    results = {side: extraction.measure(side, one, tmp_path / "out") for side in extraction.SIDES}
    ours, theirs = results["ours"], results["trafilatura"]
    assert ours["pages"] == theirs["pages"] == 48
    assert theirs["bytes"] == sum(len(content) for _, content in pages[::2])
    assert (ours["kept"], ours["dropped"], ours["failed"]) == (47, 0, 1)
    assert len(ours["memory"]) == 2, "one number a shard"
    assert all(result["seconds"] > 0 < result["cpu"] for result in results.values())
    urls = [url for part in sorted((tmp_path / "out").glob("part-*")) for url in pq.read_table(part)["url"].to_pylist()]
    assert urls == [url for url, _ in pages[::2] if url != "http://a/empty"]
    assert extraction.measure("ours", other, tmp_path / "other")["kept"] == 48


def test_a_killed_run_is_compared_file_by_file(pages: list, tmp_path: Path) -> None:
    (archive,) = extraction.write_archives(tmp_path, 1, 96)
    assert extraction.measure("ours", archive, tmp_path / "straight")["dropped"] == 1
    found = extraction.killed_and_resumed(archive, tmp_path / "killed", tmp_path / "straight")
    assert not found["ended"]
    assert found["shards"] >= 1
    assert found["differ"] == []
    assert found["equal"] == [
        *(f"part-0000{n}.parquet" for n in range(3)),
        "report.parquet",
        "run.json",
        "summary.json",
    ]
    (tmp_path / "straight" / "part-00001.parquet").write_bytes(b"other")
    (tmp_path / "straight" / "part-00002.parquet").unlink()
    again = extraction.killed_and_resumed(archive, tmp_path / "again", tmp_path / "straight")
    assert again["differ"] == ["part-00001.parquet", "part-00002.parquet"]


def test_mistakes_are_one_sentence(pages: list, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="need 97, there are 96"):
        extraction.write_archives(tmp_path, 1, 97)
    with pytest.raises(LabError, match="Unknown side 'justext'"):
        extraction.measure("justext", tmp_path / "a.warc.gz", tmp_path / "out")
    with pytest.raises(LabError, match=r"Timing ours failed with status 1: .*no file or folder"):
        extraction.measure("ours", tmp_path / "a.warc.gz", tmp_path / "out")


def test_real_pages_are_of_the_promised_size() -> None:
    sizes = [len(content) for _, (_, content) in zip(range(20), extraction.real_pages(), strict=False)]
    assert len(sizes) == 20
    assert extraction.SMALLEST <= min(sizes) <= max(sizes) <= extraction.LARGEST


# --- what is equal on both sides


def test_both_sides_get_the_same_archive_and_as_many_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = record(monkeypatch, extraction.subprocess, "run", SimpleNamespace(returncode=0, stdout='{"seconds": 1}'))
    for side in extraction.SIDES:
        extraction.measure(side, tmp_path / "a", tmp_path / "out", jobs=3)
    first, second = (call["popenargs"][0] for call in ran.calls)
    assert [word for word in first if word not in extraction.SIDES] == [w for w in second if w not in extraction.SIDES]
    assert [[side for side in extraction.SIDES if side in words] for words in (first, second)] == [
        [side] for side in extraction.SIDES
    ]


@pytest.mark.parametrize("side", extraction.SIDES)
def test_the_command_runs_the_side_that_it_names(monkeypatch: pytest.MonkeyPatch, capsys, side: str) -> None:
    called = {name: record(monkeypatch, extraction, f"run_{name}", {"ran": name}) for name in extraction.SIDES}
    assert main(extraction.BENCHMARK, extraction.run, [side, "archive", "out", "--jobs", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["ran"] == side
    assert {name for name, recorder in called.items() if recorder.calls} == {side}
    assert called[side].calls == [{"archive": Path("archive"), "out": Path("out"), "jobs": 3}]


def test_our_side_is_the_whole_command_with_as_many_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outcomes = {extraction.KEPT: 5, "failed: why": 2, "near-duplicate": 3}
    ran = record(monkeypatch, extraction, "extract_to", SimpleNamespace(outcomes=outcomes))
    record(monkeypatch, extraction, "_records", 10)
    found = extraction.run_ours(tmp_path / "a", tmp_path, 3)
    assert (ran.only("jobs"), ran.only("out")) == (3, tmp_path)
    assert [found[name] for name in ("pages", "kept", "failed", "dropped")] == [10, 5, 2, 3]
    assert ran.only("options") == extraction.Options(shard=extraction.SHARD)
