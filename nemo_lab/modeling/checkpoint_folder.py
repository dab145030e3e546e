"""Reading a checkpoint folder that somebody else made.

Such a folder is untrusted: nothing but config.json, the index of a sharded checkpoint and safetensors files
is read, never a pickle; JSON of absurd size is refused; an index may only name files of its own folder; and
shapes come from the files' headers, so that a wrong checkpoint is refused before any tensor is read. Every
failure is a LabError of one sentence that names the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from nemo_lab.errors import LabError

MAX_JSON = 50_000_000  # bytes; an index of a sharded checkpoint is far smaller


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file of reasonable size holds."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise LabError(f"{path} has {path.stat().st_size:,} bytes; at most {MAX_JSON:,} are read.")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabError(
            f"{path} does not exist; give the folder of a downloaded checkpoint (not a name on the hub)."
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LabError(f"{path} cannot be read as JSON ({error}).") from None
    if not isinstance(fields, dict):
        raise LabError(f"{path} holds a {type(fields).__name__}; a JSON object was expected.")
    return fields


def open_tensors(folder: Path) -> tuple[dict[str, tuple[int, ...]], Callable[[str], Tensor]]:
    """Shapes of all tensors of a folder, and a function that reads one.

    A file is opened anew for each tensor. What is read stays mapped into memory as long as its file is open, so that
    one handle for all of them would hold the whole checkpoint a second time.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    places: dict[str, Path] = {}
    for name in _tensor_files(folder):
        with _opened(folder / name) as handle:
            for key in handle.keys():  # noqa: SIM118 - safe_open is no dict
                shapes[key], places[key] = tuple(handle.get_slice(key).get_shape()), folder / name
    return shapes, partial(_read, places)


def _read(places: Mapping[str, Path], key: str) -> Tensor:
    with _opened(places[key]) as handle:
        tensor: Tensor = handle.get_tensor(key)
    return tensor


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as handle:
            yield handle
    except FileNotFoundError:
        raise LabError(f"{file} does not exist; the checkpoint is incomplete.") from None
    except (SafetensorError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise LabError(f"{file} is cut off or no safetensors file ({reason}).") from None


def _tensor_files(folder: Path) -> list[str]:
    """Names of the safetensors files: those of the index, else the one file."""
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return ["model.safetensors"]
    weight_map = read_json(index).get("weight_map")
    names = sorted({str(name) for name in weight_map.values()}) if isinstance(weight_map, dict) else []
    bad = [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]
    if bad or not names:
        raise LabError(f"{index} must map tensors to .safetensors files of its own folder; it names {bad[:1]}.")
    return names


def check_target(target: Path) -> None:
    """Refuses to replace anything but a checkpoint or an empty folder."""
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / "config.json").is_file()):
        raise LabError(f"{target} exists and is no checkpoint (no config.json); choose another folder.")


def make_parent(target: Path) -> None:
    """Makes the folder that a checkpoint will lie in."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"{target.parent} cannot be made ({error.strerror}); choose another folder.") from None
