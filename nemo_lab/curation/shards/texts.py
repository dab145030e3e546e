"""Texts that are out of their pages already: JSON in any layout, compressed or not, as records of the kind of pages.

    {"text": "…", "url": "…"}     # a line, or a value of an array; other names of the columns are those of `records`

Every value comes out, as a page or as damaged with the reason; none longer than the limit is held.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nemo_lab.corpora import compressed
from nemo_lab.corpora.json_values import values
from nemo_lab.curation.pages.page import TEXT_TYPE, Damaged, Page, Record
from nemo_lab.curation.shards.records import URL_COLUMNS

_SUFFIXES = (".jsonl", ".ndjson", ".json")
_TEXT_NAMES = ("text", "raw_content", "content", "html", "body")


def is_json(file: Path) -> bool:
    """Return whether a file's name says that it holds JSON."""
    return compressed.bare_name(file).endswith(_SUFFIXES)


def read(file: Path, limit: int) -> Iterator[Record]:
    """Yield the records of a file of JSON; what cannot be read of it is one damaged record."""
    damaged: list[Damaged] = []
    is_silent = True
    try:
        with compressed.opened(file) as stream:
            found = values(stream, file.name, lambda place, why: damaged.append(Damaged("", place, why)), limit)
            for place, value in found:
                is_silent = False
                yield from damaged
                damaged.clear()
                yield _record(value, place)
    except compressed.DAMAGE as error:
        damaged.append(Damaged("", file.name, compressed.unreadable(error)))
    yield from damaged or ([Damaged("", file.name, "no record in this file")] if is_silent else [])


def _record(row: Any, place: str) -> Record:
    if not isinstance(row, dict):
        return Damaged("", place, "not a JSON object")
    url = next((str(row[name]) for name in URL_COLUMNS if isinstance(row.get(name), str | int)), "")
    found = next((name for name in _TEXT_NAMES if isinstance(row.get(name), str)), "")
    if not found:
        return Damaged(url, place, "no text in this row")
    return Page(row[found].encode("utf-8", "replace"), url, place, TEXT_TYPE if found == "text" else "")
