"""Where attention and feed-forward layers stand in a pattern, and widths that make two models equally large."""

from __future__ import annotations

from itertools import pairwise

from nemo_lab.errors import LabError, check_number, check_whole
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.costs import parameter_count, parameters

MATCH_TOLERANCE = 0.01  # largest relative difference that still counts as equal in size


def hybrid_pattern(a: int, b: int, c: int, k: int) -> str:
    """`a` pairs of Mamba-2 and FFN, then k times an attention group with `b` more pairs, then `c` pairs.

    (3, 4, 1, 4) is the 8B model, (3, 4, 1, 10) the 56B, (3, 3, 1, 6) Nano 12B v2.
    """
    a, b, c, k = (check_whole(name, value, 0) for name, value in zip("abck", (a, b, c, k), strict=True))
    return "M-" * a + ("M*-" + "M-" * b) * k + "M-" * c


def placed(layers: int, attention: int) -> str:
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


def mixers_placed(pairs: int, attention: int) -> str:
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
