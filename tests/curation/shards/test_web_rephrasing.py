"""Pages written anew: which, what of it is used, and what a server's failures and a kill leave."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nemo_lab.curation.rewriting.endpoint import EndpointError
from nemo_lab.curation.rewriting.writer import AskingWriter
from nemo_lab.curation.shards import files as shards
from nemo_lab.curation.shards import web_report
from nemo_lab.curation.shards.web_rephrasing import PATIENCE, PatientAsk, counts_in, open_writer, tokens, write_anew
from nemo_lab.errors import LabError
from tests.curation.shards.web_pages import prose

ANSWER = "Here is a rewritten version: " + "the harbour was quiet and nobody came to see it on that day, " * 6


def final_shard(folder: Path, pages: list[tuple[str, str]]) -> Path:
    rows = [
        {"text": prose(n, 8), "url": f"u{n}", "source": f"p{n}", "language": code, "quality": label, "bucket": 19}
        for n, (label, code) in enumerate(pages)
    ]
    shards.write(folder / "part-00000.parquet", rows, web_report.final_schema({}))
    return folder / "part-00000.parquet"


def test_the_best_in_five_ways_and_the_worst_in_one(tmp_path: Path) -> None:
    asked: list[str] = []
    piece = final_shard(tmp_path, [("high", "en"), ("medium", "en"), ("low", "en"), ("low", "de")])
    writer = AskingWriter(PatientAsk(lambda prompt: asked.append(prompt) or ANSWER), tokens)
    write_anew(piece, tmp_path / "anew.parquet", writer, tmp_path)
    assert len(asked) == 6
    rows = pq.read_table(tmp_path / "anew.parquet").to_pylist()
    assert [(row["quality"], row["task"], row["source"]) for row in rows] == [
        ("high", "wikipedia", "p0"),
        ("low", "wikipedia", "p2"),
    ]
    assert rows[0]["text"].startswith("the harbour was quiet")
    counts = counts_in(tmp_path / "anew.parquet")
    assert len(counts) == 6
    assert counts["low, wikipedia"] == {"written": 1, "not English": 1}
    assert counts["high, diverse_qa"] == {"no pairs": 1}


def test_a_file_that_is_there_is_not_asked_for(tmp_path: Path) -> None:
    piece = final_shard(tmp_path, [("low", "en")])
    asked: list[str] = []
    writer = AskingWriter(PatientAsk(lambda prompt: asked.append(prompt) or ANSWER), tokens)
    for _ in range(2):
        write_anew(piece, tmp_path / "anew.parquet", writer, tmp_path)
    assert len(asked) == 1


def test_answers_are_kept_until_their_shard_is_whole(tmp_path: Path) -> None:
    """A server never says the same twice; what it said before a kill is what stands in the shard."""
    piece, count = final_shard(tmp_path, [("low", "en")] * 6), 0

    def ask(prompt: str) -> str:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return f"{ANSWER} (told the {count}. time)"

    with pytest.raises(KeyboardInterrupt):
        write_anew(piece, tmp_path / "anew.parquet", AskingWriter(PatientAsk(ask), tokens), tmp_path)
    with (tmp_path / "answers-part-00000.jsonl").open("a") as stream:
        stream.write('\n["half a li')  # as a kill leaves it
    write_anew(piece, tmp_path / "anew.parquet", AskingWriter(PatientAsk(ask), tokens), tmp_path)
    told = [row["text"].split("the ")[-1] for row in pq.read_table(tmp_path / "anew.parquet").to_pylist()]
    assert told == ["1. time)", "2. time)", "3. time)", "5. time)", "6. time)", "7. time)"]


def test_a_server_that_is_down_ends_the_run_and_leaves_no_shard(tmp_path: Path) -> None:
    piece, asked = final_shard(tmp_path, [("low", "en")] * 9), []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        raise EndpointError("down", "refused")

    with pytest.raises(LabError, match=r"failed 5 times in a row \(down\); what was written is kept"):
        write_anew(piece, tmp_path / "anew.parquet", AskingWriter(PatientAsk(ask), tokens), tmp_path)
    assert len(asked) == PATIENCE
    assert not (tmp_path / "anew.parquet").exists()


def test_single_failures_are_counted(tmp_path: Path) -> None:
    piece, asked = final_shard(tmp_path, [("low", "en")] * 9), []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        if len(asked) % 3 == 0:
            raise EndpointError("slow")
        return ANSWER

    write_anew(piece, tmp_path / "anew.parquet", AskingWriter(PatientAsk(ask), tokens), tmp_path)
    assert counts_in(tmp_path / "anew.parquet")["low, wikipedia"] == {"written": 6, "no reply (slow)": 3}


def test_who_writes() -> None:
    writer = open_writer("http://127.0.0.1:9/v1", "some-model", "secret")
    assert isinstance(writer, AskingWriter)
    endpoint = writer.ask.ask.__self__
    assert (endpoint.model, endpoint.key, endpoint.temperature) == ("some-model", "secret", 0.5)
    assert "secret" not in json.dumps(list(writer.ask.kept))
    for name in ("nobody", "ftp://a/v1", ""):
        with pytest.raises(LabError):
            open_writer(name)
    with pytest.raises(LabError, match="The endpoint is 'http://'"):
        open_writer("http://")


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("four", 1), ("fours", 2)])
def test_tokens_are_told_from_characters(text: str, count: int) -> None:
    assert tokens(text) == count
