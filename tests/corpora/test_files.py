"""Local files: what is read, what is skipped and counted, and what is refused."""

import gzip
import logging

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_lab.corpora import files
from nemo_lab.corpora.loading import load
from nemo_lab.errors import LabError
from tests.corpora.written import COLUMNS, write_jsonl


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.ndjson"])
def test_jsonl_counts_and_logs_what_it_skips(tmp_path, name, caplog):
    rows = [
        {"text": "one", "id": "x1", "license": "MIT"},
        "{broken",
        {"text": None},
        "[1]",
        {"text": "two"},
        "",
    ]
    with caplog.at_level(logging.INFO):
        found = load(write_jsonl(tmp_path / name, rows))
    assert found.column_names == COLUMNS
    assert found["text"][:] == ["one", "two"]
    assert (found[0]["id"], found[0]["licence"]) == ("x1", "MIT")
    assert found[1]["source"] == f"{name}:5"
    assert found.info.description.startswith("2 documents from 1 files, 3 records skipped")
    assert f"Skipped {name}:2: not JSON" in caplog.text
    assert "3 records skipped" in caplog.text


def test_another_text_column_and_the_error_that_lists_them(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"body": "one", "title": "t"}])
    assert load(path, text_column="body")["text"][:] == ["one"]
    with pytest.raises(LabError, match=r"a\.jsonl:1 has no column 'text'; its columns are body, title"):
        load(path)


def test_parquet(tmp_path):
    table = pa.table({"content": ["one", None, "three"], "url": ["a", "b", "c"], "n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = load(str(tmp_path / "a.parquet"), text_column="content")
    assert found["text"][:] == ["one", "three"]
    assert found["id"][:] == ["a", "c"]
    with pytest.raises(LabError, match="its columns are content, url, n"):
        load(tmp_path / "a.parquet")


def test_a_folder_is_read_in_order_and_bad_files_are_counted(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("plain text")
    write_jsonl(tmp_path / "a.jsonl", [{"text": "row"}])
    (tmp_path / "c.parquet").write_bytes(b"no parquet")
    (tmp_path / "d.md.gz").write_bytes(gzip.compress(b"cut off" * 500)[:30])
    (tmp_path / "picture.png").write_bytes(b"not text")
    found = load(tmp_path)
    assert found["text"][:] == ["row", "plain text"]
    assert found["source"][:] == ["a.jsonl:1", "sub/b.txt"]
    assert "from 4 files, 2 records skipped" in found.info.description


def test_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RECORD_LIMIT", 100)
    rows = [{"text": "x" * 200}, {"text": "fine"}, {"text": "y" * 1000}, {"text": "also"}, {"text": "third"}]
    found = load(write_jsonl(tmp_path / "a.jsonl", rows), limit=2)
    assert found["text"][:] == ["fine", "also"]
    assert "2 × longer than 100 bytes" in found.info.description
    (tmp_path / "long.txt").write_text("z" * 101)
    with pytest.raises(LabError, match="holds no readable document: 0 documents from 1 files, 1 records skipped"):
        load(tmp_path / "long.txt")
