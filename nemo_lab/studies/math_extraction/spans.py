"""Texts that models are trained and judged on: parts cut out, tiers of quality, copies, and spans by kind."""

import random
import re
from collections.abc import Callable, Iterable, Sequence

from nemo_lab.curation.duplicates import near
from nemo_lab.curation.filters.math_quality import score
from nemo_lab.studies.math_extraction.manuals import KnownPage

_FENCED = re.compile(r"(?ms)^(`{3,})[^\n]*\n.*?^\1[ ]*$\n?")
_FORMULA = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.DOTALL)
KINDS = ("formulas", "code", "prose")


def without_formulas(text: str) -> str:
    """Return the text with its formulas cut out, code left alone."""
    return _outside_code(text, lambda part: _FORMULA.sub("", part))


def without_code(text: str) -> str:
    """Return the text with its fenced blocks cut out."""
    return _FENCED.sub("", text)


def shuffled_words(text: str, seed: int = 0) -> str:
    """Return the text with the words of each line in random order, formulas and code as they are."""
    draw = random.Random(seed)

    def shuffle(part: str) -> str:
        lines = [re.findall(rf"{_FORMULA.pattern}|\S+", line) for line in part.split("\n")]
        return "\n".join(" ".join(draw.sample(words, len(words))) for words in lines)

    return _outside_code(text, shuffle)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    pieces, at = [], 0
    for block in _FENCED.finditer(text):
        pieces += [change(text[at : block.start()]), block[0]]
        at = block.end()
    return "".join([*pieces, change(text[at:])])


def held_out(pages: Iterable[KnownPage], most: int) -> dict[str, list[str]]:
    """Return what is known of pages by kind, as columns `text` and `corpus`, at most `most` characters a page and kind.

    No extractor has touched it. Formulas stand without delimiters, which extractors choose differently.
    """
    columns: dict[str, list[str]] = {"text": [], "corpus": []}
    for page in pages:
        parts = {
            "formulas": "\n".join(" ".join(latex.split()) for latex in page.formulas),
            "code": "\n\n".join(page.code),
            "prose": "\n".join(line for line in page.content if len(line) > 60),
        }
        for kind in KINDS:
            if parts[kind]:
                columns["text"].append(parts[kind][:most])
                columns["corpus"].append(kind)
    return columns


def of_quality(texts: Iterable[str], least: float) -> list[str]:
    """Return the texts whose quality score is at least so high."""
    return [text for text in texts if score(text) >= least]


def captured_again(texts: Sequence[str], share: float, times: int, seed: int) -> list[str]:
    """Return the texts and behind them copies of some, as crawls of several years hold them.

    A copy has a line of its own at its head and lacks one of the lines, drawn at random; `share` of the texts, drawn
    at random, come `times` times more.
    """
    draw = random.Random(seed)
    copies = []
    for text in draw.sample(list(texts), round(share * len(texts))):
        for year in range(times):
            lines = text.split("\n")
            lines[draw.randrange(len(lines))] = ""
            copies.append(f"Captured in the year {2014 + year}.\n" + "\n".join(lines))
    return [*texts, *copies]


def without_copies(texts: Sequence[str]) -> list[str]:
    """Return the first text of each group of near-duplicates, with the paper's parameters."""
    return [texts[number] for number in near.kept(near.duplicate_groups(texts))]
