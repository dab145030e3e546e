"""Rows of parquet files: a text that is not UTF-8 costs its row, not the file."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_lab.corpora.loading import load
from nemo_lab.corpora.tables import rows

TEXTS = ["one", None, "zwei ä", "placeholder", "five"]


def table(tmp_path, kind):
    """A file whose fourth text is broken after it was written, as by a writer that does not check."""
    values = pa.array(TEXTS).cast(kind) if kind != "dictionary" else pa.array(TEXTS).dictionary_encode()
    pq.write_table(pa.table({"text": values, "n": range(5)}), tmp_path / "a.parquet", compression="none")
    content = (tmp_path / "a.parquet").read_bytes().replace(b"placeholder", b"caf\xe9 placeh")
    assert len(content) == (tmp_path / "a.parquet").stat().st_size
    (tmp_path / "a.parquet").write_bytes(content)
    return tmp_path / "a.parquet"


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), "dictionary"])
def test_a_text_that_is_not_utf8_comes_as_bytes(tmp_path, kind):
    found = list(rows(pq.ParquetFile(table(tmp_path, kind)), ["text", "n"], 2))
    assert [row["text"] for row in found] == ["one", None, "zwei ä", b"caf\xe9 placeh", "five"]
    assert [row["n"] for row in found] == [0, 1, 2, 3, 4]


def test_it_is_decoded_as_a_plain_file_is(tmp_path):
    found = load(table(tmp_path, pa.string()))
    assert found["text"][:] == ["one", "zwei ä", "café placeh", "five"]
    assert found["source"][2] == "a.parquet:4"
    assert "1 records skipped (1 × no text in 'text')" in found.info.description


def test_texts_may_be_stored_as_bytes(tmp_path):
    pq.write_table(pa.table({"text": [b"plain", bytes(range(256)) * 9]}), tmp_path / "a.parquet")
    found = load(tmp_path / "a.parquet")
    assert found["text"][:] == ["plain"]
    assert "if it is text, save it as UTF-8" in found.info.description


def test_damage_is_an_os_error(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{n} {n**9}" for n in range(3000)]}), path, compression="none")
    content = bytearray(path.read_bytes())
    content[4:300] = b"\xff" * 296
    path.write_bytes(content)
    with pytest.raises(OSError, match=r".+"):
        list(rows(pq.ParquetFile(path), ["text"], 100))
