"""Rows of parquet files that nobody here wrote: texts that are not UTF-8 come as bytes, not as an error.

Parquet stores bytes and a promise that they are UTF-8. pyarrow checks it value by value and gives up on the whole
batch; so texts are read as bytes and decoded one by one.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def rows(table: "pq.ParquetFile", columns: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of some columns, `size` of them in memory at a time; a text that is not UTF-8 comes as bytes.

    Raises:
        OSError: the file is damaged from here on.
    """
    import pyarrow as pa

    try:
        for batch in table.iter_batches(size, columns=list(columns)):
            values = [_values(column) for column in batch.columns]
            for row in zip(*values, strict=True):
                yield dict(zip(batch.schema.names, row, strict=True))
    except (pa.ArrowException, UnicodeError) as error:
        raise OSError(str(error)) from error


def _values(column: "pa.Array") -> list[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]
    found: list[Any] = column.to_pylist()
    return found


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return value
