"""Named models: the published hybrids, the Transformers they were compared with, and tiny ones of equal size.

Patterns and sizes are those of NVIDIA's code configurations (NeMo, Megatron-Bridge), which agree with
Nemotron-H (arXiv 2504.03624, Table 1 and Figure 2) but for one layer of the 47B model: the paper's text and
its Figure 11 have 44 Mamba-2, 5 attention and 49 FFN layers, the code has 45, 5 and 48. The default here is
the code's; `nemotron-h-47b-text` is the text's. The Mamba-2 head dimension of the Nano v2 models is 80 in the
code and 64 in digests of the paper; only 80 gives an inner width of twice the 12B model's d_model.

The placement rule (section 2.1): about 8 % of the layers are attention, spread evenly; of the others half are
Mamba-2 and half FFN; the first layer is Mamba-2, the last FFN, and an FFN follows every attention layer.
`place` follows it for any depth, and at the published depths gives the published patterns.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from nemo_lab.errors import LabError, check_number, check_whole, one_of
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.costs import parameter_count, parameters

MATCH_TOLERANCE = 0.01  # largest relative difference that still counts as equal in size


def hybrid_pattern(a: int, b: int, c: int, k: int) -> str:
    """`a` pairs of Mamba-2 and FFN, then k times an attention group with `b` more pairs, then `c` pairs.

    (3, 4, 1, 4) is the 8B model, (3, 4, 1, 10) the 56B, (3, 3, 1, 6) Nano 12B v2.
    """
    a, b, c, k = (check_whole(name, value, 0) for name, value in zip("abck", (a, b, c, k), strict=True))
    return "M-" * a + ("M*-" + "M-" * b) * k + "M-" * c


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


def place(layers: int, attention: int) -> str:
    """A pattern of so many layers, so many of them attention, by the placement rule.

    Of the other layers half are Mamba-2 and half FFN, with one more Mamba-2 where their number is odd. Above
    a third of attention there are more FFNs instead, one to follow every attention layer; at a half the
    pattern is the plain Transformer's, and beyond it the rule cannot be kept (`check_placement` says so).
    """
    if check_whole("layers", layers) < check_whole("attention", attention, 0):
        raise LabError(f"{layers} layers cannot hold {attention} attention layers; choose 0 to {layers}.")
    ffn = min(layers - attention, max(attention, (layers - attention) // 2))
    mamba = layers - attention - ffn
    if ffn == 0:
        return "M" * mamba + "*" * attention
    mambas = _counts(mamba, ffn, [i * ffn // mamba for i in range(mamba)] if mamba < ffn else [])
    placed = range(1, attention + 1) if attention < ffn else ()
    attentions = _counts(attention, ffn, [ffn * j // (attention + 1) - 1 for j in placed])
    return "".join("M" * m + "*" * a + "-" for m, a in zip(mambas, attentions, strict=True))


def place_mixers(pairs: int, attention: int) -> str:
    """A pattern of pairs, each a mixer and an FFN; `attention` of the mixers are attention, the rest Mamba-2.

    Only the kind of the mixer differs between patterns of equal `pairs`, from pure Mamba (0) to the plain
    Transformer (all): the cleaner experiment on the share of attention. The first mixer is Mamba-2 as long as
    there is any.

    Raises:
        LabError: no pair, or more attention than pairs.
    """
    if check_whole("pairs", pairs) < check_whole("attention", attention, 0):
        raise LabError(f"{pairs} pairs cannot hold {attention} attention layers; choose 0 to {pairs}.")
    if 2 * attention <= pairs:
        chosen = {(2 * j + 1) * pairs // (2 * attention) for j in range(attention)}
    else:
        mamba = pairs - attention
        chosen = set(range(pairs)) - {i * pairs // mamba for i in range(mamba)}
    return "".join("*-" if i in chosen else "M-" for i in range(pairs))


def _counts(total: int, groups: int, chosen: list[int]) -> list[int]:
    """How many of `total` each group gets: one for each chosen group, the rest in turns from the first on."""
    counts = [chosen.count(i) for i in range(groups)]
    for i in range(total - len(chosen)):
        counts[i % groups] += 1
    return counts


def check_placement(pattern: str) -> list[str]:
    """The parts of the placement rule that a pattern breaks, in words; none for the published parents.

    "About 8 %" is read as 5 to 12 %, and "evenly" as distances between attention layers that differ by one
    pair (two layers) at most; both readings are ours.
    """
    mamba, attention, ffn = (pattern.count(letter) for letter in "M*-")
    indices = [i for i, letter in enumerate(pattern) if letter == "*"]
    gaps = [later - earlier for earlier, later in pairwise(indices)]
    uneven = len(gaps) > 1 and max(gaps) - min(gaps) > 2
    share = attention / max(len(pattern), 1)
    rules = {
        "the first layer is not Mamba-2": not pattern.startswith("M"),
        "the last layer is not an FFN": not pattern.endswith("-"),
        "an attention layer is not followed by an FFN": any(pattern[i + 1 : i + 2] != "-" for i in indices),
        f"{share:.1%} of the layers are attention, not about 8 %": not 0.05 <= share <= 0.12,
        f"the distances between attention layers, {gaps}, are uneven": uneven,
        f"{mamba} Mamba-2 and {ffn} FFN layers are not half and half": abs(mamba - ffn) > 1,
    }
    return [sentence for sentence, broken in rules.items() if broken]


def match_parameters(config: HybridConfig, target: int) -> HybridConfig:
    """The same model with the FFN width whose parameter count is nearest to `target`.

    The width is a multiple of 8, which suits the hardware, or of less where steps of 8 miss by over 1 %.

    Raises:
        LabError: no FFN layer to adjust, or the nearest width misses the target by more than 1 %.
    """
    check_number("target", target, above=0)
    per_unit = 2 * config.d_model * config.count("-")
    if not per_unit:
        raise LabError(f"The pattern {config.pattern!r} has no FFN layer whose width could be matched.")
    others = parameter_count(config) - parameters(config)["FFN"]
    for step in (8, 4, 2, 1):
        matched = config.with_(d_ff=step * max(1, round((target - others) / per_unit / step)))
        found = parameter_count(matched)
        if abs(found - target) <= MATCH_TOLERANCE * target:
            return matched
    raise LabError(
        f"No FFN width brings the pattern {config.pattern!r} to {target:,} parameters: the nearest is "
        f"{found:,} at d_ff={matched.d_ff}; change d_model or the pattern."
    )


def match_heads(config: HybridConfig, target: int) -> HybridConfig:
    """For a pattern of attention alone: the number of query heads that brings it nearest to `target`.

    The number is a multiple of `n_kv_heads`.
    Heads are coarse steps, so that the match is within some percent and not within one: state what it is.
    """
    check_number("target", target)
    per_head = 2 * config.d_model * config.head_dim * config.count("*")
    if not per_head:
        raise LabError(f"The pattern {config.pattern!r} has no attention whose heads could be matched.")
    others = parameter_count(config) - per_head * config.n_heads
    groups = max(1, round((target - others) / per_head / config.n_kv_heads))
    return config.with_(n_heads=groups * config.n_kv_heads)


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


def tiny_transformer(d_model: int = 128, pattern: str = "*-*-*-*-", **changes: Any) -> HybridConfig:
    """The Transformer control, with RoPE, of the parameter count of `tiny_hybrid` with the same arguments."""
    target = parameter_count(tiny_hybrid(d_model, **changes))
    return match_parameters(tiny_hybrid(d_model, pattern, **{"rope_theta": 10000.0} | changes), target)


def tiny_mamba(d_model: int = 128, pattern: str = "M-M-M-", **changes: Any) -> HybridConfig:
    """The model without attention of the parameter count of `tiny_hybrid` with the same arguments."""
    target = parameter_count(tiny_hybrid(d_model, **changes))
    return match_parameters(tiny_hybrid(d_model, pattern, **changes), target)
