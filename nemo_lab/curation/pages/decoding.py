"""What kind of document a record is, and the text of those that are neither pages nor plain: notebooks.

The bytes become text in `charsets`, for curation and corpora alike.
"""

import json
import re
from typing import Any

from nemo_lab.charsets import NotText, decode
from nemo_lab.curation.pages.page import TEXT_TYPE

__all__ = ["HTML", "NOTEBOOK", "TEXT", "NotText", "decode", "kind_of", "notebook_text"]

HTML, NOTEBOOK, TEXT = "html", "notebook", "text"
_HTML_START = re.compile(
    r"<(?:!doctype\s+html|html|head|body|title|meta|div|p|span|table|h[1-6]|article|section|ul|ol|a|br|math|pre)\b",
    re.IGNORECASE,
)
_SAMPLE = 4096


def kind_of(text: str, content_type: str = "") -> str:
    """Return `html`, `notebook` or `text`, by content first and by the declared type where content leaves it open.

    JSON that is declared a notebook is one, or will be refused; it is no text. What is out of its page already is text,
    whatever it looks like.
    """
    if content_type == TEXT_TYPE:
        return TEXT
    start = text[:_SAMPLE].lstrip()
    if start.startswith("{") and re.search(r'"(?:nbformat|cells|worksheets)"\s*:', text):
        return NOTEBOOK
    if "ipynb" in content_type.lower() and (start.startswith(("{", "[")) or not _HTML_START.search(start)):
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
        if not isinstance(book, dict) or not isinstance(book.get("cells", book.get("worksheets")), list):
            raise NotText("no notebook: JSON without a list of cells")
        cells = book.get("cells") or [cell for sheet in book.get("worksheets", []) for cell in sheet.get("cells", [])]
        return "\n\n".join(piece for cell in cells for piece in _cell(cell)).strip()
    except NotText:
        raise
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
