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
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nemo_lab.mixing.pools import MixingError

if TYPE_CHECKING:
    from datasets import Dataset


def down_sample(
    dataset: Dataset, rate: float | Mapping[str, float], column: str = "corpus", seed: int = 0
) -> Dataset:
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
        MixingError: a rate outside (0, 1], or a source without one.
    """
    labels = np.array([str(value) for value in dataset[column]])
    sizes = np.array([len(text.encode()) for text in dataset["text"]], dtype=np.int64)
    kept = [
        _kept(np.flatnonzero(labels == name), sizes, _rate_of(rate, name), [seed, zlib.crc32(name.encode())])
        for name in sorted(set(labels.tolist()))
    ]
    return dataset.select(np.sort(np.concatenate(kept))) if kept else dataset


def _rate_of(rate: float | Mapping[str, float], name: str) -> float:
    value = rate.get(name) if isinstance(rate, Mapping) else rate
    if value is None:
        raise MixingError(f"There is no rate for source {name!r}; give one, 1 to keep all of it.")
    if not 0 < value <= 1:
        raise MixingError(f"The rate of source {name!r} is {value}, expected a number above 0 and at most 1.")
    return float(value)


def _kept(
    documents: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rate: float, seed: list[int]
) -> npt.NDArray[np.int64]:
    """The first so many of the shuffled documents whose size is nearest to the share."""
    shuffled = np.random.default_rng(seed).permutation(documents)
    reached = np.cumsum(sizes[shuffled])
    nearest = int(np.abs(reached - rate * reached[-1]).argmin())
    return shuffled[: nearest + 1]
