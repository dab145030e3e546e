"""Files of shards: whole or not there, and what a killed run left goes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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
