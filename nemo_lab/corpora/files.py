"""Text from local files: jsonl, parquet, plain text and WARC, gzipped or not, and folders of them.

The files may come from anywhere, so they are read in a stream, with size limits, and a record that cannot be
read is counted, logged with the place where it stands, and passed over. The last log line says how many were
read and how many were not, and the data set's `info.description` keeps that sentence.
"""

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_lab.corpora.documents import clean
from nemo_lab.corpora.store import identity, schema
from nemo_lab.errors import LabError

if TYPE_CHECKING:
    from datasets import Dataset

RECORD_LIMIT = 16 * 2**20  # bytes of one record's text or page
_LICENCE = "not stated (own files)"
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What was read and what was not, over all files of one call."""

    read: int = 0
    skipped: int = 0
    files: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def skip(self, place: str, reason: str) -> None:
        """Count and log a record that cannot be used; `place` names it for whoever wants to look."""
        self.skipped += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        _log.warning("Skipped %s: %s", place, reason)

    def sentence(self) -> str:
        """Return the summary of the call."""
        why = "; ".join(f"{count} × {reason}" for reason, count in sorted(self.reasons.items()))
        return f"{self.read} documents from {self.files} files, {self.skipped} records skipped" + (
            f" ({why})" if why else ""
        )


@dataclass(frozen=True)
class FileRecord:
    """One document of a file: its text, where it stands, and what the file says of its id and licence."""

    text: str
    source: str
    id: str = ""
    licence: str = _LICENCE


def read_files(path: Path, text_column: str = "text", limit: int | None = None) -> "Dataset":
    """Return the documents of a file, or of all readable files under a folder in the order of their names.

    Raises:
        LabError: no file of a known kind, no such column, or not one readable document.
    """
    from datasets import Dataset

    files = _files(path)
    tally = Tally()
    rows = []
    for record in _limited((found for file in files for found in _records(file, path, text_column, tally)), limit):
        tally.read += 1
        rows.append(_row(record))
    _log.info("%s: %s", path.name, tally.sentence())
    if not rows:
        raise LabError(f"{str(path)!r} holds no readable document: {tally.sentence()}.")
    import pyarrow as pa

    dataset = Dataset(pa.Table.from_pylist(rows, schema=schema()))
    dataset.info.description = tally.sentence()
    return dataset


def _row(record: FileRecord) -> dict[str, str]:
    own = identity("local", record.text)
    return {"id": record.id or own, "text": record.text, "source": record.source, "licence": record.licence}


def _limited(records: Iterator[FileRecord], limit: int | None) -> Iterator[FileRecord]:
    for count, record in enumerate(records):
        if limit is not None and count >= limit:
            return
        yield record


def _files(path: Path) -> list[Path]:
    """Return the files to read: the path itself, or every file of a known kind under it."""
    if path.is_file():
        if _reader(path) is None:
            raise LabError(f"{path.name!r} is of no known kind; readable are {', '.join(_READERS)}, gzipped or not.")
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and _reader(file))
    if not found:
        raise LabError(f"No file under {str(path)!r} can be read; readable are {', '.join(_READERS)}, gzipped or not.")
    return found


def _records(file: Path, root: Path, column: str, tally: Tally) -> Iterator[FileRecord]:
    """Yield a file's usable documents; an unreadable rest of the file is one skipped record."""
    tally.files += 1
    place = str(file.relative_to(root)) if root.is_dir() else file.name
    reader = _reader(file)
    try:
        for record in reader(file, place, column, tally) if reader else ():
            text = clean(record.text)
            if len(text.encode("utf-8")) > RECORD_LIMIT:
                tally.skip(record.source, f"longer than {RECORD_LIMIT:,} bytes")
            elif text:
                yield FileRecord(text, record.source, record.id, record.licence)
    except (OSError, EOFError) as error:
        tally.skip(place, f"file not readable from here on ({type(error).__name__})")


def _lines(file: Path, place: str, tally: Tally) -> Iterator[tuple[str, bytes]]:
    """Yield (place, line) of a file, gzipped or not; a line over the limit is skipped without being held."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
        number = 0
        while line := stream.readline(RECORD_LIMIT):
            number += 1
            if not line.endswith(b"\n") and len(line) == RECORD_LIMIT:
                tally.skip(f"{place}:{number}", f"longer than {RECORD_LIMIT:,} bytes")
                while (rest := stream.readline(RECORD_LIMIT)) and not rest.endswith(b"\n"):
                    pass
                continue
            yield f"{place}:{number}", line


def _jsonl(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    for spot, line in _lines(file, place, tally):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            tally.skip(spot, "not JSON")
            continue
        if not isinstance(row, dict):
            tally.skip(spot, "not a JSON object")
        elif column not in row and not tally.read:
            raise LabError(no_column(column, list(row), spot))
        elif not isinstance(row.get(column), str):
            tally.skip(spot, f"no text in {column!r}")
        else:
            yield _named(row, column, spot)


def _named(row: dict[str, Any], column: str, spot: str) -> FileRecord:
    """Make a record of a row; its own id (or address) and licence are kept when it has them."""
    own = next((str(row[key]) for key in ("id", "url") if row.get(key)), "")
    return FileRecord(row[column], spot, own, str(row.get("licence") or row.get("license") or _LICENCE))


def _parquet(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from error
    names = table.schema_arrow.names
    if column not in names:
        raise LabError(no_column(column, names, place))
    number = 0
    for batch in table.iter_batches(
        1000, columns=[n for n in names if n in (column, "id", "url", "licence", "license")]
    ):
        for row in batch.to_pylist():
            number += 1
            if isinstance(row[column], str):
                yield _named(row, column, f"{place}:{number}")
            else:
                tally.skip(f"{place}:{number}", f"no text in {column!r}")


def _text(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    """Yield a plain text file as one document."""
    with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as stream:
        content = stream.read(RECORD_LIMIT + 1)
    yield FileRecord(content.decode("utf-8", "replace"), place)


def _warc(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    from nemo_lab.corpora.warc import pages

    for address, text in pages(file, place, tally.skip, RECORD_LIMIT):
        yield FileRecord(text, f"{address}, {place}")


def no_column(column: str, names: list[str], place: str) -> str:
    """Return the sentence for a missing text column."""
    return f"{place} has no column {column!r}; its columns are {', '.join(names)}: choose with text_column=…."


_Reader = Callable[[Path, str, str, Tally], Iterator[FileRecord]]
_READERS: dict[str, _Reader] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
    ".txt": _text,
    ".md": _text,
    ".rst": _text,
    ".text": _text,
    ".warc": _warc,
    ".wet": _warc,
}


def _reader(file: Path) -> _Reader | None:
    name = file.name.lower().removesuffix(".gz")
    if name.endswith(".parquet") and file.suffix == ".gz":
        return None
    return _READERS.get(Path(name).suffix)
