"""Text from local files: JSON, parquet, plain text and WARC, compressed or not, and folders of them.

The files may come from anywhere, so they are read in a stream, with size limits, and a record that cannot be
read is counted, logged with the place where it stands, and passed over; so is a file of a folder that is of another
kind. The last log line says how many were read, skipped and left out, and the data set's `info.description` keeps
that sentence.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_lab.charsets import NotText, decode
from nemo_lab.corpora import compressed
from nemo_lab.corpora.documents import clean
from nemo_lab.corpora.json_values import values
from nemo_lab.corpora.store import identity, schema
from nemo_lab.corpora.tables import rows
from nemo_lab.errors import LabError

if TYPE_CHECKING:
    from datasets import Dataset

RECORD_LIMIT = 16 * 2**20  # bytes of one record's text or page
_LICENCE = "not stated (own files)"
_ABOUT = ("id", "url", "licence", "license")  # columns that are kept with the text
_NAMED = 5  # files that the summary names for each reason; the log names all
_COLUMNS = 20  # columns that a sentence names
_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What was read and what was not, over all files of one call."""

    read: int = 0
    skipped: int = 0
    files: int = 0
    broken: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)

    def skip(self, place: str, reason: str) -> None:
        """Count and log a record that cannot be used; `place` names it for whoever wants to look."""
        self.skipped += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        _log.warning("Skipped %s: %s", place, reason)

    def pass_over(self, what: str) -> None:
        """Count a record of an archive that is no page, by what it is."""
        self.passed[what] = self.passed.get(what, 0) + 1

    def leave(self, place: str, reason: str) -> None:
        """Note and log a file that is not read at all."""
        self.left.setdefault(reason, []).append(place)
        _log.warning("Left out %s: %s", place, reason)

    @property
    def noted(self) -> int:
        """How much was said of what is not read."""
        return self.skipped + sum(self.passed.values()) + sum(map(len, self.left.values()))

    def sentence(self) -> str:
        """Return the summary of the call."""
        why = "; ".join(f"{count} × {reason}" for reason, count in sorted(self.reasons.items()))
        parts = [f"{self.read} documents from {self.files} files, {self.skipped} records skipped"]
        parts[0] += f" ({why})" if why else ""
        if self.left:
            parts.append(f"{sum(map(len, self.left.values()))} files left out ({self.left_out()})")
        if self.passed:
            what = ", ".join(f"{count} × {name}" for name, count in sorted(self.passed.items()))
            parts.append(f"{sum(self.passed.values())} records that are no pages ({what})")
        if self.broken:
            parts.append(f"{self.broken} documents with broken characters (U+FFFD)")
        return "; ".join(parts)

    def left_out(self) -> str:
        """Return which files were not read and why, by reason, the first ones by name."""
        return "; ".join(f"{_few(names)}: {reason}" for reason, names in sorted(self.left.items()))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


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

    tally = Tally()
    files = _files(path, tally)
    found = []
    for record in _limited((one for file in files for one in _records(file, path, text_column, tally)), limit):
        tally.read += 1
        found.append(_row(record))
    _log.info("%s: %s", path.name, tally.sentence())
    if not found:
        raise LabError(f"{str(path)!r} holds no readable document: {tally.sentence()}.")
    import pyarrow as pa

    dataset = Dataset(pa.Table.from_pylist(found, schema=schema()))
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


def _files(path: Path, tally: Tally) -> list[Path]:
    """Return the files to read: the path itself, or those of a known kind under it; `tally` hears of the others."""
    if path.is_file():
        if _reader(path) is None:
            raise LabError(f"{path.name!r} is {_other_kind(path)}; {_READABLE}.")
        return [path]
    inside = sorted(file for file in path.rglob("*") if not file.is_dir())
    found = [file for file in inside if file.is_file() and _reader(file)]
    for file in sorted(set(inside) - set(found)):
        tally.leave(str(file.relative_to(path)), _other_kind(file) if file.is_file() else "no file or a broken link")
    if not found:
        others = f" ({tally.left_out()})" if tally.left else ""
        raise LabError(f"No file under {str(path)!r} can be read{others}; {_READABLE}.")
    return found


def _other_kind(file: Path) -> str:
    """Return what a file is that is not read."""
    suffix = Path(compressed.bare_name(file)).suffix
    return next((said for suffixes, said in _OTHERS.items() if suffix in suffixes.split()), "of no known kind")


def _records(file: Path, root: Path, column: str, tally: Tally) -> Iterator[FileRecord]:
    """Yield a file's usable documents; an unreadable rest of the file is one skipped record."""
    tally.files += 1
    place = str(file.relative_to(root)) if root.is_dir() else file.name
    reader, before, is_silent = _reader(file), tally.noted, True
    try:
        for record in reader(file, place, column, tally) if reader else ():
            is_silent = False
            yield from _usable(record, tally)
    except _NoColumn as error:
        if not root.is_dir():
            raise
        tally.files -= 1
        tally.leave(place, str(error))
    except compressed.DAMAGE as error:
        tally.skip(place, compressed.unreadable(error))
    if is_silent and tally.noted == before:
        tally.files -= 1
        tally.leave(place, "no text in it" if file.stat().st_size else "an empty file")


def _usable(record: FileRecord, tally: Tally) -> Iterator[FileRecord]:
    """Yield the record, cleaned, unless nothing is left of it or it is too long."""
    text = clean(record.text)
    if len(text.encode("utf-8")) > RECORD_LIMIT:
        tally.skip(record.source, f"longer than {RECORD_LIMIT:,} bytes")
    elif text:
        tally.broken += "\ufffd" in text
        yield FileRecord(text, record.source, record.id, record.licence)
    else:
        tally.skip(record.source, "no text")


def _json(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    is_first = True
    with compressed.opened(file) as stream:
        for spot, row in values(stream, place, tally.skip, RECORD_LIMIT):
            if not isinstance(row, dict):
                tally.skip(spot, "not a JSON object")
                continue
            if column not in row and is_first:
                raise _NoColumn(no_column(column, list(row), spot))
            is_first = False
            if isinstance(row.get(column), str):
                yield _named(row, column, spot)
            else:
                tally.skip(spot, f"no text in {column!r}")


def _named(row: dict[str, Any], column: str, spot: str) -> FileRecord:
    """Make a record of a row; its own id (or address) and licence are kept when it has them."""
    own = next((str(row[key]) for key in ("id", "url") if row.get(key)), "")
    return FileRecord(row[column], spot, own, str(row.get("licence") or row.get("license") or _LICENCE))


def _parquet(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
    except pa.ArrowException as error:
        raise OSError(str(error)) from error
    names = table.schema_arrow.names
    if column not in names:
        raise _NoColumn(no_column(column, names, place))
    for number, row in enumerate(rows(table, [n for n in names if n in (column, *_ABOUT)], 1000), 1):
        spot = f"{place}:{number}"
        if isinstance(row[column], bytes):
            row[column] = _decoded(row[column], spot, tally)
        elif not isinstance(row[column], str):
            tally.skip(spot, f"no text in {column!r}")
        if isinstance(row[column], str):
            yield _named(row, column, spot)


def _text(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    """Yield a plain text file as one document."""
    with compressed.opened(file) as stream:
        content = stream.read(RECORD_LIMIT + 1)
    if len(content) > RECORD_LIMIT:
        tally.skip(place, f"longer than {RECORD_LIMIT:,} bytes")
    elif text := clean(_decoded(content, place, tally) or ""):
        yield FileRecord(text, place)


def _decoded(content: bytes, spot: str, tally: Tally) -> str | None:
    """Return the text of some bytes, or None after the reason why there is none is noted."""
    try:
        return decode(content)
    except NotText as error:
        tally.skip(spot, f"{error}; if it is text, save it as UTF-8")
        return None


def _warc(file: Path, place: str, column: str, tally: Tally) -> Iterator[FileRecord]:
    from nemo_lab.corpora.warc import pages

    for address, text in pages(file, place, tally.skip, RECORD_LIMIT, tally.pass_over):
        yield FileRecord(text, f"{address}, {place}")


def no_column(column: str, names: list[str], place: str) -> str:
    """Return the sentence for a missing text column."""
    shown = ", ".join(names[:_COLUMNS]) + (f" and {len(names) - _COLUMNS} more" if len(names) > _COLUMNS else "")
    return f"{place} has no column {column!r}; its columns are {shown or 'none'}: choose with text_column=…."


class _NoColumn(LabError):
    """A file without the column of texts: refused by itself, left out of a folder."""


_Reader = Callable[[Path, str, str, Tally], Iterator[FileRecord]]
_READERS: dict[str, _Reader] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".parquet": _parquet,
    ".txt": _text,
    ".md": _text,
    ".rst": _text,
    ".text": _text,
    ".warc": _warc,
    ".wet": _warc,
}
_READABLE = f"readable are {', '.join(_READERS)}, all but parquet also compressed ({', '.join(compressed.SUFFIXES)})"
_OTHERS = {
    ".html .htm .xhtml .shtml": "a web page, which `nemo-lab extract` makes text of",
    ".csv .tsv .xls .xlsx": "a table; write it as jsonl or parquet",
    ".zip .tar .tgz .tbz2 .txz .7z .rar": "an archive; unpack it",
    ".arrow .feather": "a table of Arrow; what datasets saved is read as 'hf:FOLDER'",
    ".pdf .doc .docx .odt .rtf .epub .ps .djvu": "a document that needs a converter to text",
    ".parquet": "parquet inside another compression; unpack it",
}


def _reader(file: Path) -> _Reader | None:
    name = compressed.bare_name(file)
    if name.endswith(".parquet") and name != file.name.lower():
        return None
    return _READERS.get(Path(name).suffix)
