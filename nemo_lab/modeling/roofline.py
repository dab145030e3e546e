"""Tokens a second from a configuration: a roofline of FLOPs and bytes on a given accelerator.

A step takes the longer of its FLOPs at the peak rate and its bytes at the memory's rate, each times an
efficiency; what a model needs of both is in `costs`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nemo_lab.errors import LabError, check_number, check_whole
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.costs import (
    GIB,
    cache_bytes,
    decode_flops,
    kv_bytes_per_token,
    max_batch,
    parameter_count,
    parameters,
    prefill_flops,
    state_bytes,
    weight_bytes,
)


@dataclass(frozen=True)
class Hardware:
    """One GPU's published limits: dense bf16 FLOP/s, bytes/s and usable bytes of its memory."""

    name: str
    flops: float
    bandwidth: float
    memory: float
    source: str


HARDWARE = {
    "h100": Hardware(
        "H100 SXM 80 GB",
        989e12,
        3.35e12,
        80e9,
        "NVIDIA H100 datasheet, SXM column: 1,979 TFLOP/s bf16 with sparsity, half of it dense; 3.35 TB/s",
    ),
    "a10g": Hardware(
        "A10G",
        70e12,
        600e9,
        22.06 * GIB,
        "NVIDIA A10G datasheet: 70 TFLOP/s bf16 dense (the A10 has 125), 600 GB/s, unconfirmed (from "
        "memory); 22.06 GiB of its 24 GB are usable according to Nano v2",
    ),
}


@dataclass(frozen=True)
class Throughput:
    """What serving one full batch costs: seconds to read the prompts, seconds to generate, and the yield."""

    batch: int
    gpus: int
    prefill_seconds: float
    decode_seconds: float
    tokens_per_second: float  # output tokens per second and GPU
    weight_gib: float
    cache_gib: float  # of the whole batch at its longest
    memory_bound: float  # share of the decoding steps that the bandwidth limits


def throughput(
    config: HybridConfig,
    hardware: Hardware,
    inputs: int,
    outputs: int,
    *,
    batch: int = 0,
    gpus: int = 1,
    bytes_per_weight: float = 2,
    memory_share: float = 1.0,
    compute_efficiency: float = 1.0,
    bandwidth_efficiency: float = 1.0,
) -> Throughput:
    """Output tokens per second and GPU for requests of `inputs` prompt and `outputs` generated tokens.

    Args:
        batch: sequences at once; 0 is the largest number whose caches fit beside the weights.
        gpus: how many share one copy of the model. memory_share: usable part of the memory.
        compute_efficiency, bandwidth_efficiency: attained parts of the two peaks.

    Raises:
        LabError: lengths below one, a number out of its range, or not even one sequence fits.
    """
    for name, value, least in (("inputs", inputs, 1), ("outputs", outputs, 1), ("batch", batch, 0), ("gpus", gpus, 1)):
        check_whole(name, value, least)
    for name, share in (("compute_efficiency", compute_efficiency), ("bandwidth_efficiency", bandwidth_efficiency)):
        check_number(name, share, above=0)
    check_number("memory_share", memory_share, above=0, most=1)
    budget = hardware.memory * gpus * memory_share
    most = max_batch(config, budget, inputs + outputs, bytes_per_weight=bytes_per_weight)
    if most < max(batch, 1):
        raise LabError(
            f"{max(batch, 1)} sequences of {inputs + outputs:,} tokens do not fit on {gpus} x "
            f"{hardware.name}: the weights take {weight_bytes(config, bytes_per_weight) / GIB:.1f} of "
            f"{budget / GIB:.1f} GiB, and {most} would fit; use more GPUs or fewer bytes a weight."
        )
    batch = batch or most
    rate = hardware.flops * gpus * compute_efficiency
    bandwidth = hardware.bandwidth * gpus * bandwidth_efficiency
    reading = sum(prefill_flops(config, inputs).values()) * batch / rate
    reading = max(reading, _weights_read(config, bytes_per_weight) / bandwidth)
    compute, memory = _decode_steps(config, inputs, outputs, batch, bytes_per_weight)
    compute, memory = compute / rate, memory / bandwidth
    writing = float(np.maximum(compute, memory).sum())
    return Throughput(
        batch=batch,
        gpus=gpus,
        prefill_seconds=reading,
        decode_seconds=writing,
        tokens_per_second=batch * outputs / (reading + writing) / gpus,
        weight_gib=weight_bytes(config, bytes_per_weight) / GIB,
        cache_gib=batch * cache_bytes(config, inputs + outputs) / GIB,
        memory_bound=float((memory > compute).mean()) if outputs > 1 else 0.0,
    )


def _weights_read(config: HybridConfig, bytes_per_weight: float) -> float:
    """Bytes of weights that a step reads: all but the embedding, of which it reads a row a sequence."""
    return (parameter_count(config) - parameters(config)["embedding"]) * bytes_per_weight


def _decode_steps(
    config: HybridConfig, inputs: int, outputs: int, batch: int, bytes_per_weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """FLOPs and bytes of each decoding step; the first token comes out of the prefill.

    A step reads the weights once and every sequence's keys and values, and reads and writes its states.
    """
    context = np.arange(inputs + 1, inputs + outputs)
    fixed = sum(decode_flops(config, 0).values())
    growth = sum(decode_flops(config, 1).values()) - fixed  # the cost is linear in the context
    flops = batch * (fixed + growth * context.astype(np.float64))
    cache = kv_bytes_per_token(config) * context + 2 * state_bytes(config)
    return flops, _weights_read(config, bytes_per_weight) + batch * cache
