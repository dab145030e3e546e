"""The files of `nemo-lab extract`: work shards, final shards and the report, and what is decided over all of them.

Parquet with fixed schemas; each file is written under another name and renamed. Duplicates are found by `copies`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from nemo_lab.curation.duplicates.near import BANDS
from nemo_lab.curation.shards import copies
from nemo_lab.files import replaced

KEPT, DUPLICATE, CONTAMINATED, LOW = "kept", "near-duplicate", "quotes a test", "below the score"
LOSSES = (
    "math_nodes",
    "math_spans",
    "code_blocks",
    "code_kept",
    "boilerplate_lines",
    "in_furniture",
    "math_signs",
)
_COUNTS = [(name, pa.int32()) for name in LOSSES]
_IDENTITY = [("url", pa.string()), ("place", pa.string())]
WORK_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("text", pa.string()),
        ("title", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float32()),
        ("failure", pa.string()),
        ("quoted", pa.string()),
        ("bands", pa.binary()),
        ("forms", pa.string()),
        *_COUNTS,
        ("suspected", pa.bool_()),
    ]
)
FINAL_SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        *_IDENTITY,
        ("title", pa.string()),
        ("kind", pa.string()),
        ("score", pa.float32()),
        *_COUNTS,
    ]
)
REPORT_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("outcome", pa.string()),
        ("detail", pa.string()),
        ("score", pa.float32()),
        ("characters", pa.int64()),
        ("forms", pa.string()),
        *_COUNTS,
        ("suspected", pa.bool_()),
    ]
)


def name_of(number: int) -> str:
    """Return the file name of shard `number`."""
    return f"part-{number:05d}.parquet"


def list_in(folder: Path) -> list[Path]:
    """Return the whole shards of a folder in order, up to the first gap."""
    found: list[Path] = []
    while (path := folder / name_of(len(found))).is_file():
        found.append(path)
    return found


def write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows so that `path` is whole or not there."""
    with replaced(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary, compression="zstd")


@contextmanager
def report_to(path: Path, schema: pa.Schema = REPORT_SCHEMA) -> Iterator[pq.ParquetWriter]:
    """Yield the writer of the report, which is written a shard at a time and put in place at the end."""
    with replaced(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        yield writer


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written in a folder that no other run writes to."""
    for leftover in folder.glob(".*.parquet.*.tmp"):
        leftover.unlink()


def duplicate_roots(pieces: Sequence[Path], min_score: float = 0.0) -> NDArray[np.int64]:
    """Return for each record, in order, the number of the record that stays for its group.

    That is the first one of its group. Records that do not stay by themselves join no group, so that no text goes
    because a copy of it was left out, nor because of one that is like a page left out that is like another.
    """
    stays = np.concatenate([_passing(piece, min_score) for piece in pieces]) if pieces else np.zeros(0, dtype=bool)
    return copies.first_of(pieces, "bands", BANDS, stays)


def _passing(piece: Path, min_score: float) -> NDArray[np.bool_]:
    """Return for each record of a work shard whether it stays if it has no copy."""
    rows = pq.read_table(piece, columns=["failure", "quoted", "score"]).to_pylist()
    return np.array([_alone(row, min_score) == KEPT for row in rows], dtype=bool)


def judged(
    piece: Path, start: int, roots: NDArray[np.int64] | None, min_score: float
) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Return a shard's rows of the report, and the rows that stay."""
    rows = pq.read_table(piece).to_pylist()
    report, stay = [], []
    for number, row in enumerate(rows, start):
        outcome, detail = _outcome(row, number, roots, min_score)
        report.append({**row, "outcome": outcome, "detail": detail, "characters": len(row["text"] or "")})
        if outcome == KEPT:
            stay.append({name: row[name] for name in FINAL_SCHEMA.names})
    shown = [{name: row[name] for name in REPORT_SCHEMA.names} for row in report]
    return pa.Table.from_pylist(shown, schema=REPORT_SCHEMA), stay


def _outcome(row: dict[str, Any], number: int, roots: NDArray[np.int64] | None, min_score: float) -> tuple[str, str]:
    outcome = _alone(row, min_score)
    if outcome == KEPT and roots is not None and roots[number] != number:
        return DUPLICATE, f"record {roots[number]}"
    return outcome, row["quoted"] if outcome == CONTAMINATED else ""


def _alone(row: dict[str, Any], min_score: float) -> str:
    """Return what becomes of a record if it has no copy."""
    if row["failure"]:
        return f"failed: {row['failure']}"
    if row["quoted"]:
        return CONTAMINATED
    return LOW if row["score"] < min_score else KEPT
