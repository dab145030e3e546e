"""Named models: the published hybrids, the Transformers they were compared with, and tiny ones of equal size.

Patterns and sizes are those of NVIDIA's code configurations (NeMo, Megatron-Bridge), which agree with
Nemotron-H (arXiv 2504.03624, Table 1 and Figure 2) but for one layer of the 47B model: the paper's text and
its Figure 11 have 44 Mamba-2, 5 attention and 49 FFN layers, the code has 45, 5 and 48. The default here is
the code's; `nemotron-h-47b-text` is the text's. The Mamba-2 head dimension of the Nano v2 models is 80 in the
code and 64 in digests of the paper; only 80 gives an inner width of twice the 12B model's d_model.

The placement rule (section 2.1): about 8 % of the layers are attention, spread evenly; of the others half are
Mamba-2 and half FFN; the first layer is Mamba-2, the last FFN, and an FFN follows every attention layer.
`placement.placed` follows it for any depth, and at the published depths gives the published patterns.
"""

from __future__ import annotations

from typing import Any

from nemo_lab.errors import LabError, check_whole, one_of
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.placement import hybrid_pattern

_8B_PATTERN = hybrid_pattern(3, 4, 1, 4)
_47B_PATTERN = "M-M-M-M-M-M-M-M-M*-M-M-M-M-M-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-M-M---MM---M-M*-M-M-M-M-M-"
_LARGE: dict[str, Any] = {
    "vocab_size": 131072,
    "n_kv_heads": 8,
    "head_dim": 128,
    "ssm_groups": 8,
    "conv_width": 4,
    "chunk": 128,
}


def _published(pattern: str, d_model: int, d_ff: int, n_heads: int, *ssm: int) -> HybridConfig:
    """A hybrid of the family; `ssm` is the number of Mamba-2 heads, their dimension and the state's."""
    heads, head_dim, state = ssm
    return HybridConfig(
        pattern=pattern,
        d_model=d_model,
        d_ff=d_ff,
        n_heads=n_heads,
        ssm_heads=heads,
        ssm_head_dim=head_dim,
        ssm_state=state,
        **_LARGE,
    )


HYBRIDS: dict[str, HybridConfig] = {
    "nemotron-h-4b": _published(_8B_PATTERN, 3072, 12288, 32, 112, 64, 128),
    "nemotron-h-8b": _published(_8B_PATTERN, 4096, 21504, 32, 128, 64, 128),
    "nemotron-h-47b": _published(_47B_PATTERN, 8192, 30720, 64, 256, 64, 256),
    "nemotron-h-56b": _published(hybrid_pattern(3, 4, 1, 10), 8192, 32768, 64, 256, 64, 256),
    "nemotron-nano-12b-v2": _published(hybrid_pattern(3, 3, 1, 6), 5120, 20480, 40, 128, 80, 128),
    "nemotron-nano-9b-v2": _published(
        "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-", 4480, 15680, 40, 128, 80, 128
    ),
}


def _transformer(layers: int, d_model: int, d_ff: int, heads: int, kv_heads: int, vocab: int) -> HybridConfig:
    return HybridConfig(
        **_LARGE
        | {
            "pattern": "*-" * layers,
            "d_model": d_model,
            "d_ff": d_ff,
            "n_heads": heads,
            "n_kv_heads": kv_heads,
            "vocab_size": vocab,
            "rope_theta": 10000.0,
        }
    )


# Nemotron-T-8B is the paper's control: the 8B hybrid's data, vocabulary and FFN. The others are baselines of
# the speed comparisons, as their public configurations have them (unconfirmed, from memory); they serve for
# costs only: a gated FFN of width f has three matrices and is counted as an ungated one of width 1.5 f,
# biases are left out, and the base of RoPE, which costs nothing, is a stand-in in all of them.
TRANSFORMERS: dict[str, HybridConfig] = {
    "nemotron-t-8b": _transformer(32, 4096, 21504, 32, 8, 131072),
    "llama-3.1-8b": _transformer(32, 4096, 14336 * 3 // 2, 32, 8, 128256),
    "llama-3.1-70b": _transformer(80, 8192, 28672 * 3 // 2, 64, 8, 128256),
    "llama-3.1-405b": _transformer(126, 16384, 53248 * 3 // 2, 128, 8, 128256),
    "qwen2.5-7b": _transformer(28, 3584, 18944 * 3 // 2, 28, 4, 152064),
    "qwen2.5-72b": _transformer(80, 8192, 29568 * 3 // 2, 64, 8, 152064),
    "qwen3-8b": _transformer(36, 4096, 12288 * 3 // 2, 32, 8, 151936),
}
_47B = HYBRIDS["nemotron-h-47b"]
VARIANTS = {"nemotron-h-47b-text": _47B.with_(pattern=_47B_PATTERN[:74] + "-" + _47B_PATTERN[75:])}


def preset(name: str) -> HybridConfig:
    """The configuration of a published model by name.

    Raises:
        LabError: an unknown name; the sentence lists the known ones.
    """
    known = HYBRIDS | VARIANTS | TRANSFORMERS
    if not isinstance(name, str) or name not in known:
        raise LabError(one_of("preset", name, list(known)))
    return known[name]


def tiny_hybrid(d_model: int = 128, pattern: str = "M-M*-M-", **changes: Any) -> HybridConfig:
    """A hybrid for a notebook: inner width 2·d_model and FFN 4·d_model as in the family, two groups.

    d_model must be a multiple of 32, the width of its heads; `changes` are other fields of `HybridConfig`.
    """
    if check_whole("d_model", d_model) % 32:
        raise LabError(f"d_model is {d_model}; the tiny models need a multiple of 32, their heads' width.")
    heads = d_model // 32
    sizes: dict[str, Any] = {
        "pattern": pattern,
        "d_model": d_model,
        "d_ff": 4 * d_model,
        "n_heads": heads,
        "head_dim": 32,
        "n_kv_heads": 2 if heads % 2 == 0 else 1,
        "ssm_heads": 2 * heads,
        "ssm_head_dim": 32,
        "ssm_state": 32,
        "ssm_groups": 2,
        "init_std": 0.05,
    }
    return HybridConfig(**sizes).with_(**changes)
