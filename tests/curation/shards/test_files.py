"""Files of shards: whole or not there, and what a killed run left goes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_lab.curation.duplicates.near import BANDS
from nemo_lab.curation.shards import files

ROW = dict.fromkeys(files.REPORT_SCHEMA.names) | {"url": "http://a", "outcome": files.KEPT}


def rows(count: int) -> pa.Table:
    return pa.Table.from_pylist([ROW] * count, schema=files.REPORT_SCHEMA)


def test_a_report_of_several_shards_is_one_file(tmp_path: Path) -> None:
    with files.report_to(tmp_path / "report.parquet") as report:
        report.write_table(rows(2))
        assert not (tmp_path / "report.parquet").exists()
        report.write_table(rows(3))
    assert pq.read_table(tmp_path / "report.parquet").num_rows == 5
    assert [path.name for path in tmp_path.iterdir()] == ["report.parquet"]


def test_a_report_that_ends_in_an_error_leaves_the_old_one(tmp_path: Path) -> None:
    with files.report_to(tmp_path / "report.parquet") as report:
        report.write_table(rows(2))

    def fail() -> None:
        with files.report_to(tmp_path / "report.parquet") as again:
            again.write_table(rows(9))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert pq.read_table(tmp_path / "report.parquet").num_rows == 2
    assert [path.name for path in tmp_path.iterdir()] == ["report.parquet"]


def test_only_half_written_shards_are_swept(tmp_path: Path) -> None:
    for name in (".part-00000.parquet.0a1b.tmp", ".report.parquet.2c.tmp", "part-00000.parquet", ".mine.tmp"):
        (tmp_path / name).touch()
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine.tmp", "part-00000.parquet"]


# --- groups of copies


def work_row(name: str, *shared: str, **change: object) -> dict[str, object]:
    """A row whose first bands have these keys; the others are its own."""
    own = [f"{name}{band:03}".ljust(8) for band in range(len(shared), BANDS)]
    bands = "".join([*(key.ljust(8) for key in shared), *own]).encode()
    row = dict.fromkeys(files.WORK_SCHEMA.names, 0)
    texts = ("url", "place", "text", "title", "kind", "failure", "quoted", "forms")
    return row | dict.fromkeys(texts, "") | {"score": 2.0, "bands": bands, "suspected": False} | change


@pytest.mark.parametrize(
    ("change", "roots"),
    [
        ({}, [0, 0, 0]),
        ({"quoted": "a test"}, [0, 1, 2]),
        ({"score": 0.5}, [0, 1, 2]),
        ({"failure": "no text", "bands": None}, [0, 1, 2]),
    ],
)
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
def test_copies_are_not_joined_through_a_page_that_is_left_out(tmp_path: Path, change, roots, order) -> None:
    rows = [work_row("A", "one"), work_row("B", "one", "two", **change), work_row("C", "c", "two")]
    files.write(tmp_path / files.name_of(0), [rows[number] for number in order], files.WORK_SCHEMA)
    assert files.duplicate_roots(files.list_in(tmp_path), 1.0).tolist() == roots


def test_copies_of_a_page_that_is_left_out_are_copies_of_each_other(tmp_path: Path) -> None:
    rows = [work_row("A", "one", quoted="a test"), work_row("B", "one"), work_row("C", "one")]
    files.write(tmp_path / files.name_of(0), rows, files.WORK_SCHEMA)
    pieces = files.list_in(tmp_path)
    roots = files.duplicate_roots(pieces)
    assert roots.tolist() == [0, 1, 1]
    report, stay = files.judged(pieces[0], 0, roots, 0.0)
    assert report["outcome"].to_pylist() == ["quotes a test", "kept", "near-duplicate"]
    assert report["detail"].to_pylist() == ["a test", "", "record 1"]
    assert len(stay) == 1
    assert files.duplicate_roots([]).tolist() == []
