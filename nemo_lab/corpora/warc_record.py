"""One record of a WARC archive: what it is, and its content, which comes whole or with the reason why it does not.

A page can be cut without any error: by a `Content-Length` that is too short, by a body in chunks or in gzip, deflate
or brotli that breaks off, by the crawler itself, which says so in `WARC-Truncated`, or by a record in segments.
warcio gives the part that is there; here all of these are reasons.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from nemo_lab.charsets import charset_of

HTML, TEXT, NOTEBOOK = "html", "text", "notebook"
_PAGES = ("response", "resource", "conversion")  # record types that hold one
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")
_ZSTD = b"\x28\xb5\x2f\xfd"
WRONG_LENGTH = "the record's Content-Length is wrong"


class _CutShort(ValueError):
    """A body that breaks off."""


@dataclass
class Archived:
    """A record as warcio gives it, with the iterator that it came from.

    Attributes:
        told: whether its reader has heard of a wrong length.
    """

    record: Any
    iterator: Any
    told: bool = False

    @property
    def address(self) -> str:
        """Where the page was, or ''."""
        return self.record.rec_headers.get_header("WARC-Target-URI") or ""

    @property
    def media_type(self) -> str:
        """In small letters and without parameters; '' where none is said."""
        return self._content_type.split(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """As the headers say it, or ''."""
        return charset_of(self._content_type)

    @cached_property
    def kind(self) -> str:
        """`html`, `text` or `notebook` for a page, '' for others (requests, metadata, images, errors)."""
        if self.record.rec_type not in _PAGES or not self._status.startswith("2"):
            return ""
        media = self.media_type
        if "html" in media or not media:
            return HTML
        if "ipynb" in media or (media.endswith("json") and self.address.endswith(".ipynb")):
            return NOTEBOOK
        return TEXT if media.startswith(("text/plain", "text/markdown")) else ""

    @property
    def is_conversion(self) -> bool:
        """Whether it is what somebody made of a page, as the texts of WET files are."""
        return bool(self.record.rec_type == "conversion")

    def what_else(self) -> str:
        """Return what a record is that is no page: its type, its status or its media type."""
        if self.record.rec_type not in _PAGES:
            return f"{self.record.rec_type} record"
        return f"type {self.media_type[:60]}" if self._status.startswith("2") else f"status {self._status[:3]}"

    @cached_property
    def has_wrong_length(self) -> bool:
        """Whether its content ends neither where the file or the member does, nor before blank lines or a record.

        Looking there takes the rest of the content away.
        """
        self.iterator.read_to_end()
        line = self.iterator.next_line
        is_odd = line is not None and not line.startswith(b"WARC/")
        return self.record.format == "warc" and is_odd and self.iterator.blank < len(b"\r\n\r\n")

    @property
    def is_cut(self) -> bool:
        """Whether what its length promised is not there, once it is read."""
        return getattr(self.record.raw_stream, "limit", 0) > 0

    def content(self, limit: int) -> tuple[bytes, str]:
        """Return its content without codings, or none and the reason why; can be called once.

        Args:
            limit: bytes that are read at most.
        """
        try:
            raw = self.record.raw_stream.read(limit + 1)
            reason = f"longer than {limit:,} bytes" if len(raw) > limit else self._flaw()
            content = b"" if reason else self._decoded(raw, limit)
        except _CutShort as error:
            return b"", str(error)
        except Exception as error:  # content codings (gzip, brotli, chunked) of a hostile record raise what they like
            return b"", f"content not readable ({type(error).__name__})"
        if len(content) > limit:
            return b"", f"longer than {limit:,} bytes"
        return content, reason

    def _flaw(self) -> str:
        """Return why the record does not hold all of its page, or ''."""
        if self.is_cut:
            return "record cut short"
        if self.has_wrong_length:
            self.told = True
            return WRONG_LENGTH
        headers = self.record.rec_headers
        if cut := headers.get_header("WARC-Truncated"):
            return f"cut by the crawler (WARC-Truncated: {cut[:20]})"
        return "one of several segments" if headers.get_header("WARC-Segment-Number") else ""

    def _decoded(self, raw: bytes, limit: int) -> bytes:
        if "chunked" in self._http("Transfer-Encoding").lower():
            raw = _unchunked(raw)
        return _unpacked(raw, self._http("Content-Encoding").strip().lower(), limit)

    @property
    def _status(self) -> str:
        return self.record.http_headers.get_statuscode() if self.record.http_headers else "200"

    @property
    def _content_type(self) -> str:
        headers = self.record.http_headers or (None if self.record.rec_type == "response" else self.record.rec_headers)
        return (headers.get_header("Content-Type") if headers else None) or ""

    def _http(self, name: str) -> str:
        headers = self.record.http_headers
        return (headers.get_header(name) if headers else None) or ""


def _unchunked(raw: bytes) -> bytes:
    """Return the body that chunks hold, or the bytes themselves: crawls take chunks away and leave the header.

    Raises:
        _CutShort: chunks without the last, empty one.
    """
    pieces: list[bytes] = []
    at = 0
    while head := _CHUNK.match(raw, at):
        size, at = int(head[1], 16), head.end()
        if not size:
            return b"".join(pieces)
        pieces.append(raw[at : at + size])
        at += size + len(b"\r\n")
    if not pieces:
        return raw
    raise _CutShort("content cut short (chunked)")


def _unpacked(body: bytes, coding: str, limit: int) -> bytes:
    """Return at most `limit` + 1 bytes of a body without its coding; as it is where it is in none after all.

    Raises:
        _CutShort: it breaks off.
    """
    if coding == "br" and not body.lstrip().startswith(b"<"):  # no stream of brotli begins so
        return _by_arrow(body, "brotli", limit)
    if coding == "zstd" and body.startswith(_ZSTD):
        return _by_arrow(body, "zstd", limit)
    return _inflated(body, coding.removeprefix("x-"), limit)


def _inflated(body: bytes, coding: str, limit: int) -> bytes:
    from warcio.bufferedreaders import BufferedReader

    if not body or coding not in ("gzip", "deflate"):
        return body
    reader = BufferedReader(BytesIO(body), decomp_type=coding)
    content = bytes(reader.read(limit + 1))
    if len(content) <= limit and reader.decompressor is not None and not reader.decompressor.eof:
        raise _CutShort(f"content cut short ({coding})")
    return content


def _by_arrow(body: bytes, coding: str, limit: int) -> bytes:
    """Read zstd, which warcio does not know, and brotli, which it reads with old releases of that package only."""
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(body), coding) as stream:
        try:
            return bytes(stream.read(limit + 1))
        except OSError as error:
            if "runcated" in str(error):
                raise _CutShort(f"content cut short ({coding})") from error
            return body
