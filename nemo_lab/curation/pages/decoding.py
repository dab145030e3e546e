"""Bytes of a web record to text, and what kind of document they are.

The order is the released pipeline's: UTF-8 first, then detection. In between stands what the page or its server
declares, because a declared Shift-JIS beats a guess; a byte order mark beats all. What decodes only with
replacement characters, or holds the control characters of binary formats, is no text and is refused.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from nemo_lab.errors import LabError

HTML, NOTEBOOK, TEXT = "html", "notebook", "text"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_MAGIC = (
    b"%PDF-",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"\x7fELF",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"RIFF",
    b"\xd0\xcf\x11\xe0",
    b"MZ\x90",
)
_HTML_START = re.compile(
    r"<(?:!doctype\s+html|html|head|body|title|meta|div|p|span|table|h[1-6]|article|section|ul|ol|a|br|math|pre)\b",
    re.IGNORECASE,
)
# Encodings that pages may name; not among them are Python's others, such as punycode, whose decoder is quadratic.
_ENCODINGS = re.compile(r"utf-?(?:8|16|32)|iso8859|cp\d|koi8|gb|hz|big5|euc|shift_jis|iso2022|mac|tis-620|ascii|johab")
_AS_BROWSERS = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
}
_SINGLE_BYTE = re.compile(r"cp125\d|iso8859|latin|mac|cp\d{3}$")
_FEW_SIGNS = 256  # bytes beyond ASCII
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SAMPLE = 4096
_DETECT = 65_536  # bytes that detection looks at


class NotText(LabError):
    """Content that is not a text document; says why in a few words."""


def decode(content: bytes, charset: str = "") -> str:
    """Return the text of a document's bytes; `charset` is what its server declared.

    Raises:
        NotText: no bytes, binary content, or no encoding fits.
    """
    if not isinstance(content, bytes):
        raise NotText(f"a {type(content).__name__} and no bytes")
    if content.startswith(_MAGIC):
        raise NotText("binary content")
    for text in _attempts(content, charset):
        if text is not None:
            return _checked(text)
    raise NotText("no known encoding fits")


def _attempts(content: bytes, charset: str) -> Iterator[str | None]:
    """Yield the text by mark, UTF-8, declaration, detection; None where one does not fit."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            yield _strict(content, name)
    yield _strict(content, "utf-8")
    declared = _META.search(content[:_SAMPLE])
    inside = (declared[1] or declared[2]).decode("ascii", "replace") if declared else ""
    for name in filter(None, (charset, inside)):
        yield _strict(content, _AS_BROWSERS.get(name.lower(), name))
    yield _mostly(content)
    yield _detected(content)


def _strict(content: bytes, name: str) -> str | None:
    """Decode by one of the encodings that pages may name; other codecs of Python are not offered to them."""
    try:
        known = _ENCODINGS.match(codecs.lookup(name).name)
        return content.decode(name) if known else None
    except (LookupError, UnicodeError, ValueError):
        return None


def _mostly(content: bytes) -> str | None:
    """Return UTF-8 with a few broken bytes as such: at most three, or one in 200 of those beyond ASCII."""
    text = content.decode("utf-8", "replace")
    broken, beyond = text.count("\ufffd"), sum(byte > 127 for byte in content[:_DETECT])
    return text if 4 * broken < beyond and broken <= max(3, beyond // 200) else None


def _detected(content: bytes) -> str | None:
    """Guess; with few signs to go by, a single-byte guess becomes Windows-1252, as browsers take it."""
    from charset_normalizer import from_bytes

    best = from_bytes(content[:_DETECT]).best()
    if best is None:
        return None
    signs = sum(byte > 127 for byte in content[:_DETECT])
    words = re.findall(rb"[A-Za-z\x80-\xff]+", re.sub(rb"<[^<>]*>", b"", content[:_DETECT]))
    foreign = sum(len(word) > 2 and min(word) > 127 for word in words)  # whole words of them: no Latin script
    if signs < _FEW_SIGNS and 3 * foreign < len(words) and _SINGLE_BYTE.match(best.encoding):
        western = _strict(content, "cp1252")
        if western is not None:
            return western
    return content.decode(best.encoding, "replace")


def _checked(text: str) -> str:
    sample = text[: _SAMPLE * 4]
    if sample and len(_CONTROL.findall(sample)) > 0.005 * len(sample):
        raise NotText("binary content")
    if sample.count("\ufffd") > 0.05 * len(sample):
        raise NotText("no known encoding fits")
    return text.removeprefix("\ufeff")


def kind_of(text: str, content_type: str = "") -> str:
    """Return `html`, `notebook` or `text`, by content first and by the declared type where content leaves it open."""
    start = text[:_SAMPLE].lstrip()
    if start.startswith("{") and re.search(r'"(?:nbformat|cells|worksheets)"\s*:', text):
        return NOTEBOOK
    if _HTML_START.search(start) or "html" in content_type.lower():
        return HTML
    return TEXT


def notebook_text(text: str) -> str:
    """Return a Jupyter notebook's cells: prose as it stands, code and its text outputs as fenced blocks.

    Raises:
        NotText: not a notebook after all.
    """
    try:
        book = json.loads(text)
        cells = book.get("cells") or [cell for sheet in book.get("worksheets", []) for cell in sheet.get("cells", [])]
        return "\n\n".join(piece for cell in cells for piece in _cell(cell)).strip()
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise NotText(f"not a readable notebook ({type(error).__name__})") from error


def _cell(cell: dict[str, Any]) -> list[str]:
    source = _lines(cell.get("source", cell.get("input", "")))
    if cell.get("cell_type") != "code":
        return [source] if source.strip() else []
    pieces = [f"```python\n{source.rstrip()}\n```"] if source.strip() else []
    for output in cell.get("outputs") or []:
        shown = _lines(output.get("text") or (output.get("data") or {}).get("text/plain") or "")
        pieces += [f"```\n{shown.rstrip()}\n```"] if shown.strip() else []
    return pieces


def _lines(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)
