"""Tables of data as lines of cells, `a | b | c`; tables that only lay a page out are left to the renderer."""

from typing import Any

from nemo_lab.curation.mathml import tag_of

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
            text = " ".join("".join(inner.itertext()).split())
            if len(text) > _LONGEST_CELL:
                return None
            rows[-1].append(text)
    filled = [row for row in rows if any(row)]
    if len(filled) < 2 or max(map(len, filled)) < 2:
        return None
    return [" | ".join(row) for row in filled]
