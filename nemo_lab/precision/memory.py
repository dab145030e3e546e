"""Bytes that FP8 saves in training a model of a given shape, computed from the recipe and the configuration.

Counted are the things that a recipe changes, for the matrices that it quantises and for those that it leaves:

    gathered   what a data-parallel worker receives of the weights in every step when each holds a slice (ZeRO,
               FSDP, Megatron's distributed optimizer): 2 bytes a weight in BF16, 1 in FP8 and its scales. Nano v2
               and NVIDIA's recipe for Nemotron-H keep the weights natively in FP8 for that
    weights    the copy that products read: 2 bytes, or 1 and scales, and as much again for the transposed copy,
               which GPUs of the Hopper generation need (their FP8 products sum along rows only; our reading)
    kept       what the forward pass keeps of a layer's input for wgrad: 2 bytes a value, or 1 and scales

Not changed, and not counted: float32 master weights and the optimizer's moments (12 bytes a weight), gradients and
their reduction, and everything that is no linear layer's input. A scale takes 4 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, Protocol

from nemo_lab.precision.recipes import Cast, Fp8Recipe

SCALE_BYTES = 4


class ModelShape(Protocol):
    """The part of a model's configuration that decides; `HybridConfig` has it."""

    @property
    def pattern(self) -> str:
        """One letter a layer: M, * or -."""

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""

    @property
    def d_ff(self) -> int:
        """Width of a feed-forward layer."""

    @property
    def n_heads(self) -> int:
        """Query heads."""

    @property
    def n_kv_heads(self) -> int:
        """Key and value heads."""

    @property
    def head_dim(self) -> int:
        """Width of a head."""

    @property
    def in_proj_width(self) -> int:
        """Outputs of a Mamba-2 layer's input projection."""

    @property
    def d_inner(self) -> int:
        """Inputs of its output projection."""


class Gemm(NamedTuple):
    """One matrix product: what it is, and its weight's outputs and inputs."""

    name: str
    outputs: int
    inputs: int


@dataclass(frozen=True)
class Bytes:
    """Bytes of a model: `gathered` and `weights` in all, `kept` for each token."""

    gathered: float
    weights: float
    kept: float


def gemm_shapes(config: ModelShape) -> list[Gemm]:
    """The linear layers' products in the network's order; query, key and value are one, the head is none."""
    d, queries = config.d_model, config.n_heads * config.head_dim
    kinds = {
        "M": [Gemm("in_proj", config.in_proj_width, d), Gemm("out_proj", d, config.d_inner)],
        "*": [Gemm("qkv_proj", queries + 2 * config.n_kv_heads * config.head_dim, d), Gemm("o_proj", d, queries)],
        "-": [Gemm("up_proj", config.d_ff, d), Gemm("down_proj", d, config.d_ff)],
    }
    return [gemm for letter in config.pattern for gemm in kinds[letter]]


def fp8_share(config: ModelShape, recipe: Fp8Recipe, parameters: int) -> float:
    """Share of all `parameters` that the recipe quantises."""
    inner = recipe.inner(gemm_shapes(config))
    return sum(gemm.outputs * gemm.inputs for gemm in inner) / parameters


def training_bytes(
    config: ModelShape, parameters: int, recipe: Fp8Recipe | None = None, *, transposed: bool = True
) -> Bytes:
    """Bytes by the module's counting; without a recipe those of BF16.

    Args:
        config, parameters: the model's sizes and the number of all its parameters. transposed: whether products
            need a second copy of FP8 weights.
    """
    gemms = gemm_shapes(config)
    inner = recipe.inner(gemms) if recipe else []
    others = parameters - sum(gemm.outputs * gemm.inputs for gemm in inner)
    kept_bf16 = sum(gemm.inputs for gemm in gemms) - sum(gemm.inputs for gemm in inner)
    codes = kept = 0.0
    if recipe:
        codes = sum(_bytes(gemm.outputs, gemm.inputs, recipe.weight) for gemm in inner)
        kept = sum(gemm.inputs for gemm in inner) * _each(recipe.activation)
    return Bytes(2 * others + codes, 2 * others + codes * (2 if transposed else 1), 2 * kept_bf16 + kept)


def _bytes(rows: int, columns: int, cast: Cast) -> int:
    """Codes and scales of a matrix."""
    r, c = cast.tile or (rows, columns)
    return rows * columns + SCALE_BYTES * ceil(rows / r) * ceil(columns / c)


def _each(cast: Cast) -> float:
    """Bytes for each value of a layer's input, kept for wgrad: in tiles along the tokens, or with one scale."""
    return 1 + SCALE_BYTES / 128 if cast.tile else 1.0


def ratios(ours: Bytes, bf16: Bytes) -> Mapping[str, float]:
    """Each part over that of BF16."""
    return {name: getattr(ours, name) / getattr(bf16, name) for name in ("gathered", "weights", "kept")}
