"""What one notebook makes and another needs, built once and kept.

A folder under `home()/artifacts` holds one artifact. Its name carries a hash of the settings that made it and
of all code that its builder reaches in the package, so a changed setting or a changed definition makes a new
folder and an old one is never taken for it. There is no database and no expiry: removing a folder is always safe.

Three things can go wrong and are ruled out by construction. A killed build cannot leave a half-made
artifact, because the builder works in a folder of another name that is renamed at the end. Two processes
cannot build the same thing at once, because the builder holds a lock that the kernel releases when the
process dies. What a killed build left over is removed by the next build, whichever it is.
"""

import dataclasses
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.files import home
from nemo_lab.progress import announce
from nemo_lab.sources import code_of

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_LABEL = "artifact.json"
_BUILDING = ".building"


def artifact(name: str, settings: Any, build: Callable[[Path], None]) -> Path:
    """Return the folder of an artifact, building it first when it is missing.

    Args:
        name: what it is, in lower case (`tokenizer`).
        settings: a dict or dataclass of plain values that decides the content; everything the builder reads.
        build: writes files into the empty folder it is given. What it raises passes through, nothing stays. Its
            code, and all code that it reaches, is part of the key: `nemo_lab.sources` says how.

    Raises:
        LabError: a bad name, a setting without a JSON form, or a builder without source or that wrote nothing.
    """
    folder = artifact_folder(name, settings, build)
    if folder.is_dir():
        return folder
    store = folder.parent
    with _lock(store, folder.name):
        if not folder.is_dir():  # another process may have finished it while we waited
            _clean(store, keep=folder.name)
            with announce(f"building {name} …"):
                key = folder.name.removeprefix(f"{name}-")
                _build(folder, build, {"name": name, "settings": _plain(settings, "settings"), "key": key})
    return folder


def artifact_folder(name: str, settings: Any, build: Callable[[Path], None]) -> Path:
    """Return where an artifact lies or will lie, without making it."""
    return home() / "artifacts" / f"{name}-{artifact_key(name, settings, build)}"


def artifact_key(name: str, settings: Any, build: Callable[[Path], None]) -> str:
    """Return the 16 hexadecimal digits that stand for these settings and the code behind this builder."""
    if not _NAME.fullmatch(name):
        raise LabError(f"Artifact name {name!r} must be lower-case letters, digits, '-' and '_'.")
    text = json.dumps([_plain(settings, "settings"), code_of(build)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any, where: str) -> Any:
    """Return `value` as JSON would hold it; refuse what JSON would bend (NaN, number keys, objects)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise LabError(
        f"Artifact {where} is {value!r}, expected plain values (text, numbers, lists, dicts with text keys)."
    )


def _build(folder: Path, build: Callable[[Path], None], label: dict[str, Any]) -> None:
    """Run `build` in a folder of another name and rename it; leave nothing when it fails."""
    temporary = folder.with_name(f".{folder.name}{_BUILDING}")
    temporary.mkdir()
    try:
        build(temporary)
        if not any(temporary.iterdir()):
            raise LabError(f"The builder of artifact {label['name']!r} wrote nothing.")
        (temporary / _LABEL).write_text(json.dumps(label, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextmanager
def _lock(store: Path, name: str) -> Iterator[None]:
    """Hold the artifact's lock; say so while another process has it."""
    with _lock_file(store, name) as stream:
        if not _try_lock(stream):
            with announce(f"waiting for another process to build {name} …"):
                fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _lock_file(store: Path, name: str) -> Any:
    # Lock files are never removed: removing one that a third process has just opened would break the lock.
    (store / ".locks").mkdir(parents=True, exist_ok=True)
    return open(store / ".locks" / name, "a", encoding="utf-8")


def _try_lock(stream: Any) -> bool:
    """Take the lock if it is free. flock, not lockf: it also holds between threads of one process."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clean(store: Path, keep: str) -> None:
    """Remove what killed builds left: temporaries whose lock nobody holds (we hold the lock of `keep`)."""
    for leftover in store.glob(f".*{_BUILDING}"):
        name = leftover.name[1 : -len(_BUILDING)]
        if name == keep:
            shutil.rmtree(leftover)
            continue
        with _lock_file(store, name) as stream:
            if _try_lock(stream):
                shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def unless_building(folder: str) -> Iterator[bool]:
    """Hold the lock of an artifact by its folder's name, if no process builds it; say whether none does."""
    with _lock_file(home() / "artifacts", folder) as stream:
        yield _try_lock(stream)
