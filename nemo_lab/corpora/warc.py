"""WARC and WET archives of web crawls: pages to visible text, one record at a time.

A crawl's archive is the least trusted thing we read. Each record's content is read up to a limit, and pages are
parsed by lxml without network or entities. How an archive is walked is in `warc_stream`, how a record's content
is had whole or not at all in `warc_record`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from nemo_lab.charsets import decode
from nemo_lab.corpora.readers.html import visible_text
from nemo_lab.corpora.warc_record import HTML, TEXT, Archived
from nemo_lab.corpora.warc_stream import Skip, records


def pages(
    file: Path, place: str, skip: Skip, limit: int, passed: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[str, str]]:
    """Yield (address, visible text) of the HTML and plain text pages in a WARC or WET file.

    Args:
        file: the archive, gzipped record by record or not at all.
        place: how log lines call it.
        skip: called with (where, why) for each record that is damaged, too large or not readable.
        limit: bytes of one record's content that are read at most.
        passed: called for each record that is no page, with what it is.
    """
    for record in records(file, place, skip):
        if record.kind not in (HTML, TEXT):
            passed(record.what_else())
            continue
        text, reason = _text(record, limit)
        if reason:
            skip(f"{place} <{record.address}>", reason)
        else:
            yield record.address, text


def _text(record: Archived, limit: int) -> tuple[str, str]:
    """Return a record's text, or an empty one and the reason why there is none."""
    content, reason = record.content(limit)
    if reason:
        return "", reason
    try:
        text = decode(content, record.charset)
    except ValueError as error:
        return "", str(error)
    try:
        return (visible_text(text) if record.kind == HTML else text), ""
    except ValueError:
        return "", "not readable as HTML"
