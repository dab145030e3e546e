"""Copies among all records of a run, found from keys that work shards hold, without their texts.

A key is 8 bytes; a column holds one for exact copies (a digest of the text) or several for near ones (a band of the
signature each, `duplicates.near`). One place of the column is read at a time for all records, sorted, and equal
neighbours are joined, so that a million records take tens of megabytes. Records that are left out for another reason
join nothing: no text goes because a copy of it was left out, and no two texts are one group because a third, which is
left out, is like both.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nemo_lab.corpora.groups import Groups

WIDTH = 8  # bytes of a key


def first_of(pieces: Sequence[Path], column: str, places: int, stays: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each record, in order, the number of the first record of its group; records that go are alone.

    Args:
        pieces: work shards, in order.
        column: bytes of `places` keys, or null where there is no text.
        stays: for each record, whether it may join others.
    """
    groups = Groups(len(stays))
    for place in range(places):
        keys, numbers = _keys(pieces, column, place, stays)
        order = np.argsort(keys, kind="stable")
        keys, numbers = keys[order], numbers[order]
        for at in np.flatnonzero(keys[1:] == keys[:-1]).tolist():
            groups.join(int(numbers[at]), int(numbers[at + 1]))
    return np.array(groups.roots(), dtype=np.int64)


def _keys(
    pieces: Sequence[Path], column: str, place: int, stays: NDArray[np.bool_]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys of one place of the column, and the numbers of their records."""
    keys, numbers = bytearray(), []
    for number, value in enumerate(_values(pieces, column)):
        if value and stays[number]:
            keys += value[WIDTH * place : WIDTH * (place + 1)]
            numbers.append(number)
    return np.frombuffer(bytes(keys), dtype=np.uint64), np.array(numbers, dtype=np.int64)


def _values(pieces: Sequence[Path], column: str) -> Iterator[bytes | None]:
    for piece in pieces:
        yield from pq.read_table(piece, columns=[column])[column].to_pylist()
