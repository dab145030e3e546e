"""HTML to the text that a reader sees, through lxml: block elements on their own lines, scripts left out."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nemo_lab.charsets import decode
from nemo_lab.corpora.packages.archives import members
from nemo_lab.errors import LabError

_HIDDEN = frozenset(("script", "style", "template", "noscript", "head", "svg", "iframe", "object"))
_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_DEPTH = 400  # elements nested deeper are malformed or hostile; their text is kept, flat


def anarchist_faq(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the sections of An Anarchist FAQ by the name of their page (`secF3`)."""
    for name, content in members(archives[0], "*/anarchism/html/*.html"):
        text = visible_text(content)
        yield (
            Path(name).stem,
            re.sub(r"^(‹.*|.*›)$", "", text, flags=re.MULTILINE).strip(),
        )  # links to neighbours


def visible_text(page: bytes | str) -> str:
    """Return the visible text of a page or fragment: one line per block, blanks collapsed except in `<pre>`.

    Raises:
        LabError: no page, bytes that are no text, or lxml finds no document in them.
    """
    import lxml.etree
    import lxml.html

    if not isinstance(page, str | bytes):
        raise LabError(f"page is {page!r:.60}, expected the content of a page as bytes or text; read the file first.")
    try:
        text = decode(page) if isinstance(page, bytes) else page
        parser = lxml.html.HTMLParser(huge_tree=True, no_network=True, remove_comments=True, encoding="utf-8")
        root = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (lxml.etree.LxmlError, UnicodeError) as error:
        raise LabError(f"The page is not readable as HTML ({error}); look at what it is.") from error
    pieces: list[str] = []
    _collect(root, pieces, False, 0)
    text = re.sub(r"[ \t\f\v\u00a0]*\n[ \t\f\v\u00a0]*(?=\n|\S)", "\n", "".join(pieces).replace("\r", ""))
    text = text.replace("\x01", " ").replace("\x02", "\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _collect(element: Any, pieces: list[str], pre: bool, depth: int) -> None:
    """Append the element's text and its children's; blocks are set off by line breaks, paragraphs by two."""
    tag = element.tag if isinstance(element.tag, str) else None
    if tag is not None and tag not in _HIDDEN:
        inside = pre or tag == "pre"
        breaks = "" if tag not in _BLOCK else "\n" if tag in ("br", "li", "tr", "dt", "dd") else "\n\n"
        pieces.append(breaks)
        pieces.append(_shown(element.text, inside))
        if depth < _DEPTH:
            for child in element:
                _collect(child, pieces, inside, depth + 1)
        else:
            pieces.append(_shown(" ".join(element.itertext()), inside))
        pieces.append("" if tag == "br" else breaks)
    pieces.append(_shown(element.tail, pre))


def _shown(text: str | None, pre: bool) -> str:
    """Collapse blanks; inside `<pre>` protect them, as control characters, from later steps."""
    if not text:
        return ""
    return text.replace(" ", "\x01").replace("\n", "\x02") if pre else re.sub(r"\s+", " ", text)
