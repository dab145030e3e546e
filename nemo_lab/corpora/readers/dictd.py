"""Dictionaries in dictd's format: `.dict.dz` (gzip) holds the text, `.index` the headwords and places.

An index line is headword, offset and length, the two numbers in a base-64 notation of their own. Headwords
that begin with `00` describe the dictionary itself and are left out. The text is wrapped at 65 columns; we
undo that, because a language model would learn where a printer's line ends. Figures and tables, told by
runs of blanks inside a line, stay as they are (`figures=True`, the computing dictionaries have some).
"""

import gzip
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_DIGITS = {c: i for i, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_SOURCE_MARK = re.compile(r"\s*\[(1913 Webster|WordNet [\d.]+|PJC|Webster 1913 Suppl\.|Century Dict\.[^\]]*)\]")
_NEW_LINE = re.compile(r"\d+\.\s|\([a-z]\)\s|Syn:|Note:|--\s")
_FIGURE = re.compile(r"\S {3,}\S|[|_/\\=*-]{4,}")


def gcide(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the entries of the Collaborative International Dictionary of English, without source marks."""
    for head, text in entries(archives[0]):
        yield head, reflow(_SOURCE_MARK.sub("", text), figures=False)


def computing(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the entries of the Free On-line Dictionary of Computing, then those of the Jargon File.

    The entry `gfdl` is the whole text of that licence, a document of the law corpus, and is left out.
    """
    for archive in archives:
        for head, text in entries(archive):
            if head != "gfdl":
                yield head, reflow(text, figures=True)


def entries(archive: Path) -> Iterator[tuple[str, str]]:
    """Yield (headword, raw text) in the order of the text; an entry with several headwords comes once."""
    files = {name.rsplit(".", 1)[-1]: content for name, content in members(archive, "*/dictd/*")}
    text = gzip.decompress(files["dz"])
    places: dict[tuple[int, int], str] = {}
    for line in files["index"].decode("utf-8", "replace").splitlines():
        head, start, length = line.split("\t")[:3]
        if not head.startswith("00"):
            places.setdefault((number(start), number(length)), head)
    for (place, size), head in sorted(places.items()):
        yield head, text[place : place + size].decode("utf-8", "replace")


def number(digits: str) -> int:
    """Return the value of dictd's base-64 digits, most significant first."""
    value = 0
    for digit in digits:
        value = value * 64 + _DIGITS[digit]
    return value


def reflow(text: str, figures: bool) -> str:
    """Undo the wrapping of an entry: one line per paragraph or numbered sense; drop the braces of links."""
    blocks = re.split(r"\n\s*\n", re.sub(r"[{}]", "", text).strip("\n"))
    kept = [
        textwrap.dedent(block) if figures and _FIGURE.search(block) else _joined(block)
        for block in blocks
        if block.strip()
    ]
    return "\n\n".join(kept)


def _joined(block: str) -> str:
    lines: list[str] = []
    for line in (" ".join(raw.split()) for raw in block.splitlines()):
        if lines and line and not _NEW_LINE.match(line):
            lines[-1] += f" {line}"
        elif line:
            lines.append(line)
    return "\n".join(lines)
