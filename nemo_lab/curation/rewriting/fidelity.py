"""Is a cleaned text still the same text? The check that the paper's language model step has none of.

Three questions, each answered by counting on both sides: are the numbers still there, are the mathematical
symbols still there, and how many of the sentences are neither kept nor left out but written anew. A cleaner may
remove (that is its task), so numbers and symbols of removed *lines* do not count against it; those that vanish
or change inside kept text do, and so does everything that appears from nowhere.
"""

import re
from collections import Counter
from dataclasses import dataclass

from nemo_lab.errors import check_number, check_text, check_whole

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SYMBOL = re.compile(r"\\[A-Za-z]+|[=<>≤≥≠±×÷∑∏∫√∞∂∇∈∉⊂⊆∪∩→⇒↔∀∃^_+*/]|(?<=\S)-|(?<=\S )-")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Fidelity:
    """What cleaning did to a text.

    Attributes:
        invented_numbers, invented_symbols: how many stand in the result and not in the source.
        lost_numbers, lost_symbols: shares of the source's that are gone, removed lines included.
        rewritten: share of the result's sentences that the source does not hold word for word.
        kept: characters of the result over characters of the source.
    """

    invented_numbers: int
    invented_symbols: int
    lost_numbers: float
    lost_symbols: float
    rewritten: float
    kept: float


@dataclass(frozen=True)
class Bounds:
    """What a cleaner may do; beyond it, its output is not used. A page is mostly content, so most must stay."""

    invented: int = 0
    lost: float = 0.2
    rewritten: float = 0.2
    least_kept: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what is no count and no share."""
        check_whole("invented", self.invented, 0)
        for name in ("lost", "rewritten", "least_kept"):
            check_number(name, getattr(self, name), least=0, most=1)


def compare(source: str, result: str) -> Fidelity:
    """Measure a cleaned text against its source.

    Raises:
        LabError: one of the two is no text.
    """
    check_text("source", source)
    check_text("result", result)
    numbers, symbols = (_change(pattern, source, result) for pattern in (_NUMBER, _SYMBOL))
    return Fidelity(
        invented_numbers=numbers[0],
        invented_symbols=symbols[0],
        lost_numbers=numbers[1],
        lost_symbols=symbols[1],
        rewritten=_rewritten(source, result),
        kept=len(result) / max(1, len(source)),
    )


def faithful(found: Fidelity, bounds: Bounds | None = None) -> bool:
    """Return whether a cleaned text stays within the bounds."""
    bounds = bounds or Bounds()
    invented = max(found.invented_numbers, found.invented_symbols)
    lost = max(found.lost_numbers, found.lost_symbols)
    within = invented <= bounds.invented and lost <= bounds.lost
    return within and found.rewritten <= bounds.rewritten and found.kept >= bounds.least_kept


def _change(pattern: re.Pattern[str], source: str, result: str) -> tuple[int, float]:
    """Return how many matches are new in the result, and the share of the source's that are gone."""
    before, after = Counter(pattern.findall(source)), Counter(pattern.findall(result))
    return (after - before).total(), (before - after).total() / max(1, before.total())


def _rewritten(source: str, result: str) -> float:
    """Return the share of sentences of at least four words that the source does not hold in this order."""
    whole = f" {' '.join(_words(source))} "
    sentences = [words for one in _SENTENCE.split(result) if len(words := _words(one)) >= 4]
    return sum(f" {' '.join(words)} " not in whole for words in sentences) / max(1, len(sentences))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
