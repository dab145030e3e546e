"""What comes before the jobs of notebook 08: settings refused in time, the parent opened.

The library takes minutes. So what would end in an error after it, or in numbers that mean nothing, is refused before
it: a share of time that is none, a folder that holds another model than it seems to.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from nemo_lab.compression.puzzle.model import PuzzleConfig, PuzzleForCausalLM
from nemo_lab.compression.puzzle.parts import reason_of
from nemo_lab.errors import LabError
from nemo_lab.progress import quiet

# --- the parent


def open_parent(folder: Path, layers: int) -> Any:
    """Open a Llama from its folder (safetensors) as a Puzzle model, in bf16, with its first `layers` layers.

    Raises:
        LabError: the folder holds no Llama, only a part of one, one with biases, or one with fewer layers.
    """
    config = _config(Path(folder), layers)
    try:
        loaded: Any = PuzzleForCausalLM.from_pretrained(
            folder, config=config, dtype=torch.bfloat16, use_safetensors=True, output_loading_info=True
        )
    except Exception as error:  # of half a dozen kinds: safetensors has its own, which is an Exception and no more
        why = reason_of(error)
        raise LabError(f"The weights in {str(folder)!r} cannot be read ({why}); save the model there anew.") from error
    model, report = loaded
    if report["missing_keys"]:
        some = ", ".join(sorted(report["missing_keys"])[:2])
        raise LabError(f"{str(folder)!r} lacks {len(report['missing_keys'])} weights, such as {some}; save it anew.")
    return model.eval().requires_grad_(False)


def _config(folder: Path, layers: int) -> PuzzleConfig:
    """Return the configuration of a folder's Llama with its first `layers` layers."""
    from transformers import LlamaConfig

    file = folder / "config.json"
    try:
        kind = json.loads(file.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise LabError(
            f"{str(folder)!r} holds no config.json that can be read; give a folder that save_pretrained wrote."
        ) from error
    if kind != "llama":
        raise LabError(f"{str(folder)!r} holds a model of type {kind!r}, expected 'llama'; give a Llama's folder.")
    own = LlamaConfig.from_pretrained(folder)
    if own.attention_bias or own.mlp_bias:
        raise LabError(f"The Llama in {str(folder)!r} has biases, which no option here has; give one without.")
    if not 1 <= layers <= own.num_hidden_layers:
        raise LabError(f"layers is {layers}, expected 1 to {own.num_hidden_layers}, those of {str(folder)!r}.")
    given = own.to_dict() | {"num_hidden_layers": layers}
    return PuzzleConfig(**{key: value for key, value in given.items() if key not in ("model_type", "architectures")})


@lru_cache(maxsize=1)
def load_parent(folder: Path, layers: int) -> Any:
    """Open a Llama from its folder as the parent of a search, in bf16, with its first `layers` layers.

    A process opens it once; whoever changes it works on a copy. `open_parent` says what it refuses.
    """
    with quiet(remarks=True):  # of layers that are left out it would warn
        return open_parent(folder, layers)
