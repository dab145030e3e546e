"""A policy: a model together with what turns text into its tokens and back.

The engine needs five things of any model, ours from scratch or one of Hugging Face: weights, `encode`, `decode`,
the end token and the padding token. The padding token must be another than the end token.

    policy = small_policy(64, "*-*-")                          # untrained, over characters
    policy = Policy.of(HybridLM(config), codec)                # any other shape
    kept = policy.state()
    before = policy.with_state(kept)                           # a policy of its own, with the weights kept
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nemo_lab.errors import LabError, check_callable, check_instance, check_whole, shown
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.rollouts import End, end_tokens, text_config
from nemo_lab.training.packing import IGNORE, Batch

State = dict[str, Tensor]
"""The weights of a policy by name, as `Policy.state` copies them."""


@dataclass(frozen=True)
class Policy:
    """What samples and is trained.

    Attributes:
        model: a `HybridLM` or a causal language model of Hugging Face.
        encode: text to token ids, without an end token. decode: ids to text, without special tokens.
        end: the token that closes a response, or several of which any does, as `generation_config.eos_token_id` has
            them; training on pairs teaches the first. pad: what fills rows; none of them. It is masked everywhere, so
            that any other token of the vocabulary will do where a tokenizer has none of its own.

    Raises:
        LabError: no model, no functions, an end or padding token that is no token's id, or the same token for both.
    """

    model: Any
    encode: Callable[[str], list[int]]
    decode: Callable[[Iterable[int]], str]
    end: End
    pad: int

    def __post_init__(self) -> None:
        if not callable(getattr(self.model, "parameters", None)):
            raise LabError(f"The model is {shown(self.model)}; give a HybridLM or a model of Hugging Face.")
        check_callable("encode", self.encode, "give a function from text to token ids")
        check_callable("decode", self.decode, "give a function from token ids to text")
        end_tokens(self.end, self.pad)

    @classmethod
    def of(cls, model: HybridLM, codec: Codec) -> Policy:
        """A model that was trained with this codec.

        Raises:
            LabError: something else than model and codec, or the model's vocabulary has another size.
        """
        check_instance("model", model, HybridLM, "give a HybridLM, or make a Policy(...) of another model")
        check_instance("codec", codec, Codec, "give the Codec that the model was trained with")
        if model.config.vocab_size != codec.vocab_size:
            raise LabError(
                f"The model has {model.config.vocab_size} tokens and the codec {codec.vocab_size}; use its own codec."
            )
        return cls(model, codec.encode, codec.decode, codec.end, codec.pad)

    @property
    def vocab_size(self) -> int:
        """Tokens that the model can draw."""
        return int(text_config(self.model).vocab_size)

    def state(self) -> State:
        """A copy of the weights."""
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def with_state(self, state: Mapping[str, Tensor]) -> Policy:
        """A policy of the same shape with these weights, free to be trained on; this one stays as it is.

        Raises:
            LabError: weights of another shape of model.
        """
        model = copy.deepcopy(self.model)
        try:
            model.load_state_dict(dict(state))
        except (RuntimeError, TypeError, ValueError) as error:
            raise LabError(
                "These are not the weights of such a model; give what `state()` of a policy of the same shape returned."
            ) from error
        return replace(self, model=model)


def small_policy(width: int, pattern: str, seed: int = 0, codec: Codec | None = None, **shape: Any) -> Policy:
    """An untrained policy over characters, for experiments on one machine.

    Heads have 16 channels, feed-forward layers four times the width. Positions come from the Mamba-2 layers
    where there are any, else from rotary embeddings.

    Args:
        width: of the model, a multiple of 16 as a rule. pattern: a letter a layer, as in `HybridConfig`.
        seed: of the weights. codec: its tokens; None: `Codec()`.
        shape: other fields of `HybridConfig`, in place of those above.

    Raises:
        LabError: a width, a pattern, a seed or a field that makes no model.
    """
    check_whole("seed", seed, 0)
    codec = codec or Codec()
    try:
        heads = max(1, width // 16)
        usual = {
            "d_ff": 4 * width,
            "n_heads": heads,
            "n_kv_heads": heads,
            "head_dim": 16,
            "rope_theta": 0.0 if "M" in pattern else 10_000.0,
            "ssm_heads": heads,
            "ssm_head_dim": 32,
            "ssm_state": 16,
            "ssm_groups": 1,
            "chunk": 32,
            "init_std": 0.05,
        }
        config = HybridConfig(pattern, codec.vocab_size, width, **usual | shape)
    except (TypeError, ValueError) as error:
        raise LabError(f"No policy of width {width!r} and pattern {pattern!r}: {error}.") from error
    return Policy.of(HybridLM(config, seed=seed), codec)


def check_policy(policy: object) -> None:
    """Refuse what is no policy.

    Raises:
        LabError: it is something else, such as a bare model.
    """
    if not isinstance(policy, Policy):
        raise LabError(f"The policy is of type {type(policy).__name__}; make one with Policy.of(model, codec).")


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
