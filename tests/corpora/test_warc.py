"""Archives of crawls: pages come out as text, and damage costs one record."""

import gzip
import io
import itertools
import random
import struct
import zlib

import pyarrow as pa
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.corpora import files
from nemo_lab.corpora.loading import load


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


# --- packed as a whole


def blocked(content: bytes) -> bytes:
    """As bgzip packs: members of a fixed size with an extra field, whatever is in them, and an empty one at the end."""
    pieces = [content[at : at + 300] for at in range(0, len(content), 300)]
    return b"".join(bgzip_member(piece) for piece in (*pieces, b""))


def bgzip_member(piece: bytes) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = deflate.compress(piece) + deflate.flush()
    extra = b"BC" + struct.pack("<HH", 2, len(body) + 25)
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff" + struct.pack("<H", len(extra)) + extra
    return head + body + struct.pack("<II", zlib.crc32(piece), len(piece))


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content).to_pybytes()


def zstd_by_record(content: bytes) -> bytes:
    starts = [*warc(False)[1], len(content)]
    return b"".join(zstd(content[start:end]) for start, end in itertools.pairwise(starts))


PACKINGS = {
    "gzip of all": gzip.compress,
    "bgzip": blocked,
    "two records a member": lambda content: (
        gzip.compress(content[: warc(False)[1][2]]) + gzip.compress(content[warc(False)[1][2] :])
    ),
    "records, then the rest as a whole": lambda content: warc(True)[0] + gzip.compress(content),
    "zstd": zstd,
    "zstd by record": zstd_by_record,
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_archive_packed_in_another_way_is_read_whole(tmp_path, packing, monkeypatch):
    monkeypatch.setattr(files, "RECORD_LIMIT", 1000)
    path = tmp_path / ("a.warc.zst" if "zstd" in packing else "a.warc.gz")
    path.write_bytes(PACKINGS[packing](warc(False)[0]))
    once = ["page one", "é two", "page five\n\npage five\n\npage five", "plain six", "page eight"]
    found = load(path)
    assert found["text"][:] == once * (2 if "then" in packing else 1)
    assert "records skipped (" in found.info.description
    assert "damaged" not in found.info.description


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_whole_archive_cut_short_gives_what_is_before_and_says_so(tmp_path, pack):
    stream, draw = io.BytesIO(), random.Random(1)
    writer = WARCWriter(stream, gzip=False)
    for number in range(400):
        record(writer, number, f"<p>page {number} {draw.randbytes(1000).hex()}".encode())
    packed = pack(stream.getvalue())
    (tmp_path / "a.warc.gz").write_bytes(packed[: len(packed) // 2])
    found = load(tmp_path / "a.warc.gz")
    assert 100 < len(found) < 220
    assert [text.split()[1] for text in found["text"]] == [str(number) for number in range(len(found))]
    assert "1 × file not readable from here on (" in found.info.description


def test_a_small_whole_archive_cut_short_gives_what_is_before(tmp_path):
    packed = gzip.compress(warc(False)[0])
    for name, content in (("a.warc.gz", packed[:-30]), ("b.warc.gz", blocked(warc(False)[0])[:-60])):
        (tmp_path / name).write_bytes(content)
        found = load(tmp_path / name)
        assert found["text"][:2] == ["page one", "é two"]
        assert "1 × file not readable from here on (EOFError)" in found.info.description


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(b"\x00" * 500)
    (tmp_path / "b.warc").write_bytes(b"plain words")
    (tmp_path / "c.warc").write_bytes(b"")
    (tmp_path / "d.txt").write_text("text")
    assert "from 4 files, 3 records skipped (" in load(tmp_path).info.description


def test_damage_inside_a_whole_archive_costs_one_record(tmp_path, caplog):
    content, starts = warc(False)
    damaged = bytearray(content * 30)
    damaged[starts[4] : starts[4] + 10] = b"NONSENSE!!"
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(bytes(damaged)))
    found = load(path)
    assert len(found) == 6 * 30 - 1
    assert f"Skipped a.warc.gz at byte {starts[4]}: damaged record" in caplog.text


def test_a_dictionary_inside_an_archive_is_told_with_what_to_do(tmp_path, caplog):
    path = tmp_path / "a.warc.zst"
    path.write_bytes(b"\x5d\x2a\x4d\x18\x04\0\0\0dict" + b"\x28\xb5\x2f\xfd\x23\x07\0\0\0\0\x01\0\0")
    (tmp_path / "b.txt").write_text("plain")
    assert "zstd with a dictionary inside the file; unpack it" in load(tmp_path).info.description


# --- encodings of pages, as nemo-lab extract reads them


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("<p>It doesn’t “cost” 5 €".encode("cp1252"), "text/html; charset=ISO-8859-1", "It doesn’t “cost” 5 €"),
        ("<p>朱镕基与數學".encode("gbk"), "text/html; charset=gb2312", "朱镕基与數學"),
        ("<p>①㈱髙".encode("cp932"), "text/html; charset=windows-31j", "①㈱髙"),
        ('<meta charset="x-sjis"><p>①㈱髙'.encode("cp932"), "text/html", "①㈱髙"),
        ('<meta charset="x-gbk"><p>数学镕'.encode("gbk"), "text/html", "数学镕"),
        (b'<?xml version="1.0" encoding="koi8-r"?><p>' + "Рассмотрим".encode("koi8-r"), "text/html", "Рассмотрим"),
        ("<p>Ünï — “x”".encode("utf-16"), "text/html; charset=iso-8859-1", "Ünï — “x”"),
        ('<?xml version="1.0" encoding="utf-8"?><html><p>é'.encode(), "application/xhtml+xml; charset=utf-8", "é"),
        ("Zürich — “quoted” café".encode("cp1252"), "text/plain; charset=latin1", "Zürich — “quoted” café"),
        ("数学是一门研究数量的学科。我们先考虑简单的情形。".encode("gbk"), "text/plain", "数学是一门研究数量的学科。"),
    ],
)
def test_pages_go_through_the_shared_decoder(tmp_path, body, content_type, text):
    stream = io.BytesIO()
    record(WARCWriter(stream, gzip=True), 1, body, content_type=content_type)
    (tmp_path / "a.warc.gz").write_bytes(stream.getvalue())
    found = load(tmp_path / "a.warc.gz")["text"][:]
    assert len(found) == 1
    assert found[0].startswith(text)
    assert "\ufffd" not in found[0]


def test_pages_that_cannot_be_decoded_are_counted(tmp_path):
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=True)
    record(writer, 1, b"\x89PNG" + bytes(range(256)) * 5)
    record(writer, 2, b"<p>fine")
    headers = StatusAndHeaders(
        "200 OK", [("Content-Type", "text/html"), ("Content-Encoding", "gzip")], protocol="HTTP/1.1"
    )
    broken = gzip.compress(b"<p>" + bytes(range(256)) * 99)
    broken = broken[:60] + bytes(40) + broken[100:]
    writer.write_record(
        writer.create_warc_record("http://a/3", "response", payload=io.BytesIO(broken), http_headers=headers)
    )
    (tmp_path / "a.warc.gz").write_bytes(stream.getvalue())
    told = load(tmp_path / "a.warc.gz").info.description
    assert told.startswith("1 documents")
    assert "2 records skipped" in told


def plain_records(count: int = 5) -> list[bytes]:
    """Return records of one page each, not compressed."""
    found = []
    for number in range(count):
        stream = io.BytesIO()
        record(WARCWriter(stream, gzip=False), number, b"<p>page %d</p>" % number)
        found.append(stream.getvalue())
    return found


def texts_in(tmp_path, content: bytes) -> tuple[list[str], str]:
    path = tmp_path / "a.warc"
    path.write_bytes(content)
    found = load(path)
    return found["text"][:], found.info.description


def test_a_member_of_several_records_between_others_is_read_whole(tmp_path):
    """As tools that join crawls leave it: a record, some records in one member, a record."""
    one = plain_records()
    packed = gzip.compress(one[0]) + gzip.compress(b"".join(one[1:4])) + gzip.compress(one[4])
    assert texts_in(tmp_path, packed)[0] == [f"page {number}" for number in range(5)]


@pytest.mark.parametrize("length", [b"X-Length: ", b"Content-Length: x", b"Content-Length: 9999"])
def test_a_wrong_length_costs_its_own_record(tmp_path, length):
    """Without one, or with one beyond the end, a record would take all that follow for its own."""
    one = plain_records()
    at = one[1].index(b"Content-Length: ")
    one[1] = (
        one[1][:at]
        + length
        + one[1][at:].split(b"\r\n", 1)[0][16:] * (b"9999" not in length)
        + (b"\r\n" + one[1][at:].split(b"\r\n", 1)[1])
    )
    texts, said = texts_in(tmp_path, b"".join(one))
    assert texts == ["page 0", "page 2", "page 3", "page 4"]
    assert "1 records skipped" in said


def test_what_is_no_page_is_counted_by_what_it_is(tmp_path):
    assert "2 records that are no pages (1 × status 404, 1 × type image/png)" in texts_in(tmp_path, warc(False)[0])[1]


def test_markdown_is_a_page_and_so_is_what_has_no_type(tmp_path):
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=False)
    record(writer, 1, b"# Title", content_type="text/markdown")
    record(writer, 2, b"<p>no type</p>", content_type="")
    assert texts_in(tmp_path, stream.getvalue())[0] == ["# Title", "no type"]
