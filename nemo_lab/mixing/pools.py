"""Rows of tokens by source, and batches drawn from them in the shares of a mixture.

A mixture says which share of the *tokens* of a run comes of each source. Rows all have the same length, so a
share of tokens is a share of rows, and a run is a table: for every step and every row of its batch, the
source. From the table follows the data: the j-th row that is asked of a source is the j-th of its endless
shuffled epochs (`training.packing`). Two runs whose tables hold the same numbers of each source therefore
read the same rows, however differently they are ordered, which is what a comparison of orders needs.

Counts are exact and not drawn: a phase of n rows gets the n·w_k of each source, rounded to whole rows with
the same sum (largest remainders), in random order. Against independent draws this takes the sampling noise
of the mixture out of every comparison and changes nothing else.

Shapes: K sources, P phases, S steps, B rows of a batch, N rows of one source.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nemo_lab.errors import LabError, check_whole
from nemo_lab.training import Batch, Packed, pack
from nemo_lab.training.packing import batch_rows

Floats = npt.NDArray[np.float64]
Table = npt.NDArray[np.int64]
_SUM_TOLERANCE = 1e-6


class MixingError(LabError):
    """Anything that a user of `nemo_lab.mixing` can put right: one sentence, saying what to do."""


@dataclass(frozen=True)
class Pools:
    """Packed rows of each source, all of one length; the order of the names is the order of the weights."""

    rows: Mapping[str, Packed]

    def __post_init__(self) -> None:
        """Refuse an empty collection and rows of different lengths."""
        if not isinstance(self.rows, Mapping) or not all(isinstance(one, Packed) for one in self.rows.values()):
            raise MixingError(f"rows are {self.rows!r:.60}, expected packed rows by the name of their source.")
        lengths = {packed.tokens_NL.shape[1] for packed in self.rows.values()}
        if len(lengths) != 1:
            raise MixingError(
                f"The rows of the sources have lengths {sorted(lengths)}; pack at least one source, all alike."
            )

    @property
    def names(self) -> list[str]:
        """The sources' names."""
        return list(self.rows)

    @property
    def length(self) -> int:
        """Tokens a row."""
        return int(next(iter(self.rows.values())).tokens_NL.shape[1])

    @property
    def tokens_K(self) -> npt.NDArray[np.int64]:
        """Unique tokens of each source, the padding of its last row included."""
        return np.array([packed.tokens_NL.size for packed in self.rows.values()], dtype=np.int64)

    @property
    def natural_K(self) -> Floats:
        """Each source's share of all tokens: the mixture nobody chose."""
        return self.tokens_K / self.tokens_K.sum()

    @property
    def uniform_K(self) -> Floats:
        """The same share for every source; CLIMB's baseline 'random' is this (arXiv 2504.13161, App. C.1)."""
        return np.full(len(self.rows), 1 / len(self.rows))


def pools_by(dataset: Any, column: str, tokenizer: Any, length: int, *, eos: int = 0) -> Pools:
    """Pack the documents of each value of `column` into rows of their own, sources in sorted order.

    Args:
        dataset: a `datasets.Dataset`, a data frame or a mapping with the columns `text` and `column`.
        column: what tells the sources apart, such as `corpus` or `cluster`.
        tokenizer: a `tokenizers.Tokenizer`.
        length: tokens a row.
        eos: id of the token that begins a document.
    """
    encoded = tokenizer.encode_batch(list(dataset["text"]), add_special_tokens=False)
    labels = [str(value) for value in dataset[column]]
    ids = {name: [e.ids for e, own in zip(encoded, labels, strict=True) if own == name] for name in set(labels)}
    return Pools({name: pack(ids[name], length, eos=eos) for name in sorted(ids)})


def check_mixture(weights: Sequence[float] | Floats, sources: int) -> Floats:
    """Return weights as an array on the simplex, exactly normalised.

    Raises:
        MixingError: no numbers, another number of weights than of sources, a negative one, or a sum that is not 1.
    """
    try:
        weights_K = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MixingError(f"The weights are {weights!r:.60}, expected a number for each source.") from error
    if not sources or weights_K.shape != (sources,):
        raise MixingError(f"There are {weights_K.size} weights for {sources} sources; give one for each.")
    if not np.isfinite(weights_K).all() or weights_K.min() < 0:
        raise MixingError(f"The weights {weights_K.round(4).tolist()} must be finite and not negative.")
    if abs(weights_K.sum() - 1) > _SUM_TOLERANCE:
        raise MixingError(f"The weights sum to {weights_K.sum():.6g}, expected 1; divide them by their sum.")
    return weights_K / weights_K.sum()


def counts_of(weights: Sequence[float] | Floats, total: int) -> npt.NDArray[np.int64]:
    """Return whole numbers that sum to `total`, each within one of total·w (largest remainders)."""
    check_whole("total", total, 0, kind=MixingError)
    wanted_K = np.asarray(weights, dtype=np.float64) * total
    counts_K = np.floor(wanted_K + 1e-9).astype(np.int64)
    missing = total - int(counts_K.sum())
    counts_K[np.argsort(counts_K - wanted_K, kind="stable")[:missing]] += 1
    return counts_K


def simplex_grid(sources: int, steps: int) -> Floats:
    """Return all mixtures whose weights are multiples of 1/steps, [C(steps + K - 1, K - 1), K]."""
    check_whole("sources", sources, kind=MixingError)
    check_whole("steps", steps, kind=MixingError)
    if sources == 1:
        return np.ones((1, 1))
    parts = [
        np.column_stack([np.full(len(rest), first), rest * (steps - first)])
        for first in range(steps + 1)
        for rest in [simplex_grid(sources - 1, steps - first) if first < steps else np.zeros((1, sources - 1))]
    ]
    return np.vstack(parts) / steps


def draw_table(weights: Sequence[float] | Floats, steps: int, batch_size: int, seed: int) -> Table:
    """Return the source of every row of a run with one mixture, [S, B]: exact counts, random order.

    Raises:
        MixingError: weights off the simplex, or steps, rows or a seed that are no whole numbers.
    """
    for name, value, least in (("steps", steps, 0), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        check_whole(name, value, least, kind=MixingError)
    weights_K = check_mixture(weights, len(np.atleast_1d(weights)))
    flat = np.repeat(np.arange(len(weights_K)), counts_of(weights_K, steps * batch_size))
    return np.random.default_rng(seed).permutation(flat).reshape(steps, batch_size)


class Blend:
    """The batches of a run as a function of the step alone, for `training.train`.

    Args:
        pools: the sources.
        table_SB: the source of every row, from `draw_table` or `blends`.
        seed: of the order of rows inside the sources.
    """

    def __init__(self, pools: Pools, table_SB: Table, seed: int = 0) -> None:
        if np.ndim(table_SB) != 2 or not np.size(table_SB):
            raise MixingError(
                f"The table has the shape {np.shape(table_SB)}, expected steps x rows, from `draw_table`."
            )
        if table_SB.min() < 0 or table_SB.max() >= len(pools.rows):
            raise MixingError(
                f"The table has shape {table_SB.shape} and sources {table_SB.min()} to {table_SB.max()}, "
                f"expected steps x rows of sources 0 to {len(pools.rows) - 1}."
            )
        self.pools = pools
        self.table_SB = table_SB
        self.seed = seed
        self._packed = list(pools.rows.values())
        self._row_SB = self._rows()

    def _rows(self) -> Table:
        """For every place of the table, which row of its source is read there."""
        flat = self.table_SB.ravel()
        rows = np.empty_like(flat)
        for source, packed in enumerate(self._packed):
            mine = np.flatnonzero(flat == source)
            if len(mine):
                # A seed for each source: pools of equal size must not be read in the same order.
                rows[mine] = batch_rows(len(packed), len(mine), self.seed * 1_000_003 + source, 0)
        return rows.reshape(self.table_SB.shape)

    def __call__(self, step: int) -> Batch:
        """Batch number `step`, from 0."""
        picked = [
            (packed.tokens_NL[row], packed.targets_NL[row], packed.document_NL[row])
            for packed, row in zip((self._packed[k] for k in self.table_SB[step]), self._row_SB[step], strict=True)
        ]
        return Batch(*(torch.from_numpy(np.stack(part).astype(np.int64)) for part in zip(*picked, strict=True)))

    @property
    def epochs_K(self) -> Floats:
        """How often the run reads each source."""
        sizes_K = np.array([len(packed) for packed in self._packed])
        return np.bincount(self.table_SB.ravel(), minlength=len(sizes_K)) / sizes_K

    @property
    def fingerprint(self) -> str:
        """Checksums of sources, table and seed, by which a resumed run knows its data again."""
        own = zlib.crc32(np.ascontiguousarray(self.table_SB).data)
        return "-".join([*(packed.fingerprint for packed in self._packed), f"{own:08x}", str(self.seed)])
