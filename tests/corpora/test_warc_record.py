"""A record's content comes whole, or with the reason why it does not: never a page that is cut and not told."""

import gzip
import io
import zlib

import pyarrow as pa
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.corpora.warc_stream import records

PAGE = b"".join(b"<p>line %d</p>\n" % number for number in range(2000))


def deflated(content: bytes) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflate.compress(content) + deflate.flush()


def chunked(content: bytes) -> bytes:
    pieces = [content[at : at + 3000] for at in range(0, len(content), 3000)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


PACKINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": deflated,
    "br": lambda content: pa.Codec("brotli").compress(content).to_pybytes(),
    "zstd": lambda content: pa.Codec("zstd").compress(content).to_pybytes(),
    "chunked": chunked,
    "gzip, chunked": lambda content: chunked(gzip.compress(content)),
}


def one(path, body, headers=(), about=None, limit=1 << 20):
    """Return content and reason of the only page in an archive of it."""
    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html"), *headers], protocol="HTTP/1.1")
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=path.suffix == ".gz")
        made = writer.create_warc_record(
            "http://a/b", "response", payload=io.BytesIO(body), http_headers=http, warc_headers_dict=about or {}
        )
        writer.write_record(made)
    told = []
    (found,) = [record.content(limit) for record in records(path, path.name, lambda *what: told.append(what))]
    assert not told
    return found


def headers_of(name: str) -> list[tuple[str, str]]:
    coding = name.strip().removesuffix("chunked").removesuffix(", ")
    said = [("Content-Encoding", coding)] if coding else []
    return [*said, ("Transfer-Encoding", "chunked")] if "chunked" in name else said


@pytest.mark.parametrize("name", PACKINGS)
def test_a_body_comes_out_of_its_coding(tmp_path, name):
    assert one(tmp_path / "a.warc.gz", PACKINGS[name](PAGE), headers_of(name)) == (PAGE, "")


@pytest.mark.parametrize("name", PACKINGS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_body_that_breaks_off_is_told(tmp_path, name, share):
    packed = PACKINGS[name](PAGE)
    content, reason = one(tmp_path / "a.warc.gz", packed[: int(share * len(packed))], headers_of(name))
    assert content == b""
    assert reason.startswith("content cut short (")


@pytest.mark.parametrize("name", PACKINGS)
def test_a_body_without_the_coding_it_speaks_of_stays_as_it_is(tmp_path, name):
    """Crawls store what they have decoded and leave the header."""
    assert one(tmp_path / "a.warc.gz", PAGE, headers_of(name)) == (PAGE, "")


@pytest.mark.parametrize("name", PACKINGS)
def test_a_body_longer_than_the_limit_is_refused_in_every_coding(tmp_path, name):
    content, reason = one(tmp_path / "a.warc.gz", PACKINGS[name](PAGE), headers_of(name), limit=9000)
    assert (content, reason) == (b"", "longer than 9,000 bytes")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_an_empty_body_in_a_coding_is_an_empty_page(tmp_path, coding):
    assert one(tmp_path / "a.warc", b"", [("Content-Encoding", coding)]) == (b"", "")


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"WARC-Truncated": "length"}, "cut by the crawler (WARC-Truncated: length)"),
        ({"WARC-Segment-Number": "1"}, "one of several segments"),
    ],
)
def test_a_page_that_the_record_itself_calls_cut_is_told(tmp_path, about, reason):
    assert one(tmp_path / "a.warc", PAGE, about=about) == (b"", reason)


def test_what_a_record_is(tmp_path):
    said = [
        ("200 OK", "Text/HTML; charset=x", "html", "type text/html"),
        ("200 OK", "", "html", "type "),
        ("200 OK", "text/plain", "text", "type text/plain"),
        ("200 OK", "application/json", "notebook", "type application/json"),
        ("200 OK", "image/png", "", "type image/png"),
        ("301 Moved", "text/html", "", "status 301"),
    ]
    with (tmp_path / "a.warc").open("wb") as stream:
        writer = WARCWriter(stream, gzip=False)
        for status, media, _, _ in said:
            http = StatusAndHeaders(status, [("Content-Type", media)] if media else [], protocol="HTTP/1.1")
            writer.write_record(writer.create_warc_record("http://a/b.ipynb", "response", http_headers=http))
        writer.write_record(writer.create_warc_record("http://a/b", "metadata", payload=io.BytesIO(b"{}")))
    found = list(records(tmp_path / "a.warc", "a.warc", lambda place, reason: pytest.fail(reason)))
    assert [(one.kind, one.what_else()) for one in found] == [*(row[2:] for row in said), ("", "metadata record")]
    assert (found[0].media_type, found[0].charset, found[0].address) == ("text/html", "x", "http://a/b.ipynb")
