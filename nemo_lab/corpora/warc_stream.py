"""The records of a WARC archive, one after the other, past whatever is damaged.

A record that is damaged is skipped: we look for the start of the next one, a gzip member or a `WARC/1.` line, and go
on from there, so one bad record costs one record. One whose `Content-Length` is wrong is told, whatever it is: too
short, it cuts its page, and too long, it takes the next record for its own.

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

from warcio.archiveiterator import ArchiveIterator

from nemo_lab.corpora import compressed
from nemo_lab.corpora.warc_record import WRONG_LENGTH, Archived

Skip = Callable[[str, str], None]
_GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08")
_PLAIN_RECORD = re.compile(rb"(?<=\n)WARC/1\.[01]\r?\n")
_LENGTH = re.compile(rb"\ncontent-length\s*:\s*(\d{1,18})", re.IGNORECASE)
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_KEPT = 2**18  # bytes of a stream that can be read again
_CHUNK = 2**16
_PIECE = 2**11  # bytes of decompressed content that damage behind them may cost
_HEADER = 2**16  # bytes of a record's header
_TAIL = 2**16  # bytes at a file's end in which a record's header can be cut
_OVERLAP = 16  # bytes of a piece that the start of a record may begin in


class _Iterator(ArchiveIterator):  # type: ignore[misc]
    """warcio's iterator, but for a line that is not blank behind a record: it is kept, and not printed.

    Attributes:
        blank: bytes of blank lines behind the record.
    """

    blank = 0

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        self.blank = 0
        while line := self.reader.readline():
            if line.strip():
                return line, self.blank
            self.blank += len(line)
        return None, self.blank


def records(file: Path, place: str, skip: Skip) -> Iterator[Archived]:
    """Yield the records of an archive; after a damaged one go on where the next one seems to start.

    Args:
        place: how log lines call the file.
        skip: called with (where, why) for what is damaged, and for a file without a record.
    """
    told: set[str] = set()

    def telling(where: str, reason: str) -> None:
        told.add(where)
        skip(where, reason)

    is_empty = True
    for record in _all(file, place, telling):
        is_empty = False
        yield record
    cut = _cut_in_header(file)
    if cut is not None and f"{place} at byte {cut}" not in told:
        telling(f"{place} at byte {cut}", "file cut short")
    if is_empty and not told:
        skip(place, "holds no WARC record" if file.stat().st_size else "empty file")


def _all(file: Path, place: str, skip: Skip) -> Iterator[Archived]:
    kind = compressed.packing(file)
    with file.open("rb") as stream:
        if kind == "" or (kind == "gzip" and _one_record(stream, 0)):
            yield from _walk(stream, place, skip, _GZIP_MEMBER if kind else _PLAIN_RECORD)
            return
    with compressed.opened(file) as content:
        yield from _streamed(content, place, skip)


def _walk(stream: Any, place: str, skip: Skip, start_of_record: re.Pattern[bytes]) -> Iterator[Archived]:
    """Yield the records of a stream that can be read again from a place; a damaged one is passed."""
    from warcio.exceptions import ArchiveLoadFailed

    start: int | None = 0
    while start is not None:
        stream.seek(start)
        iterator, last, reason, found = _Iterator(stream), start, "file cut short", None
        try:
            for record in iterator:
                last = _checked_place(record, iterator, stream, start_of_record)
                found = Archived(record, iterator)
                yield found
                if found.has_wrong_length:
                    break
        except (ArchiveLoadFailed, zlib.error, EOFError, ValueError, AttributeError) as error:
            reason = f"damaged record ({type(error).__name__})"
            if start_of_record is _GZIP_MEMBER and not _one_record(stream, last):
                yield from _rest_of(stream, last, place, skip)
                return
        if found is not None and found.has_wrong_length:
            if not found.told:
                skip(f"{place} at byte {last}", WRONG_LENGTH)
            start = _behind(stream, last, start_of_record)
            continue
        if (bad := max(start, int(iterator.offset))) >= stream.seek(0, 2):  # warcio is silent where a header is cut off
            cut = found is not None and start_of_record is _PLAIN_RECORD and found.is_cut
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

    It does not when another begins behind the record, or when the record goes on in the next member, as with bgzip.
    What follows without being a record is the rest of one whose length is wrong.
    """
    stream.seek(at)
    head, behind, size, end = b"", b"", 0, 0
    try:
        for piece in _member(stream):
            head, size = head + piece[: _HEADER - len(head)], size + len(piece)
            end = _end_of_record(head)
            if end and size > end:
                behind = behind[-_OVERLAP:] + piece[max(0, len(piece) - (size - end)) :]
                if _PLAIN_RECORD.search(behind):
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


def _behind(stream: Any, last: int, start_of_record: re.Pattern[bytes]) -> int | None:
    """Return where the record behind the one at `last` begins, whose length is wrong."""
    if start_of_record is _GZIP_MEMBER:
        stream.seek(last)
        try:
            for _ in _member(stream):
                pass
            last = max(last, stream.tell() - 1)
        except zlib.error:
            pass
    return _next_start(stream, last + 1, start_of_record)


def _next_start(stream: Any, position: int, start_of_record: re.Pattern[bytes]) -> int | None:
    """Return the offset of the next record at or behind `position`."""
    stream.seek(position)
    window = b""
    while chunk := stream.read(_CHUNK):
        base = stream.tell() - len(chunk) - len(window)
        window += chunk
        if match := start_of_record.search(window):
            return int(base + match.start())
        window = window[-_OVERLAP:]
    return None


def _cut_in_header(file: Path) -> int | None:
    """Return where the last record begins when the file ends inside its header, which warcio passes over in silence."""
    if compressed.packing(file) not in ("", "gzip"):
        return None
    size = file.stat().st_size
    with file.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
        stream.seek(max(0, size - _TAIL))
        tail = stream.read()
    at = len(tail)
    while (at := tail.rfind(b"\x1f\x8b" if is_gzip else b"WARC/1", 0, at)) >= 0:
        header = _inflated(tail[at:]) if is_gzip else tail[at:]
        if header is not None:
            is_whole = _END_OF_HEADER.search(header) or not b"WARC/1".startswith(header[:6])
            return None if is_whole else size - len(tail) + at
    return None


def _inflated(member: bytes) -> bytes | None:
    """Return what the beginning of a gzip member holds, or None when it is none or holds nothing."""
    inflate = zlib.decompressobj(31)
    try:
        content = inflate.decompress(member, _TAIL)
    except zlib.error:
        return None
    return content if content or not inflate.eof else None
