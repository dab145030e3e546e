"""The mixture that the notebooks train on: the same number of bytes of every domain, shuffled.

Equal bytes, not equal documents or tokens: bytes do not depend on the tokenizer, so a loss in bits per byte
can be compared between domains and between tokenizers. Documents are drawn by a seeded permutation; the last
one of a corpus is cut at the byte that fills its share (at a whole character, so up to three bytes less).
"""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.charsets import utf8_lengths
from nemo_lab.corpora import store
from nemo_lab.corpora.loading import load
from nemo_lab.errors import LabError, check_texts, check_whole

if TYPE_CHECKING:
    from datasets import Dataset

TRAIN_BYTES = 1_000_000  # of each corpus, where the caller does not say
HELD_OUT_BYTES = 100_000
COLUMNS = (*store.COLUMNS, "corpus")


def mixture(
    corpora: Sequence[str] | None = None,
    split: str | None = "train",
    bytes_per_corpus: int | None = None,
    seed: int = 0,
) -> "Dataset":
    """Return documents of several corpora, the same number of UTF-8 bytes of each, in random order.

    Args:
        corpora: names that `load` knows; None: the default corpora that can be had here (`present`).
        split: `train`, `validation`, `test`, or None for all documents.
        bytes_per_corpus: bytes of text of each; None: 1,000,000 for training, 100,000 for the others.
        seed: decides which documents and their order.

    Returns: a data set with the columns id, text, source, licence and corpus.

    Raises:
        LabError: no list of names, bytes or a seed that are no whole number, or a corpus that has less text than
            asked for; the sentence says how much it has.
        PackageError: a corpus that was asked for by name cannot be had.
    """
    from datasets import concatenate_datasets

    check_whole("seed", seed, 0)
    if bytes_per_corpus is not None:
        check_whole("bytes_per_corpus", bytes_per_corpus)
    names = store.present() if corpora is None else check_texts("corpora", corpora)
    if not names:
        raise LabError("corpora is empty; name at least one, or leave it out for all that can be had.")
    budget = bytes_per_corpus or (TRAIN_BYTES if split in ("train", None) else HELD_OUT_BYTES)
    parts = [_share(name, split, budget, seed) for name in names]
    return concatenate_datasets(parts).shuffle(seed=seed)


def _share(name: str, split: str | None, budget: int, seed: int) -> "Dataset":
    """Return `budget` bytes of one corpus, with its name in the column `corpus`."""
    dataset = load(name, split=split)
    # The corpus's own stream of random numbers: adding a corpus does not change what is drawn of the others.
    order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(dataset))
    sizes = np.array(utf8_lengths(dataset["text"]), dtype=np.int64)
    reached = np.cumsum(sizes[order])
    if not len(reached) or reached[-1] < budget:
        has = int(reached[-1]) if len(reached) else 0
        raise LabError(
            f"Corpus {name!r} has {has:,} bytes in split {split!r}, {budget:,} were asked for; "
            f"set bytes_per_corpus to at most {has:,} or leave the corpus out."
        )
    last = int(np.searchsorted(reached, budget))
    rows = dataset.select(order[: last + 1]).to_dict()
    excess = int(reached[last]) - budget
    if excess:
        whole = rows["text"][-1].encode("utf-8")
        rows["text"][-1] = whole[: len(whole) - excess].decode("utf-8", "ignore")
    rows["corpus"] = [name] * (last + 1)
    return _dataset({column: rows[column] for column in COLUMNS})


def _dataset(columns: dict[str, list[str]]) -> "Dataset":
    from datasets import Dataset

    return Dataset.from_dict(columns)
