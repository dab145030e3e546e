"""Whatever is wrong with an archive costs the records that it is wrong with, and each of them is told."""

import gzip
import io

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.corpora.warc_record import WRONG_LENGTH
from nemo_lab.corpora.warc_stream import records

PAGE = b"<p>first of %d</p>\n\n<p>second, to be cut off</p>\n<p>" + b"more words " * 30 + b"</p>\n"


def archive(kind: str = "response", media: str = "text/html", count: int = 4) -> list[bytes]:
    found = []
    for number in range(count):
        stream = io.BytesIO()
        writer = WARCWriter(stream, gzip=False)
        http = None
        if kind == "response":
            http = StatusAndHeaders("200 OK", [("Content-Type", media)], protocol="HTTP/1.1")
        body = io.BytesIO(PAGE.replace(b"%d", b"%d" % number))
        about = {"warc_content_type": "" if http else media, "http_headers": http}
        writer.write_record(writer.create_warc_record(f"http://a/{number}", kind, payload=body, **about))
        found.append(stream.getvalue())
    return found


def with_length(record: bytes, change: int) -> bytes:
    """Return the record saying that it is so many bytes longer."""
    before, mark, rest = record.partition(b"Content-Length: ")
    length, end, behind = rest.partition(b"\r\n")
    return before + mark + b"%d" % (int(length) + change) + end + behind


def read(path, content: bytes) -> tuple[list[bytes], list[tuple[str, str]]]:
    path.write_bytes(content)
    told: list[tuple[str, str]] = []
    whole = []
    for record in records(path, path.name, lambda place, reason: told.append((place, reason))):
        if record.kind:
            body, reason = record.content(1 << 20)
            if reason:
                told.append((record.address, reason))
            else:
                whole.append(body)
    return whole, told


def by_record(pieces: list[bytes]) -> bytes:
    return b"".join(map(gzip.compress, pieces))


def as_a_whole(pieces: list[bytes]) -> bytes:
    return gzip.compress(b"".join(pieces))


PACKED = {"a.warc": b"".join, "by-record.warc.gz": by_record, "whole.warc.gz": as_a_whole}
CUT_AT = {  # bytes by which the length is too short: inside a line, before one, at a blank line, in the HTTP header
    "in the last line": -5,
    "before a line": -len(PAGE.split(b"\n")[-2]) - 1,
    "between lines": -len(PAGE) + PAGE.index(b"\n<p>second") - 1,
    "in the header": -len(PAGE) - 20,
}


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("place", CUT_AT)
@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_length_that_is_too_short_is_told_and_costs_its_own_page(tmp_path, capsys, name, place, bad):
    pieces = archive()
    pieces[bad] = with_length(pieces[bad], CUT_AT[place])
    whole, told = read(tmp_path / name, PACKED[name](pieces))
    assert whole == [PAGE.replace(b"%d", b"%d" % number) for number in range(4) if number != bad]
    assert told == [(f"http://a/{bad}", WRONG_LENGTH)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("more", [10, 200])
def test_a_length_that_is_too_long_takes_no_other_page(tmp_path, name, more):
    pieces = archive()
    pieces[1] = with_length(pieces[1], more)
    whole, told = read(tmp_path / name, PACKED[name](pieces))
    assert whole == [PAGE.replace(b"%d", b"%d" % number) for number in (0, 2, 3)]
    assert len(told) == 1
    assert told[0][0] == "http://a/1"


def test_a_record_that_is_no_page_takes_none_with_it(tmp_path):
    pieces = archive()
    other = with_length(archive("metadata", count=1)[0], 100)
    whole, told = read(tmp_path / "a.warc", pieces[0] + other + b"".join(pieces[1:]))
    assert len(whole) == 4
    assert told == [(f"a.warc at byte {len(pieces[0])}", WRONG_LENGTH)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ("a.warc.gz", "empty file")),
        (b"\n\n", ("a.warc.gz at byte 0", "damaged record (ValueError)")),
        (gzip.compress(b"", mtime=0), ("a.warc.gz at byte 0", "file cut short")),
    ],
)
def test_a_file_without_a_record_is_told_once(tmp_path, content, reason):
    assert read(tmp_path / "a.warc.gz", content) == ([], [reason])


@pytest.mark.parametrize("name", ["a.warc", "by-record.warc.gz"])
def test_an_archive_that_ends_in_a_header_is_told(tmp_path, name):
    pieces = archive()
    before = PACKED[name](pieces[:3])
    whole, told = read(tmp_path / name, before + PACKED[name](pieces[3:])[:40])
    assert len(whole) == 3
    assert [place for place, _ in told] == [f"{name} at byte {len(before)}"]


def test_line_feeds_alone_are_read(tmp_path):
    pieces = [piece.replace(b"\r\n", b"\n") for piece in archive("conversion", "text/plain")]
    whole, told = read(tmp_path / "a.warc", b"".join(pieces))
    assert (len(whole), told) == (4, [])
