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

from nemo_lab.errors import LabError, check_number
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
