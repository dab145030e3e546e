"""The hybrid language model: one residual block a letter of the pattern (Nemotron-H, section 2.1).

    x = embedding(tokens);   x = x + mixer(RMSNorm(x)) for every layer;   logits = head(RMSNorm(x))

No dropout, no bias, no position embedding; embedding and head are separate matrices. The residual stream
stays in float32 and the matrix products run in the dtype of the surrounding autocast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nemo_lab.errors import LabError, check_whole
from nemo_lab.modeling import kernels
from nemo_lab.modeling.attention import Attention
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.linear import Linear, wide
from nemo_lab.modeling.loss import linear_cross_entropy
from nemo_lab.modeling.mamba2 import Mamba2
from nemo_lab.modeling.mlp import MLP

MIXERS: dict[str, type[nn.Module]] = {"M": Mamba2, "*": Attention, "-": MLP}
RESIDUAL_OUTPUTS = ("out_proj", "o_proj", "down_proj")  # the matrix that writes into the residual stream


class Block(nn.Module):
    """x + mixer(RMSNorm(x))."""

    def __init__(self, kind: str, config: HybridConfig) -> None:
        super().__init__()
        self.kind = kind
        self.backend = "auto"  # of the norm, see `kernels`
        self.norm = nn.RMSNorm(config.d_model, eps=config.norm_eps)
        self.mixer = MIXERS[kind](config)

    def forward(self, x_BLd: Tensor, document_BL: Tensor | None = None, cache: Any = None) -> Tensor:
        """x + mixer(norm(x)), (B, L, d); document numbers and cache are for mixers that look at other tokens."""
        x_BLd, u_BLd = normalised(x_BLd, self.norm, self.backend)
        if self.kind == "-":
            return x_BLd + self.mixer(u_BLd)
        return x_BLd + self.mixer(u_BLd, document_BL, cache)


def normalised(x_BLd: Tensor, norm: nn.RMSNorm, backend: str) -> tuple[Tensor, Tensor]:
    """x and norm(x); fused, the x returned is to be used on, and the norm has the dtype of the products."""
    if not kernels.fused(backend, x_BLd):
        return x_BLd, norm(x_BLd)
    from nemo_lab.modeling.fused.norm import residual_norm

    return residual_norm(x_BLd, norm.weight, norm.eps or 0.0, kernels.product_dtype(x_BLd))


class HybridLM(nn.Module):
    """A language model of Mamba-2, attention and feed-forward layers in any order.

    Args:
        config: sizes and pattern.
        seed: of the initial weights, which depend on nothing else.

    Raises:
        LabError: something else than a configuration, or a seed that is no whole number.
    """

    def __init__(self, config: HybridConfig, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(config, HybridConfig):
            raise LabError(f"config is {config!r:.60}, expected a HybridConfig, such as `presets.tiny_hybrid(128)`.")
        seed = check_whole("seed", seed, 0)
        self.config = config
        self.backend = "auto"  # of the last norm and the loss, see `kernels`
        with torch.random.fork_rng(devices=[]):  # torch's own start values, replaced below, use the global generator
            self.embedding = nn.Embedding(config.vocab_size, config.d_model)
            self.blocks = nn.ModuleList(Block(kind, config) for kind in config.pattern)
            self.norm = nn.RMSNorm(config.d_model, eps=config.norm_eps)
            self.head = Linear(config.d_model, config.vocab_size, bias=False)
        if self.embedding.weight.device.type != "meta":
            self._initialise(torch.Generator(self.embedding.weight.device).manual_seed(seed))

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """N(0, init_std), output projections of residual branches divided by sqrt(layers)."""
        depth = len(self.config.pattern) ** 0.5
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                std = self.config.init_std / (depth if name.endswith(RESIDUAL_OUTPUTS) else 1.0)
                module.weight.normal_(0.0, std, generator=generator)
            elif isinstance(module, Mamba2):
                module.init_state_space(generator)

    def hidden(
        self, tokens_BL: Tensor, document_BL: Tensor | None = None, caches: Sequence[Any] | None = None
    ) -> Tensor:
        """The normalised residual stream that enters the head, (B, L, d_model)."""
        x_BLd = self.embedding(tokens_BL)
        for i, block in enumerate(self.blocks):
            x_BLd = block(x_BLd, document_BL, None if caches is None else caches[i])
        return normalised(x_BLd, self.norm, self.backend)[1]

    def forward(self, tokens_BL: Tensor, document_BL: Tensor | None = None) -> Tensor:
        """Next-token logits, float32, (B, L, V).

        Args:
            tokens_BL: token ids. document_BL: document numbers, non-decreasing in a row: state, convolution
                and attention start afresh where the number changes.
        """
        logits = self.head(self.hidden(tokens_BL, document_BL))
        return wide(logits)

    def loss(
        self, tokens_BL: Tensor, targets_BL: Tensor, document_BL: Tensor | None = None, reduction: str = "mean"
    ) -> Tensor:
        """Cross-entropy in nats over the targets that are not -100, without keeping the logits.

        `reduction` is "mean" (a scalar) or "none" (B, L; zero where the target is -100).
        """
        hidden_Td = self.hidden(tokens_BL, document_BL).flatten(0, 1)
        losses_T = linear_cross_entropy(hidden_Td, self.head.weight, targets_BL.flatten(), self.backend)
        if reduction == "none":
            return losses_T.view_as(targets_BL)
        return losses_T.sum() / (targets_BL != -100).sum().clamp(min=1)

    def parameter_count(self) -> int:
        """Number of weights, embedding and head included."""
        return sum(p.numel() for p in self.parameters())
