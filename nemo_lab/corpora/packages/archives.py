"""Read members out of wheels, .deb files and npm tarballs, in a stream, with size limits.

Nothing is unpacked to be read: `members` yields names and bytes straight from the archive, so no path in an
archive can name a place on this machine and no link is followed. Where a program needs real files (a model's
weights), `unpack` writes the matching members under a folder, after the same checks.

A .deb is an `ar` archive of three members; the one that matters is `data.tar.*`. Reading it takes the
twenty lines below, which spares us dpkg and makes a .deb readable on any system.
"""

import bz2
import contextlib
import fnmatch
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from nemo_lab.errors import LabError

MEMBER_LIMIT = 128 * 2**20  # bytes of one member; the largest in use has 64 MB
TOTAL_LIMIT = 2 * 2**30  # bytes of all members that one call reads
_OPENERS: dict[str, Any] = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open, "": contextlib.nullcontext}


def members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the plain files whose path matches the shell pattern, in the archive's order.

    Paths are relative and without a leading `./`. Links, devices and folders are passed over.

    Raises:
        LabError: a file kind that is not known, a damaged archive, or a member over the size limits.
    """
    total = 0
    try:
        for path, content in _read(archive, pattern):
            total += len(content)
            if total > TOTAL_LIMIT:
                raise LabError(f"{archive.name} holds more than {TOTAL_LIMIT:,} bytes that match {pattern!r}.")
            yield path, content
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise LabError(f"{archive} is not a readable archive ({error}); remove it and fetch it again.") from error


def unpack(archive: Path, pattern: str, folder: Path) -> list[Path]:
    """Write the matching members under `folder` and return their paths.

    Raises:
        LabError: a member's path leaves the folder, or what `members` raises.
    """
    written = []
    for name, content in members(archive, pattern):
        target = folder.joinpath(*_safe_parts(archive, name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        written.append(target)
    return written


def _safe_parts(archive: Path, name: str) -> tuple[str, ...]:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise LabError(f"{archive.name} has a member named {name!r}, which would leave its folder; not unpacked.")
    return path.parts


def _read(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        return _zip_members(archive, pattern)
    if archive.suffix == ".deb":
        return _deb_members(archive, pattern)
    if archive.name.endswith((".tgz", ".tar.gz")):
        return _tar_members(archive.open("rb"), "gz", archive, pattern)
    raise LabError(f"{archive.name}: only .whl, .deb, .tgz and .tar.gz archives are read.")


def _zip_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as package:
        for info in package.infolist():
            if not info.is_dir() and fnmatch.fnmatchcase(info.filename, pattern):
                _limit(archive, info.filename, info.file_size)
                with package.open(info) as stream:  # read one byte more than the header promises
                    content = stream.read(info.file_size + 1)
                _limit(archive, info.filename, len(content))
                yield info.filename, content


def _tar_members(
    stream: io.BufferedIOBase, compression: str, archive: Path, pattern: str
) -> Iterator[tuple[str, bytes]]:
    # Not tarfile's own "r|gz": that takes a file cut short for a complete one.
    with stream, _OPENERS[compression](stream) as plain, tarfile.open(fileobj=plain, mode="r|") as package:
        for info in package:
            name = info.name.removeprefix("./")
            if info.isreg() and fnmatch.fnmatchcase(name, pattern):
                _limit(archive, name, info.size)
                content = package.extractfile(info)
                yield name, content.read() if content else b""


def _deb_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Find `data.tar.*` in the ar archive: headers of 60 bytes, contents padded to an even length."""
    stream = archive.open("rb")
    if stream.read(8) != b"!<arch>\n":
        stream.close()
        raise tarfile.ReadError("no ar signature")
    while header := stream.read(60):
        name, size = header[:16].decode("ascii", "replace").strip(" /"), header[48:58].strip()
        if len(header) < 60 or not size.isdigit():
            break
        if name.startswith("data.tar"):
            compression = name.removeprefix("data.tar").lstrip(".")
            if compression not in _OPENERS:
                raise tarfile.ReadError(f"compression of {name} is not known")
            return _tar_members(stream, compression, archive, pattern)
        stream.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    stream.close()
    raise tarfile.ReadError("no data.tar member")


def _limit(archive: Path, name: str, size: int) -> None:
    if size > MEMBER_LIMIT:
        raise LabError(f"{archive.name}: {name} has {size:,} bytes, the limit is {MEMBER_LIMIT:,}.")
