"""Imitating a long run with a short one: sample the *documents*, so that epochs stay what they will be.

A blend that reads a scarce source eight times at the full horizon reads it once at an eighth of it, and looks
fresh there: a short run on full pools is too kind to scarce sources. The paper (arXiv 2412.15285) designs at
1T tokens for 15T on pools sampled at 1/15, which keeps e_i = w_i T / N_i. The same sampling, with a rate for
each source, makes a source scarce on purpose.

Documents are taken whole and in a seeded random order, so that a smaller sample lies inside a larger one of
the same seed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nemo_lab.charsets import utf8_lengths
from nemo_lab.errors import check_number, check_texts, one_of
from nemo_lab.mixing.pools import MixingError

if TYPE_CHECKING:
    from datasets import Dataset


def down_sample(dataset: Dataset, rate: float | Mapping[str, float], column: str = "corpus", seed: int = 0) -> Dataset:
    """Keep a share of each source's text, in whole documents; the share is met within one document.

    Args:
        dataset: with the columns `text` and `column`.
        rate: the share of UTF-8 bytes to keep, above 0 and at most 1; one for all sources or one for each.
        column: what tells the sources apart.
        seed: decides which documents.

    Returns:
        The kept documents in their old order. Of every source the number of documents comes as near to its
        share as whole documents allow, and is at least one.

    Raises:
        MixingError: a rate outside (0, 1], a source without one, or a rate for no source.
    """
    labels = np.array([str(value) for value in dataset[column]])
    unknown = sorted(set(rate) - set(labels.tolist())) if isinstance(rate, Mapping) else []
    if unknown:
        raise MixingError(one_of("source", unknown[0], sorted(set(labels.tolist()))))
    sizes = np.array(utf8_lengths(dataset["text"]), dtype=np.int64)
    kept = [
        _kept(np.flatnonzero(labels == name), sizes, _rate_of(rate, name), [seed, zlib.crc32(name.encode())])
        for name in sorted(set(labels.tolist()))
    ]
    return dataset.select(np.sort(np.concatenate(kept))) if kept else dataset


def _rate_of(rate: float | Mapping[str, float], name: str) -> float:
    value = rate.get(name) if isinstance(rate, Mapping) else rate
    if value is None:
        raise MixingError(f"There is no rate for source {name!r}; give one, 1 to keep all of it.")
    return check_number(f"rate of source {name!r}", value, above=0, most=1, kind=MixingError)


def _kept(
    documents: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rate: float, seed: list[int]
) -> npt.NDArray[np.int64]:
    """The first so many of the shuffled documents whose size is nearest to the share."""
    shuffled = np.random.default_rng(seed).permutation(documents)
    reached = np.cumsum(sizes[shuffled])
    nearest = int(np.abs(reached - rate * reached[-1]).argmin())
    return shuffled[: nearest + 1]


def token_counts(dataset: Dataset, tokenizer: Any, column: str = "corpus") -> dict[str, int]:
    """Tokens of each source, one more a document for its beginning, as `training.pack` will lay them out."""
    have = Counter[str]()
    encoded = tokenizer.encode_batch(list(dataset["text"]), add_special_tokens=False)
    for name, document in zip(dataset[column], encoded, strict=True):
        have[str(name)] += len(document.ids) + 1
    return dict(sorted(have.items()))


def cut_to(
    dataset: Dataset,
    tokens: Mapping[str, float],
    have: Mapping[str, int],
    column: str = "corpus",
    seed: int = 0,
) -> Dataset:
    """Keep about so many tokens of each source: as scarce as an experiment asks.

    Whole documents are drawn by bytes (`down_sample`), at the share of the source's tokens that is wanted.

    Args:
        dataset: with the columns `text` and `column`.
        tokens: unique tokens wanted of each source.
        have: what `token_counts` says of the data set.
        column: what tells the sources apart. seed: decides which documents.

    Raises:
        MixingError: a source has fewer tokens than asked for, or what is asked for is no number.
    """
    for name, number in tokens.items():
        check_number(f"tokens of {name!r}", number, above=0, kind=MixingError)
    short = [name for name in tokens if tokens[name] > have.get(name, 0)]
    if short:
        raise MixingError(
            f"Source {short[0]!r} has {have.get(short[0], 0):,} tokens, {tokens[short[0]]:,.0f} were asked for; "
            "give more text or ask for less."
        )
    return down_sample(dataset, {name: tokens[name] / have[name] for name in tokens}, column, seed)


def graded_sizes(names: Sequence[str], total: float, ratio: float) -> dict[str, float]:
    """Sizes in a geometric series with the given sum, the first name scarcest, the last `ratio` times as large.

    Good text is scarce: with names from best to worst this is a corpus in which the natural distribution weighs
    sources by how bad they are.

    Raises:
        MixingError: no name, or a total or ratio that is not positive.
    """
    if not check_texts("names", names, kind=MixingError):
        raise MixingError("There are no names to give sizes to; give at least one.")
    check_number("total", total, above=0, kind=MixingError)
    check_number("ratio", ratio, above=0, kind=MixingError)
    parts_K = ratio ** np.linspace(0, 1, len(names))
    return dict(zip(names, (total * parts_K / parts_K.sum()).tolist(), strict=True))
