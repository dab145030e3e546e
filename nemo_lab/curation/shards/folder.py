"""The folder that a run writes its shards to: whose it is, that nobody else writes to it, and what it was asked.

`run.json` holds what decides the result. A command goes on where an earlier one was stopped only if it asks for the
very same; otherwise shards of two results would be mixed. The lock is taken before anything else is written, and the
kernel gives it back when the process ends, whatever ends it.
"""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from nemo_lab.errors import LabError
from nemo_lab.files import write_text

WORK, STATE, LOCK = ".work", "run.json", "lock"
_TRIES = 100  # to take the lock while others come and go
_BUSY = "Another run writes to {!r}; wait for it or choose another --out."


@contextlib.contextmanager
def held(out: Path, state: Mapping[str, Any], command: str) -> Iterator[Path]:
    """Hold `out` for the run that `state` describes and yield its folder of work shards.

    Raises:
        LabError: `out` is a file, cannot be written to, belongs to something else or to a run of another state, or
            another process holds it.
    """
    _check(out, state, command)
    with _alone_in(out) as work:
        _check(out, state, command)  # again, now that nobody else can change the answer
        try:
            write_text(out / STATE, as_json(state))
        except OSError as error:
            raise _no_place(out, error) from error
        yield work


def inputs_state(files: Sequence[Path]) -> list[list[Any]]:
    """Return what tells that input files are the same: name, size and time of change."""
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def as_json(state: Mapping[str, Any]) -> str:
    """Return the content of `run.json`."""
    return json.dumps(dict(state), indent=1)


def _check(out: Path, state: Mapping[str, Any], command: str) -> None:
    if out.exists() and not out.is_dir():
        raise LabError(f"{str(out)!r} is a file; --out is the folder that the result is written to.")
    place = out / STATE
    if place.is_file():
        if not _is_bare(out):
            _check_same(out, place.read_text(encoding="utf-8"), state)
    elif out.is_dir() and any(path.name != WORK for path in out.iterdir()):
        raise LabError(f"{str(out)!r} is not empty and no result of {command}; choose another --out.")


def _is_bare(out: Path) -> bool:
    """Return whether a run took this folder and wrote nothing, as one does whose input turned out to be wrong."""
    work = out / WORK
    if not (work / LOCK).is_file():
        return False
    return {path.name for path in out.iterdir()} == {WORK, STATE} and [path.name for path in work.iterdir()] == [LOCK]


def _check_same(out: Path, before: str, state: Mapping[str, Any]) -> None:
    if before != as_json(state):
        raise LabError(
            f"{str(out)!r} holds the result of other inputs or options{_differences(before, state)}; "
            "choose another --out or remove it."
        )


def _differences(before: str, state: Mapping[str, Any]) -> str:
    """Return the names of what differs, options with their values before and now, or '' for a foreign file."""
    try:
        old = json.loads(before)
        now = json.loads(as_json(state))
        names = [name for name in {**old, **now} if name != "options" and old.get(name) != now.get(name)]
        was, has = old.get("options", {}), now.get("options", {})
        changed = [name for name in {**was, **has} if was.get(name) != has.get(name)]
        if old.get("command") != now.get("command"):
            return " (of another command)"
    except (ValueError, TypeError, AttributeError):
        return ""
    found = [*names, *(f"{name} was {was.get(name)!r:.40} and is {has.get(name)!r:.40}" for name in changed)]
    return f" ({', '.join(found)})" if found else ""


@contextlib.contextmanager
def _alone_in(out: Path) -> Iterator[Path]:
    """Hold and yield the folder of work shards, which the kernel gives back when this process ends, whatever ends it.

    A run that ends takes the folder away, and with it the lock that others may be waiting at the door with: a lock
    holds only if the file is still the one in the folder.
    """
    work = out / WORK
    for _ in range(_TRIES):
        try:
            work.mkdir(parents=True, exist_ok=True)
            lock = (work / LOCK).open("a")
        except FileNotFoundError:  # taken away between the two
            continue
        except OSError as error:
            raise _no_place(out, error) from error
        with lock:
            _hold(lock, out)
            if _is_at(lock, work / LOCK):
                yield work
                return
    raise LabError(_BUSY.format(str(out)))


def _hold(lock: TextIO, out: Path) -> None:
    try:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # no such locks on this system
        pass
    except OSError:
        raise LabError(_BUSY.format(str(out))) from None


def _is_at(lock: TextIO, path: Path) -> bool:
    """Return whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _no_place(out: Path, error: OSError) -> LabError:
    return LabError(f"{str(out)!r} cannot be written to ({error.strerror}); choose another --out.")
