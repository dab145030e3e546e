"""A folder of a checkpoint with tensors replaced, added or removed."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def damaged(saved: Path, folder: Path, **tensors: torch.Tensor | None) -> Path:
    """A copy of the good folder with tensors replaced, added or (None) removed; `__` stands for a point."""
    changed = load_file(saved / "model.safetensors")
    for name, tensor in tensors.items():
        changed.pop(name.replace("__", "."), None)
        if tensor is not None:
            changed[name.replace("__", ".")] = tensor
    save_file(changed, folder / "model.safetensors")
    (folder / "config.json").write_text((saved / "config.json").read_text())
    return folder
