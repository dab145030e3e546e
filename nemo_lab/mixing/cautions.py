"""What a reader must know before trusting a mixture of their own text: each caution is one sentence, or none.

A search always ends with numbers. These are the cases in which they say less than they seem to: a source too small to
have a share, a goal of a few texts, an answer that is one cluster, proxies that could not be told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nemo_lab.charsets import utf8_bytes
from nemo_lab.mixing.pools import Floats

FEW_DOCUMENTS = 10  # of a source: fewer make no cluster of their own
FEW_TEXTS = 10  # of a goal: fewer decide a score by their subjects
LION_SHARE = 0.9  # of the weight on one cluster


def small_sources(named: Sequence[str], corpus_N: Sequence[str]) -> list[str]:
    """A sentence for each source of few documents, none at all among them.

    Args:
        named: the sources. corpus_N: the source of each document that is left.
    """
    counts = Counter(corpus_N)
    return [_few(name, counts[name]) for name in dict.fromkeys(named) if counts[name] < FEW_DOCUMENTS]


def _few(name: str, count: int) -> str:
    if not count:
        return f"Beware: no document of the source {name!r} is left, for all of them stand in another or in the goal."
    return (
        f"Beware: the source {name!r} has {count} documents, too few to judge a share of them; a document is never "
        "split, so give long texts in parts, or leave the source out."
    )


def goal_sample(used: Sequence[str], whole: Sequence[str], limit: int) -> list[str]:
    """How much of the goal is used, and whether that is few texts.

    Args:
        used: the texts that proxies are scored on. whole: all of the goal that was read.
        limit: bytes of a goal that the scale reads.
    """
    share = f"{len(used):,} of {len(whole):,} texts of the goal are used, {utf8_bytes(used):,} of "
    share += f"{utf8_bytes(whole):,} bytes (this scale reads about {limit:,})."
    few = len(used) < FEW_TEXTS
    advice = "split long texts into documents or take a larger scale" if len(used) < len(whole) else "give more of them"
    return [share] + few * [f"Beware: the goal stands on few texts ({len(used)}); {advice}."]


def lion_share(weights_K: Floats, names_K: Sequence[str]) -> list[str]:
    """A sentence where nearly all of the weight lies on one cluster of several."""
    most = int(np.argmax(weights_K))
    if len(weights_K) < 2 or weights_K[most] <= LION_SHARE:
        return []
    return [
        f"Beware: {weights_K[most]:.1%} of the weight lies on one cluster, {names_K[most]}: the answer is a choice of "
        "that cluster rather than a mixture; look whether its texts are the goal's own kind."
    ]


def ties(scores_N: Floats, rows: int) -> list[str]:
    """A sentence where proxies of different mixtures scored exactly alike.

    Args:
        scores_N: of the proxies. rows: rows of text that each reads.
    """
    found, counts = np.unique(scores_N, return_counts=True)
    alike = int(counts[counts > 1].sum())
    if not alike:
        return []
    best = ", the best among them" if counts[np.argmin(found)] > 1 else ""
    return [
        f"Beware: {alike} of {len(scores_N)} proxies scored exactly like another{best}. Each reads {rows:,} rows of "
        "text, and mixtures that give every cluster the same number of rows are the same training; a larger scale "
        "tells more of them apart."
    ]
