"""WARC archives of web crawls: HTML responses to visible text, one record at a time.

A crawl's archive is the least trusted thing we read. Each record's content is read up to a limit, pages are
parsed by lxml without network or entities, and a record that is damaged is skipped: we look for the start of
the next one, a gzip member or a `WARC/1.` line, and go on from there, so one bad record costs one record.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nemo_lab.corpora.readers.html import visible_text

Skip = Callable[[str, str], None]
_GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08")
_PLAIN_RECORD = re.compile(rb"(?<=\n)WARC/1\.[01]\r?\n")


def pages(file: Path, place: str, skip: Skip, limit: int) -> Iterator[tuple[str, str]]:
    """Yield (address, visible text) of the HTML and plain text pages in a WARC or WET file.

    Args:
        file: the archive, gzipped record by record or not at all.
        place: how log lines call it.
        skip: called with (where, why) for each record that is damaged, too large or not readable.
        limit: bytes of one record's content that are read at most.
    """
    for record in records(file, place, skip):
        address = record.rec_headers.get_header("WARC-Target-URI") or ""
        kind = _kind(record)
        if kind is None:
            continue
        content = record.content_stream().read(limit + 1)
        if len(content) > limit:
            skip(f"{place} <{address}>", f"longer than {limit:,} bytes")
            continue
        if getattr(record.raw_stream, "limit", 0) > 0:  # what its length promised is not there
            skip(f"{place} <{address}>", "record cut short")
            continue
        try:
            text = visible_text(_decoded(content, record)) if kind == "html" else content.decode("utf-8", "replace")
        except ValueError:
            skip(f"{place} <{address}>", "not readable as HTML")
            continue
        yield address, text


def _kind(record: Any) -> str | None:
    """Return `html` or `text` for records that hold a page, None for others (requests, metadata, images)."""
    status = record.http_headers.get_statuscode() if record.http_headers else "200"
    if record.rec_type not in ("response", "resource", "conversion") or not status.startswith("2"):
        return None
    headers = record.http_headers or record.rec_headers
    content_type = (headers.get_header("Content-Type") or "").lower()
    if "html" in content_type:
        return "html"
    return "text" if content_type.startswith("text/plain") else None


def _decoded(content: bytes, record: Any) -> bytes | str:
    """Decode by the HTTP header's charset, which outranks the page's own; without one leave it to lxml."""
    header = record.http_headers.get_header("Content-Type") or "" if record.http_headers else ""
    charset = re.search(r"charset=[\"']?([\w.:-]+)", header, re.IGNORECASE)
    if charset:
        try:
            return content.decode(charset[1], "replace")
        except LookupError:
            pass
    return content


def records(file: Path, place: str, skip: Skip) -> Iterator[Any]:
    """Yield warcio's records; after a damaged one go on where the next one seems to start, and tell `skip` of it."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    start: int | None = 0
    size = file.stat().st_size
    with file.open("rb") as stream:
        while start is not None:
            stream.seek(start)
            iterator = ArchiveIterator(stream)
            try:
                yield from iterator
                reason = "file cut short"
            except (ArchiveLoadFailed, zlib.error, EOFError, ValueError, AttributeError) as error:
                reason = f"damaged record ({type(error).__name__})"
            if (bad := max(start, int(iterator.offset))) >= size:  # warcio ends silently where a header is cut off
                return
            skip(f"{place} at byte {bad}", reason)
            start = _next_start(stream, bad + 1)


def _next_start(stream: Any, position: int) -> int | None:
    """Return the offset of the next gzip member or plain record at or behind `position`."""
    stream.seek(0)
    pattern = _GZIP_MEMBER if stream.read(2) == b"\x1f\x8b" else _PLAIN_RECORD
    overlap, chunk_size = 16, 2**20
    stream.seek(position)
    window = b""
    while chunk := stream.read(chunk_size):
        base = stream.tell() - len(chunk) - len(window)
        window += chunk
        if match := pattern.search(window):
            return base + match.start()
        window = window[-overlap:]
    return None
