"""WARC archives of web crawls: HTML responses to visible text, one record at a time.

A crawl's archive is the least trusted thing we read. Each record's content is read up to a limit, pages are
parsed by lxml without network or entities, and a record that is damaged is skipped: we look for the start of
the next one, a gzip member or a `WARC/1.` line, and go on from there, so one bad record costs one record.

An archive should be compressed record by record. Those that are compressed as a whole (`gzip a.warc`), by bgzip, or
by zstd, bzip2 or xz are decompressed on the way, in bounded memory; then a damaged block costs the rest of the file,
and that is said.
"""

import gzip
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from nemo_lab.charsets import charset_of, decode
from nemo_lab.corpora import compressed
from nemo_lab.corpora.readers.html import visible_text

Skip = Callable[[str, str], None]
_GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08")
_PLAIN_RECORD = re.compile(rb"(?<=\n)WARC/1\.[01]\r?\n")
_LENGTH = re.compile(rb"\ncontent-length\s*:\s*(\d{1,18})", re.IGNORECASE)
_KEPT = 2**18  # bytes of a stream that can be read again
_CHUNK = 2**16
_PIECE = 2**11  # bytes of decompressed content that damage behind them may cost
_HEADER = 2**16  # bytes of a record's header
_BLANK = 64  # bytes of blank lines that may stand behind a record


def pages(
    file: Path, place: str, skip: Skip, limit: int, passed: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[str, str]]:
    """Yield (address, visible text) of the HTML and plain text pages in a WARC or WET file.

    Args:
        file: the archive, gzipped record by record or not at all.
        place: how log lines call it.
        skip: called with (where, why) for each record that is damaged, too large or not readable.
        limit: bytes of one record's content that are read at most.
        passed: called for each record that is no page, with what it is.
    """
    for record in records(file, place, skip):
        address = record.rec_headers.get_header("WARC-Target-URI") or ""
        kind = _kind(record)
        if kind is None:
            passed(what_else(record))
            continue
        text, reason = _text(record, kind, limit)
        if reason:
            skip(f"{place} <{address}>", reason)
        else:
            yield address, text


def _text(record: Any, kind: str, limit: int) -> tuple[str, str]:
    """Return a record's text, or an empty one and the reason why there is none."""
    try:
        content = record.content_stream().read(limit + 1)
    except Exception as error:  # content codings (gzip, brotli, chunked) of a hostile record raise what they like
        return "", f"content not readable ({type(error).__name__})"
    if len(content) > limit:
        return "", f"longer than {limit:,} bytes"
    if _is_cut(record):
        return "", "record cut short"
    try:
        text = decode(content, charset_of(_content_type(record)))
    except ValueError as error:
        return "", str(error)
    try:
        return (visible_text(text) if kind == "html" else text), ""
    except ValueError:
        return "", "not readable as HTML"


def _kind(record: Any) -> str | None:
    """Return `html` or `text` for records that hold a page, None for others (requests, metadata, images)."""
    status = record.http_headers.get_statuscode() if record.http_headers else "200"
    if record.rec_type not in ("response", "resource", "conversion") or not status.startswith("2"):
        return None
    content_type = _content_type(record).lower()
    if "html" in content_type or not content_type.strip():
        return "html"
    return "text" if content_type.startswith(("text/plain", "text/markdown")) else None


def what_else(record: Any) -> str:
    """Return what a record is that is no page: its type, its status or its media type."""
    if record.rec_type not in ("response", "resource", "conversion"):
        return f"{record.rec_type} record"
    status = record.http_headers.get_statuscode() if record.http_headers else "200"
    return (
        f"type {_content_type(record).split(';')[0].strip().lower()[:60]}"
        if status[:1] == "2"
        else f"status {status[:3]}"
    )


def _content_type(record: Any) -> str:
    headers = record.http_headers or (None if record.rec_type == "response" else record.rec_headers)
    return (headers.get_header("Content-Type") if headers else None) or ""


def records(file: Path, place: str, skip: Skip) -> Iterator[Any]:
    """Yield warcio's records; after a damaged one go on where the next one seems to start, and tell `skip` of it."""
    is_silent = file.stat().st_size > 0

    def telling(where: str, reason: str) -> None:
        nonlocal is_silent
        is_silent = False
        skip(where, reason)

    for record in _all(file, place, telling):
        is_silent = False
        yield record
    if is_silent:
        skip(place, "holds no WARC record")


def _all(file: Path, place: str, skip: Skip) -> Iterator[Any]:
    kind = compressed.packing(file)
    with file.open("rb") as stream:
        if kind == "" or (kind == "gzip" and _one_record(stream, 0)):
            yield from _walk(stream, place, skip, _GZIP_MEMBER if kind else _PLAIN_RECORD)
            return
    with compressed.opened(file) as content:
        yield from _streamed(content, place, skip)


def _walk(stream: Any, place: str, skip: Skip, start_of_record: re.Pattern[bytes]) -> Iterator[Any]:
    """Yield the records of a stream that can be read again from a place; a damaged one is passed."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    start: int | None = 0
    while start is not None:
        stream.seek(start)
        iterator, last, reason, record = ArchiveIterator(stream), start, "file cut short", None
        try:
            for record in iterator:
                last = _checked_place(record, iterator, stream, start_of_record)
                yield record
        except (ArchiveLoadFailed, zlib.error, EOFError, ValueError, AttributeError) as error:
            reason = f"damaged record ({type(error).__name__})"
            if start_of_record is _GZIP_MEMBER and not _one_record(stream, last):
                yield from _rest_of(stream, last, place, skip)
                return
        if (bad := max(start, int(iterator.offset))) >= stream.seek(0, 2):  # warcio is silent where a header is cut off
            cut = record is not None and start_of_record is _PLAIN_RECORD and _is_cut(record)
            start = _next_start(stream, last + 1, start_of_record) if cut else None
            continue
        skip(f"{place} at byte {bad}", reason)
        start = _next_start(stream, bad + 1, start_of_record)


def _checked_place(record: Any, iterator: Any, stream: Any, start_of_record: re.Pattern[bytes]) -> int:
    """Return where a record begins.

    Raises:
        ValueError: it does not say how long it is, and would take all that follows for its own; or it stands inside
            a gzip member, of which warcio does not know the place.
    """
    place, now = int(iterator.offset), stream.tell()
    if start_of_record is _GZIP_MEMBER:
        stream.seek(max(place, 0))
        is_start = place >= 0 and _GZIP_MEMBER.match(stream.read(3))
        stream.seek(now)
        if not is_start:
            raise ValueError("several records in a member")
    if record.format == "warc" and not (record.rec_headers.get_header("Content-Length") or "").strip().isdigit():
        raise ValueError("no length")
    return place


def _is_cut(record: Any) -> bool:
    """Return whether what a record's length promised is not there, once it is read."""
    return getattr(record.raw_stream, "limit", 0) > 0


def _rest_of(stream: BinaryIO, at: int, place: str, skip: Skip) -> Iterator[Any]:
    """Yield the records from a gzip member on that holds several of them, but for its first, which is known."""
    stream.seek(at)
    rest = _streamed(gzip.GzipFile(fileobj=stream), f"{place} from byte {at} on, unpacked", skip)
    next(rest, None)
    yield from rest


def _streamed(content: Any, place: str, skip: Skip) -> Iterator[Any]:
    """Yield the records of decompressed content."""
    window = _Window(content)

    def skip_damage(where: str, reason: str) -> None:
        if window.damage is None:
            skip(where, reason)

    yield from _walk(window, place, skip_damage, _PLAIN_RECORD)
    if window.damage is not None:
        skip(place, compressed.unreadable(window.damage))


class _Window:
    """A stream that is read once, of which the last bytes can be read again; damage ends it, and is kept."""

    def __init__(self, stream: Any) -> None:
        self.damage: BaseException | None = None
        self._stream = stream
        self._kept: deque[bytes] = deque()
        self._again = BytesIO()
        self._reached = self._at = 0

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end."""
        data = self._again.read(size) or self._new(size)
        self._at += len(data)
        return data

    def _new(self, size: int) -> bytes:
        try:
            data = b"" if self.damage is not None else bytes(self._stream.read1(size))  # read() drops what it has
        except compressed.DAMAGE as error:
            self.damage, data = error, b""
        if data:
            self._kept.append(data)
        self._reached += len(data)
        while self._kept and self._reached - self._first() - len(self._kept[0]) > _KEPT:
            self._kept.popleft()
        return data

    def _first(self) -> int:
        return self._reached - sum(map(len, self._kept))

    def tell(self) -> int:
        """Return the place in the decompressed content."""
        return self._at

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place, or as near to it as can be; with `whence` 2 to the end of what was read."""
        first = self._first()
        self._at = self._reached if whence == 2 else min(max(place, first), self._reached)
        self._again = BytesIO(b"".join(self._kept))
        self._again.seek(self._at - first)
        return self._at


def _one_record(stream: BinaryIO, at: int) -> bool:
    """Return whether the gzip member at a place holds one record; what is damaged or no WARC counts as such.

    It does not when more follows behind the record, or when the record goes on in the next member, as with bgzip.
    """
    stream.seek(at)
    head, size, end = b"", 0, 0
    try:
        for piece in _member(stream):
            head, size = head + piece[: _HEADER - len(head)], size + len(piece)
            end = _end_of_record(head)
            if end and size > end + _BLANK:
                return False
        whole = size >= end if end else not head.startswith(b"WARC/")
        return whole or next(_member(stream), b"WARC/").startswith(b"WARC/")
    except zlib.error:
        return True


def _member(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the content of one gzip member in pieces, and leave the stream at its end."""
    inflate = zlib.decompressobj(31)
    while not inflate.eof and (data := inflate.unconsumed_tail or stream.read(_CHUNK)):
        yield inflate.decompress(data, _PIECE)
    stream.seek(-len(inflate.unused_data), 1)


def _end_of_record(head: bytes) -> int:
    """Return how long a record is by its own header, or 0 where that is not to be seen."""
    header, blank, _ = head.partition(b"\r\n\r\n")
    length = _LENGTH.search(header)
    return len(header) + 4 + int(length[1]) if blank and length else 0


def _next_start(stream: Any, position: int, start_of_record: re.Pattern[bytes]) -> int | None:
    """Return the offset of the next record at or behind `position`."""
    overlap = 16
    stream.seek(position)
    window = b""
    while chunk := stream.read(_CHUNK):
        base = stream.tell() - len(chunk) - len(window)
        window += chunk
        if match := start_of_record.search(window):
            return int(base + match.start())
        window = window[-overlap:]
    return None
