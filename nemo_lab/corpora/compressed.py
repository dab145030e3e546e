"""Files compressed or not, read as one stream by what they begin with: names are often wrong about it.

gzip, bzip2 and xz are Python's own; zstd, with which Dolma, DCLM and The Pile are packed, and lz4 are pyarrow's.
Memory holds a block and the format's window, at most 128 MiB for zstd. Members that follow each other are one stream.
"""

import bz2
import gzip
import io
import lzma
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".lz4")
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError)  # what reading a damaged or truncated file raises
_STARTS = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    *((bytes([0x50 + number]) + b"\x2a\x4d\x18", "zstd") for number in range(16)),  # a frame to be skipped
)
_ADVICE = {
    "Dictionary mismatch": "zstd with a dictionary inside the file; unpack it with a tool for such archives, "
    "such as zstdwarccat",
    "too much memory": "zstd with a window over 128 MiB; pack it anew: `zstd -dc --long=31 FILE | zstd > NEW`",
}


def packing(file: Path) -> str:
    """Return how a file is compressed, by its first bytes: `gzip`, `zstd`, `bzip2`, `xz`, `lz4` or an empty string.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as stream:
        start = stream.read(6)
    return next((name for mark, name in _STARTS if start.startswith(mark)), "")


def opened(file: Path) -> BinaryIO:
    """Return the content of a file, decompressed, as a buffered stream; damage raises one of DAMAGE when met."""
    kind = packing(file)
    if kind in ("zstd", "lz4"):
        import pyarrow as pa

        inside = pa.CompressedInputStream(pa.PythonFile(file.open("rb"), mode="r"), kind)
        return io.BufferedReader(inside)
    openers: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    return cast(BinaryIO, openers[kind](file, "rb")) if kind else file.open("rb")


def bare_name(file: Path) -> str:
    """Return a file's name in small letters without the suffix of its compression."""
    name = file.name.lower()
    return name.removesuffix(next((suffix for suffix in SUFFIXES if name.endswith(suffix)), ""))


def unreadable(error: BaseException) -> str:
    """Return the reason why a file is not read to its end, with what to do where that is known."""
    advice = next((advice for sign, advice in _ADVICE.items() if sign in str(error)), "")
    return advice or f"file not readable from here on ({type(error).__name__})"
