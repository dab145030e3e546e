"""What a run is, in plain values: by them its folder knows it again, and is never taken for another run's.

    settings   every field of `TrainSettings`
    model      class, sizes and configuration, and what its parts say of themselves. Any module may: it has a method
               `identity()` that returns a dict of plain values. FP8 layers tell their recipe so, and a model that
               learns from another one tells the objective and the weights of its teacher.
    data       its `fingerprint`, a string. A function has none by nature; `with_fingerprint` gives it one.

Not part of it are the weights that a run begins with: after an interruption the same call goes on with a model that
has been trained already, or was made anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np
import torch
from torch import nn

from nemo_lab.training.distributed import whole_of
from nemo_lab.training.settings import TrainingError

P = ParamSpec("P")
R = TypeVar("R")
_LOCAL = ("_name_or_path", "transformers_version")  # where and by what a configuration was read


def identity_of(model: nn.Module) -> dict[str, Any]:
    """What tells a model from another, but for its weights; `parts` holds what its modules and it itself say.

    FSDP's own prefix of the class is left out: a run may go on with another number of processes.
    """
    weights = list(model.parameters())
    return {
        "class": type(model).__name__.removeprefix("FSDP"),
        "parameters": sum(weight.numel() for weight in weights),
        "trained": sum(weight.numel() for weight in weights if weight.requires_grad),
        "config": _config(getattr(model, "config", None)),
        "parts": {name or "itself": cast(Any, part).identity() for name, part in model.named_modules() if _tells(part)},
    }


def _tells(module: nn.Module) -> bool:
    """Whether the class has the method; a submodule of that name is something else."""
    return callable(getattr(type(module), "identity", None))


def _config(config: Any) -> dict[str, Any]:
    if hasattr(config, "to_dict"):  # of Hugging Face: a dataclass too, but with a dtype that JSON does not know
        return {name: value for name, value in config.to_dict().items() if name not in _LOCAL}
    return asdict(config) if is_dataclass(config) and not isinstance(config, type) else {}


def weights_fingerprint(model: nn.Module) -> str:
    """A hash of names, types and values of all weights and buffers that the model's state dict holds."""
    tensors = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    return fingerprint(tensors)


@dataclass(frozen=True)
class Fingerprinted(Generic[P, R]):
    """A function that is known by the values which decide what it returns."""

    function: Callable[P, R]
    values: tuple[Any, ...]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function returns."""
        return self.function(*args, **kwargs)

    @property
    def fingerprint(self) -> str:
        """A hash of the values, made when it is asked for."""
        return fingerprint(*self.values)


def with_fingerprint(function: Callable[P, R], *values: Any) -> Fingerprinted[P, R]:
    """Give data, prompts or a reward that are a function a fingerprint, so that a run's folder knows them again.

    Args:
        function: it depends on its arguments and on `values`, and on nothing else.
        values: all that decides what it returns, in any form that `fingerprint` takes; a name for what is code.
    """
    return Fingerprinted(function, values)


def fingerprint_of(source: Any, what: str) -> str:
    """The fingerprint of data or anything else that a run is given; `what` names it in the error, in the plural.

    Raises:
        TrainingError: it has none.
    """
    own = getattr(source, "fingerprint", None)
    if not isinstance(own, str):
        raise TrainingError(
            f"The {what} come from a {type(source).__name__} without a fingerprint, and a folder could not tell them "
            "from others; give with_fingerprint(function, all that decides it), or train without folder."
        )
    return own


def fingerprint(*values: Any) -> str:
    """A hash of values: plain ones, tensors, arrays, dataclasses, and whatever has a `fingerprint`, also nested.

    Raises:
        TrainingError: a value of another kind.
    """
    try:
        text = json.dumps(values, default=_plain, sort_keys=True)
    except TypeError as error:
        raise TrainingError(f"A fingerprint takes plain values ({error}); give lists, numbers and strings.") from error
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value as something of which JSON knows the parts."""
    if isinstance(value, torch.Tensor):
        flat = whole_of(value).detach().cpu().contiguous().reshape(-1)
        return [str(value.dtype), list(value.shape), hashlib.sha256(flat.view(torch.uint8).numpy().data).hexdigest()]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return [str(value.dtype), list(value.shape), hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(own := getattr(value, "fingerprint", None), str):
        return own
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is none")
