"""A policy: a model together with what turns text into its tokens and back.

The engine needs five things of any model, ours from scratch or one of Hugging Face: weights, `encode`, `decode`,
the end token and the padding token. The padding token must be another than the end token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.codec import Codec
from nemo_lab.training.packing import IGNORE, Batch


@dataclass(frozen=True)
class Policy:
    """What samples and is trained.

    Attributes:
        model: a `HybridLM` or a causal language model of Hugging Face.
        encode: text to token ids, without an end token. decode: ids to text, without special tokens.
        end: the token that closes a response. pad: what fills rows; not `end`. It is masked everywhere, so that any
            other token of the vocabulary will do where a tokenizer has none of its own.
    """

    model: Any
    encode: Callable[[str], list[int]]
    decode: Callable[[Iterable[int]], str]
    end: int
    pad: int

    def __post_init__(self) -> None:
        for name, token in (("end", self.end), ("pad", self.pad)):
            if type(token) is not int or token < 0:
                raise ValueError(f"{name} is {token!r}; it must be the id of a token, a whole number")
        if self.end == self.pad:
            raise ValueError(f"end and pad are both token {self.end}; give another pad, or the end is never learned")

    @classmethod
    def of(cls, model: HybridLM, codec: Codec) -> Policy:
        """A model that was trained with this codec.

        Raises:
            ValueError: the model's vocabulary has another size.
        """
        if model.config.vocab_size != codec.vocab_size:
            raise ValueError(
                f"The model has {model.config.vocab_size} tokens and the codec {codec.vocab_size}; use its own codec."
            )
        return cls(model, codec.encode, codec.decode, codec.end, codec.pad)


def token_logprobs(model: Any, batch: Batch, temperature: float = 1.0) -> Tensor:
    """Log-probability of every target, (B, L), in nats, at a temperature; 0 where the target is `IGNORE`."""
    tokens_BL, targets_BL, _ = batch
    if isinstance(model, HybridLM) and temperature == 1.0:
        return -model.loss(tokens_BL, targets_BL, reduction="none")  # never holds all logits
    out = model(tokens_BL)
    logits_BLV = (out if isinstance(out, Tensor) else out.logits).float() / temperature
    counted_BL = targets_BL != IGNORE
    chosen_BL = logits_BLV.log_softmax(-1).gather(-1, targets_BL.clamp(min=0)[..., None]).squeeze(-1)
    return chosen_BL * counted_BL


def on_device(model: Any, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors where the model's weights are."""
    device = next(model.parameters()).device
    return [tensor.to(device) for tensor in tensors]


def autocast(model: Any, precision: str) -> torch.autocast:
    """Matrix products in bf16 where `precision` is "bf16", as in `training.loop`."""
    device = next(model.parameters()).device
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
