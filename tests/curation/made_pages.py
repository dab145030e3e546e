"""Pages and archives that the tests of curation share."""

import io
from collections.abc import Iterable
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

PROSE = "Let us consider the function that is defined by the formula, and note that it is continuous because {}. "


def page(body: str, title: str = "A page") -> str:
    """A small page with a body."""
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"


def article(number: int) -> str:
    """A page of mathematics, different for each number, with a formula and a block of code."""
    words = " ".join(f"the value of term {number * 31 + at} in row {at * number} is known" for at in range(12))
    return page(
        f"<h1>Series {number}</h1><p>{PROSE.format(words)}</p><p>Then \\(x_{{{number}}}^2 = {number}\\) holds.</p>"
        f"<pre>def f(x):\n    return x + {number}\n</pre>",
        f"Series {number}",
    )


def write_warc(path: Path, pages: Iterable[tuple[str, bytes]], content_type: str = "text/html; charset=utf-8") -> Path:
    """A gzipped WARC archive of responses."""
    with path.open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        writer.write_record(writer.create_warcinfo_record(path.name, {"software": "test"}))
        for url, content in pages:
            headers = StatusAndHeaders("200 OK", [("Content-Type", content_type)], protocol="HTTP/1.0")
            record = writer.create_warc_record(url, "response", payload=io.BytesIO(content), http_headers=headers)
            writer.write_record(record)
    return path
