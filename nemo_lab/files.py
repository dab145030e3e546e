"""Where the lab keeps what it makes, and how it writes a file: whole, or not at all.

Everything the lab writes outside the repository (corpora, artifacts, records) lies under one folder, so
that it can be moved to a bigger disk with one variable and removed with one command.

A file is written under a temporary name in its own folder, flushed to the disk and renamed, so that a kill, a
full disk or a power cut leaves the old file or the new one. Tensors go into safetensors: no pickle, because a
file from elsewhere is untrusted and safetensors holds numbers only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_lab.errors import LabError

if TYPE_CHECKING:
    import numpy as np
    import torch


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


# --- a file is whole or not there


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a name in the folder of `path` to write to; what is written there becomes `path` when the block ends.

    Until then `path` is as it was, and it stays so if the block raises, which also removes what was written. A kill
    leaves `.NAME.….tmp` behind. The name is new, so that processes that write the same file do not meet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # mkstemp would make it private
    try:
        yield temporary
        with open(temporary, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either its old content or all of the new one, also after a kill."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


# --- tensors


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors to a safetensors file completely or not at all; tied tensors are stored twice."""
    from safetensors.torch import save_file

    with replaced(path) as temporary:
        save_file(_untied(tensors), temporary)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write NumPy arrays to a safetensors file completely or not at all."""
    import numpy as np
    import torch

    write_tensors(path, {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()})


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file to the CPU.

    Raises:
        LabError: the file is missing, cut or foreign.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise LabError(f"{path} does not exist; check the name.") from None
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"{path} is damaged or no safetensors file ({reason}); delete it.") from error


def _untied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors of which no two share memory, which safetensors would refuse."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        dense = tensor.detach().contiguous()
        result[name] = dense.clone() if shared else dense
        seen.add(tensor.untyped_storage().data_ptr())
    return result
