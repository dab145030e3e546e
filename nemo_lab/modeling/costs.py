"""What a model costs: parameters, FLOPs, bytes. Exact formulas, from the configuration alone.

Counting rules. A multiply-add is 2 FLOPs; element-wise work outside the scan (norms, activations, residual
adds) is not counted: at these widths it is under a percent, and on a GPU it hides behind memory traffic.
The embedding is a look-up and costs no FLOPs. Caches: keys and values and the convolution's tail in bf16 and
the SSM state in float32, as Nano v2 recommends for accuracy; every width is an argument. A token's attention
costs grow with the context; a Mamba-2 layer's cost and cache do not, which is the paper's whole point
(Nemotron-H, arXiv 2504.03624, section 2.6; notebook 05).

`throughput` turns the numbers into seconds with a roofline: a step takes the longer of its FLOPs at the peak
rate and its bytes at the peak bandwidth. What it leaves out: kernels below the peak (two efficiency factors,
1.0 by default, stand for that), launch and scheduling overhead, communication between GPUs (n of them are one
of n times the rate, bandwidth and memory), activations, and overlap of one batch's prefill with another's
decoding. So its tokens/s are upper bounds, and it is the ratio of two models that is worth comparing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nemo_lab.errors import LabError, check_number, check_whole
from nemo_lab.modeling.config import HybridConfig

GIB = 2**30


def parameters(config: HybridConfig) -> dict[str, int]:
    """Parameters by part; their sum is `HybridLM(config).parameter_count()` exactly."""
    d = config.d_model
    return {
        "embedding": config.vocab_size * d,
        "Mamba-2": config.count("M") * _mamba_parameters(config),
        "attention": config.count("*") * 2 * d * (config.n_heads + config.n_kv_heads) * config.head_dim,
        "FFN": config.count("-") * 2 * d * config.d_ff,
        "norms": (len(config.pattern) + 1) * d,
        "head": config.vocab_size * d,
    }


def parameter_count(config: HybridConfig) -> int:
    """All parameters, embedding and head included."""
    return sum(parameters(config).values())


def _mamba_parameters(config: HybridConfig) -> int:
    projections = config.d_model * (config.in_proj_width + config.d_inner)
    convolution = config.conv_channels * (config.conv_width + 1)
    return projections + convolution + 3 * config.ssm_heads + config.d_inner  # dt_bias, A_log, D; norm


def decode_flops(config: HybridConfig, context: int) -> dict[str, int]:
    """FLOPs to generate one token, by part, with `context` tokens to attend to (the new one included).

    The state of one Mamba-2 head takes 5·P·N: decay, outer product and sum (3), then the product with C (2).
    """
    state = 5 * config.d_inner * config.ssm_state + 2 * config.d_inner  # and the skip D x
    convolution = 2 * config.conv_width * config.conv_channels
    scores = 4 * context * config.n_heads * config.head_dim  # q·k and the weighted sum of v
    return _projection_flops(config) | {
        "Mamba-2 state": config.count("M") * (state + convolution),
        "attention scores": config.count("*") * scores,
    }


def prefill_flops(config: HybridConfig, length: int) -> dict[str, int]:
    """FLOPs to read a prompt of `length` tokens, by part; the head sees the last token only.

    Mamba-2 in the chunked form with chunks of Q: a token takes 2·Q·N a group for C·B, 2·Q·P a head inside the
    chunk, and 4·P·N a head to write and read the chunk's state. Of the scores the causal half counts.
    """
    per_token = _projection_flops(config)
    Q, N = config.chunk, config.ssm_state
    scan = 2 * Q * N * config.ssm_groups + config.d_inner * (2 * Q + 4 * N + 2)  # and the skip D x
    convolution = 2 * config.conv_width * config.conv_channels
    pairs = length * (length + 1) // 2
    return {part: flops * (1 if part == "head" else length) for part, flops in per_token.items()} | {
        "Mamba-2 state": config.count("M") * (scan + convolution) * length,
        "attention scores": config.count("*") * 4 * pairs * config.n_heads * config.head_dim,
    }


def training_flops(config: HybridConfig, length: int) -> int:
    """FLOPs of one training sequence: three times the forward pass, head on every token."""
    forward = prefill_flops(config, length)
    return 3 * (sum(forward.values()) + (length - 1) * forward["head"])


def _projection_flops(config: HybridConfig) -> dict[str, int]:
    """Two FLOPs for every weight of a matrix that a token is multiplied with."""
    d = config.d_model
    attention = 2 * d * (config.n_heads + config.n_kv_heads) * config.head_dim
    return {
        "Mamba-2 projections": config.count("M") * 2 * d * (config.in_proj_width + config.d_inner),
        "attention projections": config.count("*") * 2 * attention,
        "FFN": config.count("-") * 4 * d * config.d_ff,
        "head": 2 * d * config.vocab_size,
    }


def kv_bytes_per_token(config: HybridConfig, kv_bytes: float = 2) -> float:
    """Bytes that keys and values of one token take in all attention layers."""
    return config.count("*") * 2 * config.n_kv_heads * config.head_dim * kv_bytes


def state_bytes(config: HybridConfig, ssm_bytes: float = 4, conv_bytes: float = 2) -> float:
    """Bytes of the SSM states and convolution tails of one sequence, the same at any length."""
    tail = (config.conv_width - 1) * config.conv_channels * conv_bytes
    return config.count("M") * (config.d_inner * config.ssm_state * ssm_bytes + tail)


def cache_bytes(
    config: HybridConfig, context: int, *, kv_bytes: float = 2, ssm_bytes: float = 4, conv_bytes: float = 2
) -> float:
    """Bytes of one sequence's whole cache at a context of so many tokens."""
    return kv_bytes_per_token(config, kv_bytes) * context + state_bytes(config, ssm_bytes, conv_bytes)


def weight_bytes(config: HybridConfig, bytes_per_weight: float = 2) -> float:
    """Bytes of all parameters: 2 a weight in bf16, 1 in FP8."""
    return parameter_count(config) * bytes_per_weight


def max_batch(
    config: HybridConfig,
    budget_bytes: float,
    context: int,
    *,
    bytes_per_weight: float = 2,
    kv_bytes: float = 2,
    ssm_bytes: float = 4,
    conv_bytes: float = 2,
) -> int:
    """Most sequences of `context` tokens whose caches fit beside the weights; 0 where the weights do not fit.

    Activations and fragmentation are not counted: pass a smaller budget to leave room for them.

    Raises:
        LabError: a number that is none or below 0, or a pattern that keeps no cache.
    """
    for name, value in (("budget_bytes", budget_bytes), ("context", context), ("bytes_per_weight", bytes_per_weight)):
        check_number(name, value, least=0)
    left = budget_bytes - weight_bytes(config, bytes_per_weight)
    each = cache_bytes(config, context, kv_bytes=kv_bytes, ssm_bytes=ssm_bytes, conv_bytes=conv_bytes)
    if each <= 0:
        raise LabError(f"The pattern {config.pattern!r} keeps no cache, so any batch fits; there is no largest.")
    return max(0, int(left // each))


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


@dataclass(frozen=True)
class PublishedRatio:
    """A speed-up that a paper states: tokens/s per GPU of `model` over `baseline`, each at its largest batch.

    `gpus` is our assumption where one GPU cannot hold the models; the papers do not say.
    """

    model: str
    baseline: str
    ratio: float
    hardware: str
    inputs: int
    outputs: int
    gpus: int
    source: str


_NH = "Nemotron-H section 2.6"
PUBLISHED_RATIOS = (
    PublishedRatio("nemotron-h-8b", "nemotron-t-8b", 2.2, "h100", 65536, 1024, 1, "read off Figure 7"),
    PublishedRatio("nemotron-h-8b", "llama-3.1-8b", 3.0, "h100", 65536, 1024, 1, _NH),
    PublishedRatio("nemotron-h-8b", "qwen2.5-7b", 1.8, "h100", 65536, 1024, 1, _NH),
    PublishedRatio("nemotron-h-56b", "llama-3.1-70b", 2.4, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-56b", "qwen2.5-72b", 2.4, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-47b", "llama-3.1-70b", 2.9, "h100", 65536, 1024, 8, _NH),
    PublishedRatio("nemotron-h-56b", "llama-3.1-405b", 19.6, "h100", 65536, 1024, 16, _NH),
    PublishedRatio("nemotron-nano-9b-v2", "qwen3-8b", 3.3, "a10g", 1024, 8192, 1, "Nano v2, from digests"),
    PublishedRatio("nemotron-nano-9b-v2", "qwen3-8b", 6.3, "a10g", 8192, 16384, 1, "Nano v2, from digests"),
)
# Output tokens/s per GPU on H100 at 65,536 in and 1,024 out, read off Nemotron-H's Figures 1 and 7. Baselines
# ran on another engine (vLLM 0.7.3); the clean comparison is the one with nemotron-t-8b.
PUBLISHED_TOKENS_PER_SECOND = {
    "nemotron-h-8b": 210.9,
    "nemotron-t-8b": 96.9,
    "llama-3.1-8b": 70.5,
    "qwen2.5-7b": 119.6,
    "nemotron-h-56b": 25.6,
    "nemotron-h-47b": 31.8,
    "llama-3.1-70b": 10.8,
    "qwen2.5-72b": 10.7,
    "llama-3.1-405b": 1.35,
}


def compare_published(**options: Any) -> list[dict[str, Any]]:
    """The stated speed-ups beside the roofline's, one row each, ready for a DataFrame.

    `options` go to `throughput` (efficiencies, memory_share); both models of a row get the same.
    """
    from nemo_lab.modeling.presets import preset

    rows = []
    for published in PUBLISHED_RATIOS:
        models = (preset(name) for name in (published.model, published.baseline))
        card, lengths = HARDWARE[published.hardware], (published.inputs, published.outputs)
        ours, theirs = (throughput(model, card, *lengths, gpus=published.gpus, **options) for model in models)
        row = {
            "roofline_ratio": ours.tokens_per_second / theirs.tokens_per_second,
            "model_batch": ours.batch,
            "baseline_batch": theirs.batch,
            "model_tokens_per_second": ours.tokens_per_second,
            "baseline_tokens_per_second": theirs.tokens_per_second,
        }
        rows.append(asdict(published) | row)
    return rows
