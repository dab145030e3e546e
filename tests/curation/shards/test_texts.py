"""JSON: every line comes out, as a page or by name with its reason."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from nemo_lab.curation.pages.page import TEXT_TYPE, Damaged, Page
from nemo_lab.curation.shards import texts

LINES = b"".join(
    [
        b'{"text": "one", "url": "http://a/1", "id": "x"}\n',
        b"\n",
        b'{"html": "<p>two", "id": 2}\n',
        b'{"text": 3}\n',
        b'{"text": null, "raw_content": "four"}\r\n',
        b'["five"]\n',
        b"not json\n",
        b"\xff\xfe\n",
        b"[" * 4900 + b"\n",
        b'{"text": "' + b"long " * 100 + b'"}\n',
        b'{"text": "half \\ud83d a pair"}\n',
        b'{"text": "last"}',
    ]
)


def all_of(path: Path, limit: int = 400) -> list[tuple[str, str, str, str]]:
    found = []
    for record in texts.read(path, limit):
        if isinstance(record, Damaged):
            found.append((record.place, record.url, "", record.reason))
        else:
            assert isinstance(record, Page)
            found.append((record.place, record.url, record.content_type, record.content.decode()))
    return found


def write(path: Path, content: bytes) -> Path:
    if path.suffix == ".gz":
        content = gzip.compress(content)
    if path.suffix == ".zst":
        content = pa.Codec("zstd").compress(content, asbytes=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson", "a.json.gz"])
def test_every_line_is_a_record(tmp_path: Path, name: str) -> None:
    assert texts.is_json(tmp_path / name)
    found = all_of(write(tmp_path / name, LINES), 5000)
    assert found == [
        (f"{name}:1", "http://a/1", TEXT_TYPE, "one"),
        (f"{name}:3", "2", "", "<p>two"),
        (f"{name}:4", "", "", "no text in this row"),
        (f"{name}:5", "", "", "four"),
        (f"{name}:6", "", "", "not a JSON object"),
        (f"{name}:7", "", "", "not JSON"),
        (f"{name}:8", "", "", "not UTF-8, as JSON has to be"),
        (f"{name}:9", "", "", "not JSON"),
        (f"{name}:10", "", TEXT_TYPE, "long " * 100),
        (f"{name}:11", "", TEXT_TYPE, "half ? a pair"),
        (f"{name}:12", "", TEXT_TYPE, "last"),
    ]


def test_an_array_is_read_value_by_value(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "one"}, 2, {"text": "three", "url": "u"}, {', encoding="utf-8")
    assert all_of(tmp_path / "a.json") == [
        ("a.json:1", "", TEXT_TYPE, "one"),
        ("a.json:2", "", "", "not a JSON object"),
        ("a.json:3", "u", TEXT_TYPE, "three"),
        ("a.json value 4", "", "", "no JSON from here on"),
    ]


def test_long_lines_are_one_damaged_record_each(tmp_path: Path) -> None:
    found = all_of(write(tmp_path / "a.jsonl", LINES), 100)
    assert [(place, reason) for place, _, _, reason in found if "longer" in reason] == [
        ("a.jsonl:9", "longer than 100 bytes"),
        ("a.jsonl:10", "longer than 100 bytes"),
    ]
    assert found[-1] == ("a.jsonl:12", "", TEXT_TYPE, "last")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_cut_short_is_named_behind_what_it_gave(tmp_path: Path, name: str) -> None:
    lines = b"".join(json.dumps({"text": f"text {n} of {n * 7919 % 100_003}"}).encode() + b"\n" for n in range(40_000))
    path = write(tmp_path / name, lines)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = all_of(path)
    assert 100 < len(found) < 40_000
    assert found[-1][0] == name
    assert found[-1][3].startswith("file not readable from here on")


@pytest.mark.parametrize("name", ["a.jsonx", "a.csv", "a.html", "a.parquet", "a.gz", "jsonl"])
def test_other_files_are_none(name: str) -> None:
    assert not texts.is_json(Path(name))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]"])
def test_a_file_without_a_record_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert all_of(tmp_path / "a.jsonl") == [("a.jsonl", "", "", "no record in this file")]
