"""Prose: the Brown corpus of 1961 and the six novels of Jane Austen."""

import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nemo_lab.corpora.packages.archives import members

_GENRES = dict(
    zip(
        "abcdefghjklmnpr",
        [
            "news",
            "editorial",
            "reviews",
            "religion",
            "hobbies",
            "lore",
            "letters",
            "government",
            "learned",
            "fiction",
            "mystery",
            "science-fiction",
            "adventure",
            "romance",
            "humor",
        ],
        strict=True,
    )
)
_TITLES = {
    "emma": "Emma",
    "mansfieldpark": "Mansfield Park",
    "northangerabbey": "Northanger Abbey",
    "persuasion": "Persuasion",
    "prideprejudice": "Pride and Prejudice",
    "sensesensibility": "Sense and Sensibility",
}
_CHAPTER = re.compile(r"chapter\s+(?:[ivxlc]+|\d+)\.?", re.IGNORECASE)


def brown(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the 500 samples by genre and number (`news/ca01`), as running text without the tags."""
    for name, content in members(archives[0], "package/c[a-r][0-9][0-9]"):
        sample = Path(name).name
        yield f"{_GENRES[sample[1]]}/{sample}", untagged(content.decode("utf-8", "replace"))


def untagged(text: str) -> str:
    """Return `word/tag` text as prose: blanks before punctuation and inside quotes and brackets removed."""
    paragraphs = []
    for paragraph in re.split(r"\n{3,}", text.strip()):
        line = " ".join(token.rsplit("/", 1)[0] for token in paragraph.split())
        line = re.sub(r" ([,.;:?!)\]%]|'')", r"\1", line)
        line = re.sub(r"([(\[]|``) ", r"\1", line).replace("``", "“").replace("''", "”")
        paragraphs.append(re.sub(r"([.?!;])(?:\s*[;.](?=\s|$))+", r"\1", line))
    return "\n\n".join(line for line in paragraphs if line)


def austen(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the chapters of the six novels (`Emma, chapter 3`; counted through the whole book)."""
    for key, lines in sorted(_r_data(archives[0]).items()):
        for count, chapter in enumerate(chapters(lines)):
            yield f"{_TITLES[key]}, chapter {count}" if count else f"{_TITLES[key]}, title", chapter


def chapters(lines: Sequence[str]) -> list[str]:
    """Cut a book at its chapter headings, join its lines to paragraphs; first comes what precedes them."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if _CHAPTER.fullmatch(line.strip()):
            parts.append([])
        parts[-1].append(line.strip())
    joined = ["\n".join(part).strip() for part in parts]
    return [re.sub(r"(?<!\n)\n(?!\n)", " ", part) for part in joined]


def _r_data(archive: Path) -> dict[str, list[str]]:
    """Read R's lazy-load database: .rdx has the places in .rdb, each 4 bytes of length, then zlib."""
    files = {Path(name).suffix: content for name, content in members(archive, "*/janeaustenr/data/Rdata.rd[bx]")}
    places: Any = _r_object(files[".rdx"])["variables"]
    books = {}
    for name, (start, length) in places.items():
        block = files[".rdb"][int(start) + 4 : int(start) + int(length)]
        books[str(name)] = [str(line) for line in _r_object(zlib.decompress(block))]
    return books


def _r_object(content: bytes) -> Any:
    import warnings

    import rdata

    with warnings.catch_warnings():  # it warns that the blocks have no file header, which they cannot have
        warnings.simplefilter("ignore", UserWarning)
        return rdata.conversion.convert(rdata.parser.parse_data(content))
