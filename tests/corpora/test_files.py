"""Local files and hub data sets: what is read, what is skipped and counted, and what is refused."""

import gzip
import io
import json
import logging

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.corpora import files
from nemo_lab.corpora.loading import load
from nemo_lab.errors import LabError

COLUMNS = ["id", "text", "source", "licence"]


def write_jsonl(path, rows):
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


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


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere.jsonl", "is no file or folder either; a Hugging Face data set is 'hf:org/name'"),
        ("novles", "Unknown corpus 'novles', did you mean 'novels'"),
        ("kind.png", r"'kind\.png' is of no known kind; readable are \.jsonl"),
        ("empty", "No file under .* can be read"),
    ],
)
def test_unusable_names_are_one_sentence(tmp_path, name, sentence):
    (tmp_path / "kind.png").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    path = tmp_path / name
    with pytest.raises(LabError, match=sentence):
        load(path if path.exists() else name)


def test_bad_split_and_limit():
    with pytest.raises(LabError, match="Unknown split 'valid', did you mean 'validation'"):
        load("novels", split="valid")
    for limit in (0, -1, 1.5, "3", True):
        with pytest.raises(LabError, match=f"limit is {limit!r}; it must be a whole number of at least 1"):
            load("novels", limit=limit)


@pytest.mark.parametrize("name", [None, "", 5, b"novels", ["novels"]])
def test_what_is_no_name_is_one_sentence(name):
    with pytest.raises(LabError, match=r"^name is .*, expected the path of a file or folder"):
        load(name)


@pytest.mark.parametrize("name", ["nope/", "nope.jsonl", "novel", "a" * 5000])
def test_what_is_nowhere_is_one_sentence(name):
    with pytest.raises(LabError, match=r"^Unknown corpus '.* It is no file or folder either"):
        load(name)


@pytest.mark.parametrize("column", [None, 5, ["text"]])
def test_a_column_is_named_by_text(column, tmp_path):
    with pytest.raises(LabError, match=r"text_column is .*, expected the name of a column"):
        load(write_jsonl(tmp_path / "a.jsonl", [{"text": "a"}]), text_column=column)


def test_own_files_have_the_same_splits(tmp_path):
    rows = [{"text": f"document {index} says {index * index} and more"} for index in range(300)]
    rows += rows[:50]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    parts = {split: load(path, split=split)["text"][:] for split in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 350
    assert not set(parts["train"]) & (set(parts["validation"]) | set(parts["test"]))
    assert load(path, split="train", limit=3)["text"][:] == parts["train"][:3]


def record(writer, number, body, content_type="text/html; charset=utf-8", status="200 OK", kind="response"):
    headers = StatusAndHeaders(status, [("Content-Type", content_type)], protocol="HTTP/1.1")
    address = f"http://example.org/{number}"
    writer.write_record(writer.create_warc_record(address, kind, payload=io.BytesIO(body), http_headers=headers))


def warc(gzipped: bool) -> tuple[bytes, list[int]]:
    """Return an archive of eight records and where each begins."""
    stream, starts = io.BytesIO(), []
    writer = WARCWriter(stream, gzip=gzipped)
    bodies = [
        (b"<p>page one</p><script>x</script>", {}),
        ("<p>é two</p>".encode("latin-1"), {"content_type": "text/html; charset=ISO-8859-1"}),
        (b"\x89PNG", {"content_type": "image/png"}),
        (b"<p>gone</p>", {"status": "404 Not Found"}),
        (b"<p>page five</p>" * 3, {}),
        (b"plain six", {"content_type": "text/plain"}),
        (b"x" * 2000, {}),
        (b"<p>page eight</p>", {}),
    ]
    for number, (body, options) in enumerate(bodies, 1):
        starts.append(stream.tell())
        record(writer, number, body, **options)
    return stream.getvalue(), starts


@pytest.mark.parametrize("gzipped", [True, False])
def test_warc_pages_to_visible_text(tmp_path, gzipped, monkeypatch):
    monkeypatch.setattr(files, "RECORD_LIMIT", 1000)
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(warc(gzipped)[0])
    found = load(path)
    assert found["text"][:] == [
        "page one",
        "é two",
        "page five\n\npage five\n\npage five",
        "plain six",
        "page eight",
    ]
    assert found["source"][0] == f"http://example.org/1, {path.name}"
    assert "1 × longer than 1,000 bytes" in found.info.description


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_damaged_warc_record_costs_one_record(tmp_path, gzipped, caplog):
    content, starts = warc(gzipped)
    damaged = bytearray(content)
    place = starts[4]
    if gzipped:
        damaged[place + 20 : place + 60] = b"\xff" * 40
    else:
        damaged[place : place + 10] = b"NONSENSE!!"
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(bytes(damaged))
    texts = load(path)["text"][:]
    assert "page one" in texts
    assert texts[-1] == "page eight", "reading goes on behind the damage"
    assert not any("five" in text for text in texts)
    assert f"Skipped {path.name} at byte {place}: damaged record" in caplog.text


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("back", [5, 60, 200])
def test_a_warc_cut_short_gives_what_is_whole(tmp_path, gzipped, back):
    content, starts = warc(gzipped)
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(content[: starts[5] - back])
    found = load(path)
    whole = ["page one", "é two"]
    assert found["text"][:2] == whole
    assert len(found) == 2 or back == 5, "only the blank lines behind the record may be missing"
    if len(found) == 2:
        assert "1 records skipped" in found.info.description


def test_hub_data_set_on_disk_streams(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [{"text": f"row {n}", "url": f"u{n}"} for n in range(20)])
    write_jsonl(tmp_path / "test.jsonl", [{"text": "held out", "url": "t"}, {"text": "", "url": "e"}])
    found = load(f"hf:{tmp_path}", limit=5)
    assert found.column_names == COLUMNS
    assert found["text"][:] == [f"row {n}" for n in range(5)]
    assert found["id"][0] == "u0"
    other = load(f"hf:{tmp_path}@test")
    assert other["text"][:] == ["held out"]
    assert "1 rows skipped" in other.info.description
    with pytest.raises(LabError, match="has no column 'body'; its columns are"):
        load(f"hf:{tmp_path}", text_column="body")


def test_hub_data_set_that_was_saved_to_disk(tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"]})
    datasets.DatasetDict({"train": rows}).save_to_disk(tmp_path / "saved")
    assert load(f"hf:{tmp_path / 'saved'}")["text"][:] == ["a", "b"]
    with pytest.raises(LabError, match="Unknown split 'dev'; valid: train"):
        load(f"hf:{tmp_path / 'saved'}@dev")


def test_hub_errors_are_one_sentence():
    with pytest.raises(LabError, match="is no data set name"):
        load("hf:a:b:c")
    with pytest.raises(LabError, match=r"'no-such-org/no-such-set' .* cannot be opened") as error:
        load("hf:no-such-org/no-such-set")
    assert "\n" not in str(error.value)
