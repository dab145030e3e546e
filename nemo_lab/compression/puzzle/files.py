"""A Puzzle library on disk: a safetensors file a layer, written whole or not at all, read without trust.

    layer-003.safetensors    ffn.768.up_proj.weight, ffn.768.gate_proj.weight, …, attention.linear.proj.weight, …

A tensor goes by the name of its option and its name in the option's module. In the file's metadata are, as JSON, the
relative errors of the options, `errors`, and what the file was made from, `origin`: a fingerprint of the recipe, of the
text, of the parent's weights. Files that an earlier lab wrote have no origin; they can be read, and not be added to.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nemo_lab.compression.puzzle.parts import Option, module_of, reason_of
from nemo_lab.errors import LabError
from nemo_lab.files import replaced


def layer_file(folder: Path, layer: int) -> Path:
    """Return where the alternatives of a layer are kept."""
    return folder / f"layer-{layer:03d}.safetensors"


def write_layer(
    file: Path, made: Mapping[Option, tuple[dict[str, Tensor], dict[str, float]]], origin: Mapping[str, str]
) -> None:
    """Write the weights and errors of a layer's alternatives and what they were made from, whole or not at all."""
    weights = {
        f"{option}.{key}": tensor.contiguous() for option, (state, _) in made.items() for key, tensor in state.items()
    }
    report = {option.name: errors for option, (_, errors) in made.items()}
    with replaced(file) as temporary:
        save_file(weights, temporary, metadata={"errors": json.dumps(report), "origin": json.dumps(dict(origin))})


def check_origin(folder: Path, origin: Mapping[str, str]) -> None:
    """Refuse a library of which a layer was made from anything else than `origin`.

    Raises:
        LabError: there is such a layer, or one that is damaged.
    """
    for file in sorted(folder.glob("layer-*.safetensors")):
        with _opened(file) as stored:
            found = dict(json.loads((stored.metadata() or {}).get("origin", "{}")))
        other = [name for name, value in origin.items() if found.get(name) != value]
        if other:
            raise LabError(
                f"{file.name!r} in {str(folder)!r} was built with another {' and '.join(other)} than is given now; "
                "give another folder, or remove this one to build it anew."
            )


def read_errors(folder: Path, layer: int) -> dict[Option, dict[str, float]]:
    """Return the relative errors of a layer's alternatives, such as `{Option("ffn", 768): {"start": …, "solved": …}}`.

    Raises:
        LabError: there is no file of this layer, or it is damaged.
    """
    with _opened(layer_file(folder, layer)) as stored:
        found = json.loads((stored.metadata() or {})["errors"])
        return {Option.parse(name): {key: float(error) for key, error in row.items()} for name, row in found.items()}


def read_part(folder: Path, layer: int, option: Option, config: Any, dtype: torch.dtype) -> nn.Module:
    """Return one alternative out of the library.

    Raises:
        LabError: it is not there, its file is damaged, or its weights are not of the shapes of this model.
    """
    file, prefix = layer_file(folder, layer), f"{option}."
    with _opened(file) as stored:
        names = [name for name in list(stored.keys()) if name.startswith(prefix)]
        weights = {name.removeprefix(prefix): stored.get_tensor(name) for name in names}
    if not weights:
        raise LabError(f"The library {folder.name!r} has no {option} of layer {layer}; build it with this option.")
    made: nn.Module = module_of(option, config).to(dtype)
    if _shapes(weights) != _shapes(made.state_dict()):
        raise LabError(
            f"{option} in {str(file)!r} has weights of {_shapes(weights)}, expected {_shapes(made.state_dict())}; "
            "it is of another model, or damaged: remove the file and build the library again."
        )
    made.load_state_dict(weights)
    return made.eval()


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weights[name].shape) for name in sorted(weights)}


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open the file of a layer; that it is missing, and all that can be wrong in it, is one sentence."""
    if not file.is_file():
        raise LabError(f"There is no {file.name!r} in the library {str(file.parent)!r}; build it first.")
    try:
        with safe_open(file, "pt") as stored:
            yield stored
    except (SafetensorError, OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise LabError(
            f"{str(file)!r} is damaged or no file of a library ({reason_of(error)}); remove it and build it again."
        ) from error
