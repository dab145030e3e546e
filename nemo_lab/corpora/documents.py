"""From a reader's units to documents of a useful size: short units are joined, long ones are cut.

A dictionary entry of 200 characters is no document to train a language model on: half of what it would see
are boundaries. Consecutive entries are joined to pages of about 2,000 characters. A chapter or manual page of
200,000 characters is the other extreme: one of them would fill a validation set. It is cut between paragraphs
into pieces of at most 8,000 characters, which keep one `parent`, so that the split never parts them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PAGE = 2_000  # characters that a page of joined units reaches
PIECE = 8_000  # characters that a piece of a long unit does not pass
SHORTEST = 50  # characters; shorter documents say nothing

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Document:
    """One document: the name of the unit or units it is of, its text, and the number of its parent."""

    name: str
    text: str
    parent: int


def documents(units: Iterable[tuple[str, str]], joiner: str = "") -> Iterator[Document]:
    """Yield documents of the (name, text) units, in order.

    Args:
        units: what a reader yields.
        joiner: what stands between joined units; empty: units are not joined.
    """
    cleaned = ((name, clean(text)) for name, text in units)
    shaped = joined(cleaned, joiner) if joiner else cleaned
    for parent, (name, text) in enumerate(shaped):
        for piece in cut(text):
            if len(piece) >= SHORTEST:
                yield Document(name, piece, parent)


def clean(text: str) -> str:
    """Remove what no reader sees or no UTF-8 file can hold: control characters, lone surrogates, blanks."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\f", "\n"))).strip()


def joined(units: Iterable[tuple[str, str]], joiner: str) -> Iterator[tuple[str, str]]:
    """Join consecutive units to pages of at least PAGE characters, named by their first and last unit."""
    names: list[str] = []
    texts: list[str] = []
    for name, text in units:
        if text:
            names.append(name)
            texts.append(text)
        if sum(map(len, texts)) >= PAGE:
            yield f"{names[0]} … {names[-1]}", joiner.join(texts)
            names, texts = [], []
    if texts:
        yield f"{names[0]} … {names[-1]}", joiner.join(texts)


def cut(text: str) -> list[str]:
    """Cut a text between paragraphs, else lines, else anywhere, into pieces of at most PIECE characters."""
    if len(text) <= PIECE:
        return [text]
    pieces = [""]
    for part in _parts(text):
        if pieces[-1] and len(pieces[-1]) + len(part) > PIECE:
            pieces.append("")
        pieces[-1] += part
    return [piece.strip("\n") for piece in pieces]


def _parts(text: str) -> Iterator[str]:
    """Yield paragraphs with the blank lines behind them; those longer than PIECE by lines or by force."""
    for paragraph in re.findall(r".+?(?:\n\s*\n|\Z)", text, re.DOTALL):
        if len(paragraph) <= PIECE:
            yield paragraph
            continue
        for line in paragraph.splitlines(keepends=True):
            yield from (line[start : start + PIECE] for start in range(0, len(line), PIECE))
