"""The three download clients, as subprocesses with a time limit, and their failures as one sentence each.

Every client is asked for one exact version and for the archive only. What can go wrong is the same for all
(the client is not installed, it takes too long, there is no network, that version is not served) and is told
apart by the client's own words on stderr. apt has one more: its index of what exists may be old or, in a
fresh container, empty. Then `apt-get update` runs once a process if we are root, or the sentence asks for it.
"""

import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nemo_lab.errors import LabError

TIME_LIMIT = 600.0  # seconds for one download; the largest package has 28 MB

_NETWORK = re.compile(
    r"resolv|resolution|connection (refused|timed out|reset|error|broken)|could not connect|unreachable"
    r"|timed? ?out|ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|proxy|failed to fetch|unable to fetch|network",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"no matching distribution|could not find a version|version '.*' for '.*' was not found"
    r"|unable to locate package|can't find a source|no packages found|E404|ETARGET|404 +not found",
    re.IGNORECASE,
)


class PackageError(LabError):
    """A package cannot be had on this machine now; the sentence says why and what to do."""


def download(kind: str, name: str, version: str, folder: Path, options: Sequence[str] = ()) -> Path:
    """Have the client of `kind` put one exact version's archive into the empty `folder`; return its path.

    Raises:
        PackageError: no client, no network, no such version here, or the time limit passed.
    """
    require(kind, name)
    result = _run(_command(kind, name, version, options), folder)
    if result.returncode and kind == "apt" and update_index():
        result = _run(_command(kind, name, version, options), folder)
    found = [path for path in folder.iterdir() if path.suffix in (".whl", ".deb", ".tgz")]
    if result.returncode or len(found) != 1:
        raise PackageError(_sentence(kind, name, version, result))
    return found[0]


def missing(kind: str) -> bool:
    """Return whether the client of this kind is not installed."""
    if kind == "pip":
        return importlib.util.find_spec("pip") is None
    return shutil.which({"apt": "apt-get", "npm": "npm"}[kind]) is None


def require(kind: str, name: str) -> None:
    """Raise PackageError, with what to install, when the client of this kind is not there."""
    if missing(kind):
        remedy = {
            "pip": "run `python -m ensurepip`",
            "apt": "it exists on Debian and Ubuntu only",
            "npm": "install Node.js",
        }[kind]
        client = {"pip": "pip", "apt": "apt-get", "npm": "npm"}[kind]
        raise PackageError(
            f"Package {name!r} needs {client}, which is not on this machine; {remedy}, or go on without it: "
            "`nemo_lab.corpora.available()` lists the corpora that can be had here."
        )


def offered(versions: dict[str, str]) -> set[str]:
    """Return which of these Debian packages (name: exact version) apt can serve on this machine."""
    if missing("apt") or not versions:
        return set()
    known = _madison(tuple(sorted(versions)))
    if any((name, version) not in known for name, version in versions.items()) and update_index():
        known = _madison(tuple(sorted(versions)))
    return {name for name, version in versions.items() if (name, version) in known}


@functools.cache
def update_index() -> bool:
    """Refresh apt's index of packages, once a process and only as root; return whether that was done."""
    if os.geteuid() != 0 or missing("apt"):
        return False
    _madison.cache_clear()
    return _run(["apt-get", "update", "-q"], Path("/")).returncode == 0


@functools.cache
def _madison(names: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return the (name, version) pairs that apt's index lists for these packages."""
    if shutil.which("apt-cache") is None:
        return set()
    lines = _run(["apt-cache", "madison", *names], Path("/")).stdout.splitlines()
    rows = [[field.strip() for field in line.split("|")] for line in lines]
    return {(row[0], row[1]) for row in rows if len(row) >= 2}


def _command(kind: str, name: str, version: str, options: Sequence[str]) -> list[str]:
    if kind == "pip":
        # Wheels only: building an sdist would run the package's code.
        flags = [
            "--no-deps",
            "--only-binary=:all:",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--retries=2",
            "-q",
        ]
        return [sys.executable, "-m", "pip", "download", *flags, *options, f"{name}=={version}"]
    if kind == "apt":
        return ["apt-get", "download", "-q", f"{name}={version}"]
    return ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a client in `folder`; kill it with all its children when its time is up or we are interrupted."""
    settings = {**os.environ, "LC_ALL": "C", "PIP_NO_INPUT": "1", "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=settings,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=TIME_LIMIT)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return subprocess.CompletedProcess(command, 124, "", f"timed out after {TIME_LIMIT:.0f} s")
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _sentence(kind: str, name: str, version: str, result: subprocess.CompletedProcess[str]) -> str:
    """Turn a client's failure into one sentence: what, why, what to do."""
    words = f"{result.stderr}\n{result.stdout}"
    what = f"Package {name} {version} could not be fetched with {kind}"
    if result.returncode == 124:
        return f"{what}: no answer within {TIME_LIMIT:.0f} s; try again on a better network."
    # Without a network pip also says 'no matching distribution'; apt calls a 404 a failure to fetch too.
    if _NETWORK.search(words) and not re.search("404", words):
        return f"{what}: no network or no way to the server; connect and run again; what is cached stays."
    if _ABSENT.search(words):
        return f"{what}: {_absent(kind)}"
    last = next((line.strip() for line in reversed(words.splitlines()) if line.strip()), "it said nothing")
    return f"{what}: the client stopped with status {result.returncode} and said {last[:200]!r}."


def _absent(kind: str) -> str:
    if kind != "apt":
        return "this version is not served here; look at the mirror or proxy that the client is set to."
    update = "" if os.geteuid() == 0 else "run `sudo apt-get update` and try again, and if it stays so, "
    return (
        f"this exact version is not in this machine's apt index; {update}this release of Debian or Ubuntu "
        "has another version: go on with the other corpora, `nemo_lab.corpora.available()` lists them."
    )
