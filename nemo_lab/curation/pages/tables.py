"""Tables of data as lines of cells, `a | b | c`; tables that only lay a page out are left to the renderer."""

from typing import Any

from nemo_lab.curation.formulas.tree import tag_of

_APART = ("br", "div", "p", "hr", "address", "section")
_LAYOUT = frozenset(("table", "pre", "form", "ul", "ol", "dl", "h1", "h2", "h3", "blockquote"))
_LONGEST_CELL = 400  # characters; longer ones are paragraphs that a table lays out


def rows_of(table: Any) -> list[str] | None:
    """Return the table's rows as lines, or None when it is not a table of data.

    Data has at least two rows and two columns, no table, list or heading inside, and short cells.
    """
    rows: list[list[str]] = []
    for inner in table.iterdescendants():
        tag = tag_of(inner)
        if tag in _LAYOUT:
            return None
        if tag == "tr":
            rows.append([])
        elif tag in ("td", "th") and rows:
            text = " ".join(_text(inner).split())
            if len(text) > _LONGEST_CELL:
                return None
            rows[-1].append(text)
    filled = [row for row in rows if any(row)]
    if len(filled) < 2 or max(map(len, filled)) < 2:
        return None
    caption = next((" ".join(_text(inner).split()) for inner in table.iter("caption")), "")
    return [*filter(None, [caption]), *(" | ".join(row) for row in filled)]


def _text(element: Any) -> str:
    """Return the text in an element; what would stand on a line of its own gets a blank on either side."""
    for inner in element.iterdescendants(*_APART):
        inner.text = " " + (inner.text or "")
        inner.tail = " " + (inner.tail or "")
    return "".join(element.itertext())
