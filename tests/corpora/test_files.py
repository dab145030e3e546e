"""Local files: what is read, what is skipped and counted, and what is refused."""

import bz2
import gzip
import json
import logging
import lzma
import random

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


# --- compressed, and other layouts of JSON

TEXTS = ["rivers and lakes", "a café in Zürich — “quoted”"]
LINES = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode()


def zstd(content):
    return pa.Codec("zstd").compress(content).to_pybytes()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("c4.json.gz", gzip.compress),
        ("pile.jsonl.zst", zstd),
        ("dclm.json.zst", zstd),
        ("dclm.jsonl.zstd", zstd),
        ("redpajama.jsonl.bz2", bz2.compress),
        ("oscar.jsonl.xz", lzma.compress),
        ("lines.json", bytes),
        ("SHARD.JSONL.GZ", gzip.compress),
        ("unpacked_by_the_client.json.gz", bytes),
        ("packed_by_the_server.jsonl", gzip.compress),
        ("two_frames.jsonl.zst", lambda content: zstd(content[:60]) + zstd(content[60:])),
        ("array.json", lambda content: b"[" + b",".join(content.splitlines()) + b"]"),
        ("powershell.jsonl", lambda content: content.decode().encode("utf-16")),
    ],
)
def test_json_is_read_whatever_packs_it(tmp_path, name, pack):
    (tmp_path / name).write_bytes(pack(LINES))
    found = load(tmp_path / name)
    assert found["text"][:] == TEXTS
    assert found["source"][:] == [f"{name}:1", f"{name}:2"]
    assert found.info.description == "2 documents from 1 files, 0 records skipped"


@pytest.mark.parametrize("pack", [gzip.compress, zstd, bz2.compress, lzma.compress])
@pytest.mark.parametrize("cut", [5, 40, 400])
def test_a_file_cut_short_is_told(tmp_path, pack, cut):
    lines = b"".join(json.dumps({"text": f"{number} {number**9}"}).encode() + b"\n" for number in range(500))
    (tmp_path / "a.jsonl.x").write_bytes(lines)
    (tmp_path / "a.jsonl.gz").write_bytes(pack(lines)[:-cut])
    (tmp_path / "whole.jsonl").write_bytes(LINES)
    found = load(tmp_path)
    assert found["text"][:][-2:] == TEXTS
    assert "× file not readable from here on (" in found.info.description
    assert "a.jsonl.x: of no known kind" in found.info.description


@pytest.mark.parametrize("array", [True, False])
def test_what_stands_before_a_cut_is_kept(tmp_path, array):
    rows = [json.dumps({"text": f"{number} {number**9}"}) for number in range(500)]
    content = f"[{','.join(rows)}]" if array else "\n".join(rows)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(content.encode())[:-300])
    found = load(tmp_path / "a.json.gz")
    assert 400 < len(found) < 500
    assert "1 records skipped (1 × file not readable from here on (EOFError))" in found.info.description


# --- a folder says what it left out


def test_a_folder_tells_what_it_did_not_read(tmp_path, caplog):
    write_jsonl(tmp_path / "a.jsonl", [{"text": "row"}])
    for name in ("d.csv", "e.html", "f.tar.gz", "g.PDF", "noname", *(f"{number}.png" for number in range(8))):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "h.txt").symlink_to("nowhere")
    (tmp_path / "i.parquet.gz").write_bytes(b"x")
    write_jsonl(tmp_path / "j.json", [{"version": "1.0", "splits": []}])
    pq.write_table(pa.table({"number": [1]}), tmp_path / "k.parquet")
    told = load(tmp_path).info.description
    assert told.startswith("1 documents from 1 files, 0 records skipped; 17 files left out (")
    for said in (
        "d.csv: a table; write it as jsonl",
        "e.html: a web page, which `nemo-lab extract`",
        "f.tar.gz: an archive; unpack it",
        "g.PDF: a document that needs a converter",
        "h.txt: no file or a broken link",
        "i.parquet.gz: parquet inside another compression",
        "j.json: j.json:1 has no column 'text'; its columns are version, splits",
        "k.parquet: k.parquet has no column 'text'; its columns are number",
        "0.png, 1.png, 2.png, 3.png, 4.png and 4 more: of no known kind",
    ):
        assert said in told
    assert "Left out 7.png: of no known kind" in caplog.text, "the log names every one"


def test_a_folder_of_which_nothing_is_read_says_why(tmp_path):
    (tmp_path / "e.html").write_bytes(b"<p>x")
    with pytest.raises(LabError, match=r"No file under .* can be read \(e.html: a web page, which"):
        load(tmp_path)
    with pytest.raises(LabError, match=r"'e.html' is a web page, which `nemo-lab extract`"):
        load(tmp_path / "e.html")
    write_jsonl(tmp_path / "a.jsonl", [{"body": "one"}])
    with pytest.raises(LabError, match="has no column 'text'; its columns are body: choose with text_column"):
        load(tmp_path)


def test_many_columns_are_not_all_named(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{f"column{number}": 1 for number in range(500)}])
    with pytest.raises(LabError, match="column19 and 480 more: choose"):
        load(path)


# --- plain text of any encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Second: a café in Zürich — “quoted”.", "cp1252"),
        ("数学是一门研究数量的学科。我们先考虑简单的情形。", "gbk"),
        ("數學是一門研究數量的學科。我們先考慮簡單的情形。", "big5"),
        ("日本語の文章です。数学の公式を説明します。", "cp932"),
        ("Рассмотрим квадратное уравнение и найдём его корни.", "koi8-r"),
        ("Second: a café in Zürich — “quoted”.", "utf-16"),
        ("Second: a café in Zürich — “quoted”.", "utf-16-le"),
        ("数学是一门研究数量的学科。\n我们先考虑简单的情形。", "utf-16-be"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md.gz", "a.rst"])
def test_plain_text_is_decoded(tmp_path, text, encoding, name):
    content = text.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = load(tmp_path / name)
    assert found["text"][:] == [text]
    assert "0 records skipped" in found.info.description


def test_what_is_no_text_is_skipped_and_broken_characters_are_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "b.txt").write_bytes("žluťoučký kůň ".encode() * 50 + b"\xff")
    write_jsonl(tmp_path / "c.jsonl", ['{"text": "half of a pair \\ud83d"}'])
    found = load(tmp_path)
    assert found["source"][:] == ["b.txt", "c.jsonl:1"]
    told = found.info.description
    assert "1 × binary content; if it is text, save it as UTF-8" in told or "1 × no known encoding fits; if" in told
    assert told.endswith("; 2 documents with broken characters (U+FFFD)")


def test_a_damaged_parquet_file_is_counted(tmp_path):
    table = pa.table({"text": [f"document {number} {number**7}" for number in range(5000)]})
    pq.write_table(table, tmp_path / "a.parquet", compression="none", use_dictionary=False)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:400] = b"\xff" * 396
    (tmp_path / "a.parquet").write_bytes(content)
    (tmp_path / "b.txt").write_text("fine")
    assert "1 × file not readable from here on" in load(tmp_path).info.description


# --- any damage is a sentence, never a traceback

HEADER = b"WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/html\r\nContent-Length: 4"
RECORD = HEADER + b"\r\n\r\n<p>x\r\n\r\n"
WHOLE = {
    "a.jsonl": LINES * 9,
    "b.json": b"[" + b",".join(LINES.splitlines() * 9) + b"]",
    "c.json.gz": gzip.compress(LINES * 9),
    "d.jsonl.zst": zstd(LINES * 9),
    "e.jsonl.bz2": bz2.compress(LINES * 9),
    "f.json.xz": lzma.compress(LINES * 9),
    "g.txt": "Zürich — “quoted” ".encode("cp1252") * 9,
    "h.md": "Zürich — “quoted” ".encode("utf-16") * 9,
    "i.warc.gz": gzip.compress(RECORD * 9),
}


def damaged(content, draw):
    """The content with a few bytes changed, removed or put in, or cut."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 3, 9])):
        at = draw.randrange(len(changed) + 1)
        changed[at : at + draw.choice([0, 1, 40])] = draw.randbytes(draw.choice([0, 1, 20]))
    return bytes(changed[: draw.choice([None, None, draw.randrange(len(changed) + 1)])])


@pytest.mark.parametrize("name", WHOLE)
def test_damage_ends_in_documents_or_in_a_sentence(tmp_path, name):
    draw = random.Random(7)
    write_jsonl(tmp_path / "z.jsonl", [{"text": "whole"}])
    for _ in range(25):
        (tmp_path / name).write_bytes(damaged(WHOLE[name], draw))
        found = load(tmp_path)
        assert found["text"][-1] == "whole"
        assert found.info.description.startswith(f"{len(found)} documents from ")


# --- nothing in a file is told as well


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "1 files left out (a.txt: an empty file)"),
        ("a.md", b" \r\n\t\n", "1 files left out (a.md: no text in it)"),
        ("a.txt", b"\xef\xbb\xbf", "1 files left out (a.txt: no text in it)"),
        ("a.jsonl", b"", "1 files left out (a.jsonl: an empty file)"),
        ("a.json", b"[]", "1 files left out (a.json: no text in it)"),
        ("a.txt.gz", gzip.compress(b""), "1 files left out (a.txt.gz: no text in it)"),
        ("a.jsonl", b'{"text": " "}', "1 records skipped (1 × no text)"),
        ("a.warc", b"", "1 records skipped (1 × empty file)"),
    ],
)
def test_a_file_without_a_text_is_told(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.txt").write_text("whole")
    assert said in load(tmp_path).info.description
    with pytest.raises(LabError, match="holds no readable document"):
        load(tmp_path / name)
