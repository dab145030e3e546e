"""JSON records in any of the layouts that data sets come in: a value a line, an array, or written over several lines.

Lines are the rule (C4, Dolma, The Pile), whatever the file's name. A line that is broken costs one record, since the
next one begins anew; in an array the rest of the file is lost with a broken value, and that is said. Memory holds one
record, which `limit` bounds. UTF-16 with a byte order mark, as PowerShell writes it, is read too.
"""

import codecs
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

Skip = Callable[[str, str], None]
_BETWEEN = re.compile(r"[\s,\[\]\ufeff]*")
_CHUNK = 2**20


def _piece(stream: BinaryIO) -> bytes:
    """Return what one read gives: `read` asks until it has all, and when that meets damage drops what it has."""
    return bytes(stream.read1(_CHUNK))  # type: ignore[attr-defined]


class _Utf8(io.RawIOBase):
    """A stream of another encoding as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream, self._rest = stream, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; 0 is the end."""
        while not self._rest and (chunk := _piece(self._stream)):
            self._rest = self._decoder.decode(chunk).encode()
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def values(stream: BinaryIO, place: str, skip: Skip, limit: int) -> Iterator[tuple[str, Any]]:
    """Yield (where, value) for each JSON value of a stream that has `peek`.

    Args:
        stream: its bytes, decompressed.
        place: how the file is called.
        skip: called with (where, why) for what is no JSON or too long.
        limit: bytes of a value.
    """
    start = _start(stream)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream = cast(BinaryIO, io.BufferedReader(_Utf8(stream, "utf-16")))
        start = _start(stream)
    start = start.removeprefix(codecs.BOM_UTF8).lstrip()
    over_lines = start.startswith(b"{") and start[1:].lstrip(b" \t")[:1] in (b"\r", b"\n")
    if start.startswith(b"[") or over_lines:
        yield from _document(stream, place, skip, limit)
    else:
        yield from _by_line(stream, place, skip, limit)


def _start(stream: BinaryIO) -> bytes:
    return bytes(stream.peek(1)[:4096])  # type: ignore[attr-defined]


def _by_line(stream: BinaryIO, place: str, skip: Skip, limit: int) -> Iterator[tuple[str, Any]]:
    for spot, line in lines(stream, place, skip, limit):
        try:
            if line.strip():
                yield spot, json.loads(line)
        except UnicodeDecodeError:
            skip(spot, "not UTF-8, as JSON has to be")
        except (ValueError, RecursionError):
            skip(spot, "not JSON")


def lines(stream: BinaryIO, place: str, skip: Skip, limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield (where, line); a line over the limit is skipped without being held."""
    number = 0
    while line := stream.readline(limit):
        number += 1
        if not line.endswith(b"\n") and len(line) == limit:
            skip(f"{place}:{number}", f"longer than {limit:,} bytes")
            while (rest := stream.readline(limit)) and not rest.endswith(b"\n"):
                pass
            continue
        yield f"{place}:{number}", line


def _document(stream: BinaryIO, place: str, skip: Skip, limit: int) -> Iterator[tuple[str, Any]]:
    """Yield the members of an array, or values that follow each other; the file is read a piece at a time."""
    text, at, number = "", 0, 0
    decoder, decode = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace").decode
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            text, at = text[at:], 0
            more = "" if len(text) > limit else decode(_piece(stream))
            if not more:
                return _tell_rest(text, f"{place} value {number + 1}", skip, limit)
            text += more
            continue
        number, at = number + 1, end
        yield f"{place}:{number}", value


def _tell_rest(text: str, spot: str, skip: Skip, limit: int) -> None:
    """Report what stands behind the last value, if it is anything."""
    if len(text) > limit:
        skip(spot, f"no JSON from here on, or longer than {limit:,} bytes")
    elif text.strip():
        skip(spot, "no JSON from here on")
