"""Where the lab keeps what it makes, and the one kind of error it raises for a user's mistake.

Everything the lab writes outside the repository (corpora, artifacts, records) lies under one folder, so
that it can be moved to a bigger disk with one variable and removed with one command.
"""

import contextlib
import os
import secrets
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path


class LabError(ValueError):
    """A mistake the reader can mend: one sentence naming the value, what was expected and what to do."""


def home() -> Path:
    """Return the lab's folder, `$NEMO_LAB_HOME` or the platform's cache folder, created on demand.

    Raises:
        LabError: the folder cannot be made or written to.
    """
    chosen = os.environ.get("NEMO_LAB_HOME", "").strip()
    folder = Path(chosen).expanduser() if chosen else _default_home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The lab's folder {str(folder)!r} cannot be made ({error.strerror}); "
            "set NEMO_LAB_HOME to a folder you may write to."
        ) from error
    return folder


def _default_home() -> Path:
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("nemo-lab"))


def write_text(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either its old content or all of the new one, also after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # mkstemp would make it private
    try:
        with open(temporary, "x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def one_of(kind: str, value: str, known: Sequence[str]) -> str:
    """Return the sentence that refuses `value`: what it is, the nearest valid name, and all valid names."""
    near = get_close_matches(str(value), known, n=1)
    hint = f", did you mean {near[0]!r}" if near else ""
    return f"Unknown {kind} {value!r}{hint}; valid: {', '.join(known) or 'none'}."
