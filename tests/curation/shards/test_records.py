"""Every record that should be a page comes out, as a page or by name with its reason; the rest is counted."""

import bz2
import gzip
import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.curation.pages.page import TEXT_TYPE, Damaged, Page, Record
from nemo_lab.curation.shards.records import inputs, others, read
from nemo_lab.errors import LabError
from tests.curation.made_pages import article, write_warc


def all_of(path: Path, limit: int = 1 << 20) -> tuple[list[Record], Counter[str]]:
    passed: Counter[str] = Counter()
    return list(read(path, passed, limit)), passed


def test_a_warc_gives_its_pages(tmp_path: Path) -> None:
    found, passed = all_of(
        write_warc(tmp_path / "a.warc.gz", [(f"http://a/{n}", article(n).encode()) for n in range(3)])
    )
    assert [(page.url, page.place) for page in found] == [(f"http://a/{n}", f"a.warc.gz#{n + 2}") for n in range(3)]
    first = found[0]
    assert isinstance(first, Page)
    assert (first.content, first.content_type, first.charset) == (article(0).encode(), "text/html", "utf-8")
    assert passed == {"warcinfo record": 1}


def test_what_is_no_page_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=False)
        for status, kind in (
            ("404 No", "text/html"),
            ("200 OK", "image/png"),
            ("200 OK", "application/json"),
            ("200 OK", ""),
        ):
            headers = StatusAndHeaders(status, [("Content-Type", kind)] if kind else [], protocol="HTTP/1.0")
            url = "http://a/b.ipynb" if kind == "application/json" else "http://a/b"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(b"x"), http_headers=headers)
            )
    found, passed = all_of(path)
    kinds = [page.content_type for page in found if isinstance(page, Page)]
    assert kinds == ["application/x-ipynb+json", ""], "the notebook, and the page without a type"
    assert passed == {"status 404": 1, "type image/png": 1}


@pytest.mark.parametrize("cut", [5, 80, 400])
def test_damage_is_named_and_passed(tmp_path: Path, cut: int) -> None:
    whole = write_warc(tmp_path / "a.warc.gz", [(f"http://a/{n}", article(n).encode()) for n in range(6)])
    content = bytearray(whole.read_bytes())
    starts = [at for at in range(len(content)) if content[at : at + 3] == b"\x1f\x8b\x08"]
    content[starts[3] + 40 : starts[3] + 60] = bytes(20)
    whole.write_bytes(bytes(content[: starts[6] + cut]))
    found, _ = all_of(whole)
    damaged = [record for record in found if isinstance(record, Damaged)]
    assert len(damaged) == 2, "the broken one and the one cut off"
    assert all(record.reason and record.place for record in damaged)
    assert [record.url for record in found if isinstance(record, Page)] == [
        "http://a/0",
        "http://a/1",
        "http://a/3",
        "http://a/4",
    ]


def test_long_pages_and_bombs_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for url, payload, coding in (
            ("http://a/long", b"x" * 2_000_000, ""),
            ("http://a/bomb", gzip.compress(bytes(50_000_000)), "gzip"),
        ):
            headers = [("Content-Type", "text/html"), *([("Content-Encoding", coding)] if coding else [])]
            http = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.0")
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(payload), http_headers=http)
            )
    found, _ = all_of(path)
    assert [(record.url, record.reason) for record in found if isinstance(record, Damaged)] == [
        ("http://a/long", "longer than 1,048,576 bytes"),
        ("http://a/bomb", "longer than 1,048,576 bytes"),
    ]


def test_folders_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.html").write_bytes(b"<p>b")
    (tmp_path / "a.txt").write_bytes(b"a")
    (tmp_path / "a.png").write_bytes(b"no page")
    table = pa.table({"html": ["<p>c", None], "url": ["http://c", "http://d"]})
    pq.write_table(table, tmp_path / "c.parquet")
    files = inputs([tmp_path])
    assert [file.name for file in files] == ["a.txt", "c.parquet", "b.html"]
    found = [record for file in files for record in all_of(file)[0]]
    assert [getattr(record, "content", getattr(record, "reason", "")) for record in found] == [
        b"a",
        b"<p>c",
        "no page in this row",
        b"<p>b",
    ]


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    pq.write_table(pa.table({"number": [1]}), tmp_path / "y.parquet")
    for path, words in ((tmp_path / "no", "no file or folder"), (tmp_path / "x.png", "no known kind")):
        with pytest.raises(LabError, match=words):
            inputs([path])
    with pytest.raises(LabError, match="no column of pages"):
        all_of(tmp_path / "y.parquet")
    (tmp_path / "z.parquet").write_bytes(b"not parquet")
    (broken,) = all_of(tmp_path / "z.parquet")[0]
    assert isinstance(broken, Damaged)


PACKINGS = {
    "a.warc.gz": gzip.compress,
    "a.warc.zst": lambda content: pa.Codec("zstd").compress(content).to_pybytes(),
    "a.warc.bz2": bz2.compress,
    "a.warc": bytes,
}


@pytest.mark.parametrize("name", PACKINGS)
def test_an_archive_packed_as_a_whole_gives_its_pages(tmp_path: Path, name: str) -> None:
    made = write_warc(tmp_path / "made.warc.gz", [(f"http://a/{n}", article(n).encode()) for n in range(5)])
    path = tmp_path / name
    path.write_bytes(PACKINGS[name](gzip.decompress(made.read_bytes())))
    assert inputs([path]) == [path]
    found, passed = all_of(path)
    assert [(page.url, page.place) for page in found] == [(f"http://a/{n}", f"{name}#{n + 2}") for n in range(5)]
    assert found[4].content == article(4).encode()
    assert passed == {"warcinfo record": 1}


@pytest.mark.parametrize("name", PACKINGS)
def test_an_archive_packed_as_a_whole_and_cut_short_is_told(tmp_path: Path, name: str) -> None:
    made = write_warc(tmp_path / "made.warc.gz", [(f"http://a/{n}", article(n).encode()) for n in range(5)])
    content = PACKINGS[name](gzip.decompress(made.read_bytes()))
    path = tmp_path / name
    path.write_bytes(content[: 3 * len(content) // 4])
    found, _ = all_of(path)
    damaged = [record for record in found if isinstance(record, Damaged)]
    assert 1 <= len(damaged) <= 2
    assert all(record.reason and record.place.startswith(name) for record in damaged)


def test_files_of_a_folder_that_are_not_read_are_counted(tmp_path: Path) -> None:
    for name in ("a.html", "b.PNG", "c.png", "d"):
        (tmp_path / name).write_bytes(b"x")
    assert others([tmp_path, tmp_path / "a.html"]) == {
        "files of no known kind (.png)": 2,
        "files of no known kind (no suffix)": 1,
    }


def test_a_file_that_went_away_is_a_damaged_record(tmp_path: Path) -> None:
    (gone,) = all_of(tmp_path / "gone.warc.gz")[0]
    assert isinstance(gone, Damaged)
    assert "FileNotFoundError" in gone.reason


def test_a_body_that_breaks_off_and_an_empty_archive_are_damaged_records(tmp_path: Path) -> None:
    packed = gzip.compress(article(1).encode())
    headers = [("Content-Type", "text/html"), ("Content-Encoding", "gzip")]
    with (tmp_path / "a.warc.gz").open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        http = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
        body = io.BytesIO(packed[: len(packed) // 2])
        writer.write_record(writer.create_warc_record("http://a/b", "response", payload=body, http_headers=http))
    assert all_of(tmp_path / "a.warc.gz")[0] == [Damaged("http://a/b", "a.warc.gz#1", "content cut short (gzip)")]
    (tmp_path / "b.warc").write_bytes(b"")
    assert all_of(tmp_path / "b.warc")[0] == [Damaged("", "b.warc", "empty file")]


@pytest.mark.parametrize("name", ["a.wet", "a.warc.wet", "A.WARC.WET.GZ", "a.wet.zst"])
def test_extracts_of_a_crawl_are_text_pages(tmp_path: Path, name: str) -> None:
    """As Common Crawl writes them: a record of what the file is, then plain text without HTTP."""
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=False)
    writer.write_record(writer.create_warcinfo_record(name, {"software": "test"}))
    for number in range(2):
        body = io.BytesIO(f"<p> is how a paragraph begins.\r\n\r\nText {number} – ü\r\n".encode())
        about = {"payload": body, "warc_content_type": "text/plain"}
        writer.write_record(writer.create_warc_record(f"http://a/{number}", "conversion", **about))
    pack = {"gz": gzip.compress, "zst": PACKINGS["a.warc.zst"]}.get(name.lower().rsplit(".", 1)[1], bytes)
    (tmp_path / name).write_bytes(pack(stream.getvalue()))
    assert inputs([tmp_path]) == [tmp_path / name]
    found, passed = all_of(tmp_path / name)
    assert [(page.url, page.content_type) for page in found] == [(f"http://a/{n}", TEXT_TYPE) for n in range(2)]
    assert passed == {"warcinfo record": 1}


def test_a_table_without_rows_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert all_of(tmp_path / "a.parquet")[0] == [Damaged("", "a.parquet", "no record in this file")]
