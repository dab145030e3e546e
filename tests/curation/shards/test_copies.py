"""Groups of copies from keys on disk: the first that stays, whatever is between."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_lab.curation.duplicates import near
from nemo_lab.curation.shards import copies
from nemo_lab.curation.shards.workers import bands
from tests.curation.shards.web_pages import prose


def pieces(folder: Path, values: list[bytes | None], size: int = 2) -> list[Path]:
    """Shards of so many rows with a column of keys."""
    found = []
    for start in range(0, len(values), size):
        found.append(folder / f"part-{start}.parquet")
        pq.write_table(pa.table({"keys": pa.array(values[start : start + size], pa.binary())}), found[-1])
    return found


def key(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "big") for number in numbers)


def first(folder: Path, values: list[bytes | None], places: int, stays: list[bool] | None = None) -> list[int]:
    going = np.ones(len(values), dtype=bool) if stays is None else np.array(stays)
    return copies.first_of(pieces(folder, values), "keys", places, going).tolist()


def test_equal_keys_are_one_group_over_shards(tmp_path: Path) -> None:
    assert first(tmp_path, [key(1), key(2), None, key(1), key(2), None, key(1)], 1) == [0, 1, 2, 0, 1, 5, 0]


def test_any_place_joins_and_places_are_apart(tmp_path: Path) -> None:
    assert first(tmp_path, [key(1, 2), key(3, 2), key(3, 4), key(4, 3), key(2, 1)], 2) == [0, 0, 0, 3, 4]


@pytest.mark.parametrize(
    ("stays", "expected"),
    [([True, True, True], [0, 0, 0]), ([True, False, True], [0, 1, 2]), ([False, True, True], [0, 1, 1])],
)
def test_records_that_go_join_nothing(tmp_path: Path, stays: list[bool], expected: list[int]) -> None:
    """The middle one is like both others, which are not like each other."""
    assert first(tmp_path, [key(1, 2), key(3, 2), key(3, 4)], 2, stays) == expected


def test_no_records(tmp_path: Path) -> None:
    assert first(tmp_path, [], 20) == []


def test_groups_are_those_of_the_index_in_memory(tmp_path: Path) -> None:
    texts = [prose(n) for n in range(6)]
    texts += [texts[2].replace(" the ", " a ", 1), texts[4] + " An end.", texts[2], "", prose(9)]
    values = [bands(text) for text in texts]
    assert first(tmp_path, list(values), near.BANDS) == near.duplicate_groups(texts)
