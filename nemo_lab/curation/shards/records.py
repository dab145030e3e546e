"""Raw pages out of WARC archives, folders and parquet files, one at a time and never decoded here.

Every record that should have been a page comes out, either as a `Page` or as a `Damaged` one with the reason, so
that a report can name what was lost. Records of a crawl that are no pages (requests, images, redirects) are
counted by what they are. Nothing is held longer than one record, and no record longer than `limit` bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nemo_lab.corpora import compressed
from nemo_lab.corpora.tables import rows
from nemo_lab.corpora.warc_record import NOTEBOOK, TEXT, Archived
from nemo_lab.corpora.warc_stream import records
from nemo_lab.curation.pages.page import TEXT_TYPE, Damaged, Page, Record
from nemo_lab.errors import LabError, check_path

LIMIT = 16 * 2**20  # bytes of one page
_PAGES = frozenset((".html", ".htm", ".xhtml", ".shtml", ".ipynb", ".txt", ".md"))
_HTML_COLUMNS = ("html", "content", "raw_content", "body", "text")
_NOTEBOOK = "application/x-ipynb+json"
_KNOWN = f".warc, .warc.gz, .warc.zst, .wet, .wet.gz, .parquet and {', '.join(sorted(_PAGES))}"
URL_COLUMNS = ("url", "uri", "warc_target_uri", "id")

Also = Callable[[Path], bool]


def inputs(paths: Sequence[str | Path], also: Also = lambda _: False) -> list[Path]:
    """Return the files to read, those of folders in the order of their names.

    Args:
        also: says of a file that is none of these whether it is taken as well.

    Raises:
        LabError: no path, one that is not there or of no known kind, or a folder without pages.
    """
    if not isinstance(paths, Sequence) or isinstance(paths, str | bytes) or not paths:
        raise LabError(f"paths are {paths!r:.60}, expected a list of files and folders, at least one.")
    found: list[Path] = []
    for path in (check_path("path", one) for one in paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _is_input(file, also))
            if not inside:
                raise LabError(f"No page under {str(path)!r}; readable are {_KNOWN}.")
            found += inside
        elif not path.is_file():
            raise LabError(
                f"There is no file or folder {str(path)!r}; give WARC files, parquet files, pages or folders of them."
            )
        elif not _kind(path) and not also(path):
            raise LabError(f"{path.name!r} is of no known kind; readable are {_KNOWN}.")
        else:
            found.append(path)
    return found


def others(paths: Sequence[str | Path], also: Also = lambda _: False) -> Counter[str]:
    """Return how many files under folders among the paths are not read, by what they are; `also` as for `inputs`."""
    folders = [path for path in map(Path, paths) if path.is_dir()]
    found = (
        file for folder in folders for file in folder.rglob("*") if not file.is_dir() and not _is_input(file, also)
    )
    return Counter(_other_kind(file) for file in found)


def _is_input(file: Path, also: Also) -> bool:
    return file.is_file() and not file.is_symlink() and (bool(_kind(file)) or also(file))


def _other_kind(file: Path) -> str:
    if file.is_symlink():
        return "files that are links"
    return f"files of no known kind ({file.suffix.lower()[:20] or 'no suffix'})"


def _kind(file: Path) -> str:
    name = file.name.lower()
    if compressed.bare_name(file).endswith((".warc", ".wet")):
        return "warc"
    if name.endswith(".parquet"):
        return "parquet"
    return "page" if Path(name).suffix in _PAGES else ""


def read(file: Path, passed: Counter[str], limit: int = LIMIT) -> Iterator[Record]:
    """Yield the records of one file; `passed` counts what is no page, by what it is."""
    kind = _kind(file)
    if kind == "warc":
        yield from _warc(file, passed, limit)
    elif kind == "parquet":
        yield from _parquet(file, limit)
    else:
        yield _page(file, limit)


def _page(file: Path, limit: int) -> Record:
    try:
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        return Damaged("", str(file), f"not readable ({type(error).__name__})")
    kind = _NOTEBOOK if file.suffix.lower() == ".ipynb" else ""
    return _limited(Page(content, file.name, str(file), kind), limit)


def _limited(page: Page, limit: int) -> Record:
    if len(page.content) > limit:
        return Damaged(page.url, page.place, f"longer than {limit:,} bytes")
    return page


def _warc(file: Path, passed: Counter[str], limit: int) -> Iterator[Record]:
    try:
        yield from _archived(file, passed, limit)
    except OSError as error:
        yield Damaged("", file.name, compressed.unreadable(error))


def _archived(file: Path, passed: Counter[str], limit: int) -> Iterator[Record]:
    damaged: list[Damaged] = []
    found = records(file, file.name, lambda place, reason: damaged.append(Damaged("", place, reason)))
    for number, record in enumerate(found, 1):
        yield from damaged
        damaged.clear()
        if record.kind:
            yield _response(record, f"{file.name}#{number}", limit)
        else:
            passed[record.what_else()] += 1
    yield from damaged


def _response(record: Archived, place: str, limit: int) -> Record:
    content, reason = record.content(limit)
    if reason:
        return Damaged(record.address, place, reason)
    return Page(content, record.address, place, _media_type(record), record.charset)


def _media_type(record: Archived) -> str:
    if record.kind == NOTEBOOK:
        return _NOTEBOOK
    return TEXT_TYPE if record.kind == TEXT and record.is_conversion else record.media_type


def _parquet(file: Path, limit: int) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        column = next((name for name in _HTML_COLUMNS if name in names), None)
        address = next((name for name in URL_COLUMNS if name in names), None)
        if column is None:
            raise LabError(
                f"{file.name} has no column of pages; its columns are {', '.join(names)}, "
                f"expected one of {', '.join(_HTML_COLUMNS)}."
            )
        kind = TEXT_TYPE if column == "text" else ""
        if not table.metadata.num_rows:
            yield Damaged("", file.name, "no record in this file")
        for number, row in enumerate(rows(table, [column, *([address] if address else [])], 64), 1):
            url = str(row[address] or "") if address else ""
            yield _row(row[column], url, f"{file.name}#{number}", limit, kind)
    except (pa.ArrowException, OSError) as error:
        yield Damaged("", file.name, f"file not readable from here on ({type(error).__name__})")


def _row(value: Any, url: str, place: str, limit: int, kind: str = "") -> Record:
    if not isinstance(value, str | bytes):
        return Damaged(url, place, "no page in this row")
    content = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return _limited(Page(content, url, place, kind), limit)
