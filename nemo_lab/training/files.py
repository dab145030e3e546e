"""Reading and writing safetensors files so that a kill, a full disk or a foreign file does no harm.

A file is written under a temporary name in its own folder, flushed to the disk and renamed. No pickle: a
checkpoint from elsewhere is untrusted, and safetensors holds numbers only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from nemo_lab.training.settings import TrainingError


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors to a safetensors file completely or not at all; tied tensors are stored twice."""
    from safetensors.torch import save_file

    temporary = _temporary(path)
    save_file(_untied(tensors), temporary)
    _publish(temporary, path)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write NumPy arrays to a safetensors file completely or not at all."""
    write_tensors(path, {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()})


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file to the CPU; a missing, cut or foreign file is a `TrainingError`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise TrainingError(f"{path} does not exist; check the name.") from None
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path} is damaged or no safetensors file ({reason}); delete it.") from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def _publish(temporary: Path, path: Path) -> None:
    with open(temporary, "rb+") as handle:
        os.fsync(handle.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def _untied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous tensors of which no two share memory, which safetensors would refuse."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        result[name] = tensor.detach().clone() if shared else tensor.detach().contiguous()
        seen.add(tensor.untyped_storage().data_ptr())
    return result
