"""The heuristic filters that Nemotron-CC applies to all but its best text, one by one and counted.

The paper's filters are those of C4 and Gopher and a perplexity filter (arXiv 2412.02595, section 2.1); it found that
they remove 18.1 % of high-quality tokens and so left them out there. The rules and limits below are NeMo Curator's
current English cascade; that the paper's were the same is not confirmed. Left out is perplexity: no package holds a
KenLM model of Wikipedia and books.

    judge(text)                      # names of all rules that the text breaks, in the cascade's order
    removals(broken, sizes)          # for each rule: what it removes alone, first, and what only it removes

Relative to Curator: n-grams are counted over words with single blanks between them; among n-grams of the same count
the first one is the top (Curator's choice depends on the order of a set); a text without words breaks `words` and
`common words` and has a value of 0 elsewhere. 'Lines' are lines that are not blank, 'paragraphs' are set off by
blank lines.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from nemo_lab.errors import LabError, check_text, check_whole, one_of

_ALPHANUMERIC = re.compile(r"[a-zA-Z0-9\n?!,.]")  # Curator's class: it counts blanks as not alphanumeric
_URL = re.compile(r"https?://[^\s<>\"']+")
_BLANK = re.compile(r"[\t\n\r\x08 ]")
_BRACKET = re.compile(r"[{}()\[\]⟨⟩]")
_ENDS = (".", "?", "!", '"', "'")
_ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
_FILLER = " ".join(("lorem", "ipsum"))
_NOTICES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "privacy overview",
    "use of cookies",
    "use cookies",
    "privacy & cookies policy",
    "privacy and cookies policy",
    "cookie settings",
)
_COMMON = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
_BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}  # words of an n-gram: limit
_AGAIN = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
INFINITE = float("inf")


class View:
    """A text with the parts that several rules count, each made once."""

    def __init__(self, text: str) -> None:
        self.text = check_text("text", text)

    @cached_property
    def words(self) -> list[str]:
        """The text between blanks."""
        return self.text.split()

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank."""
        return [line for line in self.text.split("\n") if line.strip()]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What blank lines set off."""
        return [part for part in re.split(r"\n\s*\n", self.text) if part.strip()]


@dataclass(frozen=True)
class Rule:
    """A document passes if `low <= value <= high`."""

    name: str
    origin: str
    value: Callable[[View], float]
    low: float = -INFINITE
    high: float = INFINITE

    def __post_init__(self) -> None:
        """Refuse a rule that no document could pass or break."""
        if not callable(self.value) or not self.low <= self.high:
            limits = f"{self.low!r} to {self.high!r}"
            raise LabError(f"Rule {self.name!r} is {self.value!r:.40} from {limits}; give a function and its limits.")

    def breaks(self, view: View) -> bool:
        """Return whether the text breaks the rule."""
        return not self.low <= self.value(view) <= self.high


@dataclass(frozen=True)
class Removal:
    """What a rule does to a set of documents.

    Attributes:
        alone: documents it would remove if it were the only rule.
        first: documents that reach it in the cascade and fail.
        only: documents that no other rule would remove.
        alone_bytes, first_bytes, only_bytes: their UTF-8 bytes.
    """

    rule: str
    alone: int
    first: int
    only: int
    alone_bytes: int
    first_bytes: int
    only_bytes: int


def judge(text: str, rules: Sequence[Rule] | None = None) -> list[str]:
    """Return the names of the rules that the text breaks, `ENGLISH`'s where no others are given.

    Raises:
        LabError: no text, or something else than rules.
    """
    view = View(text)
    return [rule.name for rule in _checked(rules) if rule.breaks(view)]


def _checked(rules: Sequence[Rule] | None) -> Sequence[Rule]:
    if rules is not None and not all(isinstance(rule, Rule) for rule in rules):
        raise LabError(f"rules are {rules!r:.60}, expected a list of Rule, such as ENGLISH.")
    return ENGLISH if rules is None else rules


def removals(
    broken: Sequence[Sequence[str]], sizes: Sequence[int], rules: Sequence[Rule] | None = None
) -> list[Removal]:
    """Return one row a rule that removes anything, in the cascade's order.

    Args:
        broken: what `judge` says of each document.
        sizes: UTF-8 bytes of each document.
        rules: those that `judge` was given.

    Raises:
        LabError: not one size for each document, or a name that is no rule's.
    """
    known = [rule.name for rule in _checked(rules)]
    _check_broken(broken, sizes, known)
    rows = []
    for name in known:
        which = {
            "alone": [at for at, names in enumerate(broken) if name in names],
            "first": [at for at, names in enumerate(broken) if names and names[0] == name],
            "only": [at for at, names in enumerate(broken) if list(names) == [name]],
        }
        if which["alone"]:
            counts = {kind: len(at) for kind, at in which.items()}
            weights = {f"{kind}_bytes": sum(sizes[i] for i in at) for kind, at in which.items()}
            rows.append(Removal(rule=name, **counts, **weights))
    return rows


def _check_broken(broken: Sequence[Sequence[str]], sizes: Sequence[int], known: Sequence[str]) -> None:
    """Texts in the place of what `judge` says of them would be counted as breaking nothing."""
    listed = isinstance(broken, Sequence) and not isinstance(broken, str) and hasattr(sizes, "__len__")
    if not listed or len(sizes) != len(broken):
        raise LabError(
            f"broken is {broken!r:.60}, sizes {sizes!r:.60}; give what `judge` says of each document, and its bytes."
        )
    for names in broken:
        strange = [name for name in ([names] if isinstance(names, str) else names) if name not in known]
        if strange:
            raise LabError(one_of("rule", strange[0], known))


def _share(pattern: re.Pattern[str], view: View) -> float:
    return sum(map(len, pattern.findall(view.text))) / max(1, len(view.text))


def _not_alphanumeric(view: View) -> float:
    return 1 - _share(_ALPHANUMERIC, view) if view.text else 0.0


def _symbols(view: View) -> float:
    """Words that are an ellipsis or mostly hash signs."""
    found = sum(word in _ELLIPSES or word.count("#") > len(word) / 2 for word in view.words)
    return found / max(1, len(view.words))


def _digits(view: View) -> float:
    return sum(sign.isdigit() for sign in view.text) / max(1, len(view.text))


def _notices(view: View) -> float:
    """Share of paragraphs with a notice; a page of printers' filler text is nothing else."""
    low = [part.lower() for part in view.paragraphs]
    if any(part.startswith(_FILLER) or f" {_FILLER}" in part for part in low):
        return 1.0
    return sum(any(notice in part for notice in _NOTICES) for part in low) / max(1, len(low))


def _distinct(parts: Sequence[str], letters: bool) -> float:
    """Share of parts, or of their letters, that is left when repeats are removed."""
    if not parts:
        return 1.0
    return len("".join(set(parts))) / len("".join(parts)) if letters else len(set(parts)) / len(parts)


def _of_lines(view: View, holds: Callable[[str], bool]) -> float:
    return sum(holds(line.strip()) for line in view.lines) / max(1, len(view.lines))


def _lettered(view: View) -> float:
    return sum(any(map(str.isalpha, word)) for word in view.words) / max(1, len(view.words)) if view.words else 1.0


def _mean_length(view: View) -> float:
    return sum(map(len, view.words)) / len(view.words) if view.words else 5.0


def top_share(view: View, n: int) -> float:
    """Return the share of characters in the most frequent n-gram of words, all its occurrences together."""
    check_whole("n", n)
    grams = Counter(" ".join(view.words[at : at + n]) for at in range(len(view.words) - n + 1))
    if not grams:
        return 0.0
    whole, top = " ".join(view.words), max(grams, key=lambda gram: grams[gram])
    return whole.count(top) * len(top) / len(whole)


def repeated_share(view: View, n: int) -> float:
    """Return the share of the words' characters that lie in an n-gram which stood before; each counts once."""
    check_whole("n", n)
    seen: set[tuple[str, ...]] = set()
    again = [False] * len(view.words)
    for at, gram in enumerate(zip(*(view.words[k:] for k in range(n)), strict=False)):
        if gram in seen:
            again[at : at + n] = [True] * n
        seen.add(gram)
    total = sum(map(len, view.words))
    return sum(len(word) for word, old in zip(view.words, again, strict=True) if old) / max(1, total)


def _at_most(name: str, origin: str, value: Callable[[View], float], high: float) -> Rule:
    return Rule(name, origin, value, high=high)


def _at_least(name: str, origin: str, value: Callable[[View], float], low: float) -> Rule:
    return Rule(name, origin, value, low=low)


ENGLISH: tuple[Rule, ...] = (
    _at_most("not alphanumeric", "Gopher", _not_alphanumeric, 0.25),
    _at_most("symbols per word", "Gopher", _symbols, 0.1),
    _at_most("digits", "Curator", _digits, 0.15),
    _at_most("addresses", "Curator", partial(_share, _URL), 0.2),
    _at_most("blanks", "Curator", partial(_share, _BLANK), 0.25),
    _at_most("brackets", "Curator", partial(_share, _BRACKET), 0.1),
    _at_most("notices", "C4", _notices, 0.4),
    _at_least("distinct lines", "Gopher", lambda view: _distinct(view.lines, False), 0.7),
    _at_least("distinct paragraphs", "Gopher", lambda view: _distinct(view.paragraphs, False), 0.7),
    _at_least("distinct lines, letters", "Gopher", lambda view: _distinct(view.lines, True), 0.8),
    _at_least("distinct paragraphs, letters", "Gopher", lambda view: _distinct(view.paragraphs, True), 0.8),
    Rule("words", "Gopher", lambda view: len(view.words), 50, 100_000),
    _at_most("lines without end mark", "C4", lambda view: _of_lines(view, lambda s: not s.endswith(_ENDS)), 0.85),
    _at_least("words with a letter", "Gopher", _lettered, 0.8),
    _at_least("common words", "Gopher", lambda view: sum(word in _COMMON for word in view.words), 2),
    Rule("mean word length", "Gopher", _mean_length, 3, 10),
    _at_most("longest word", "C4", lambda view: max(map(len, view.words), default=0), 1000),
    _at_most("lines with ellipsis", "C4", lambda view: _of_lines(view, lambda s: s.lower().endswith(_ELLIPSES)), 0.3),
    *(_at_most(f"top {n}-gram", "Gopher", partial(top_share, n=n), high) for n, high in _TOP.items()),
    *(_at_most(f"repeated {n}-grams", "Gopher", partial(repeated_share, n=n), high) for n, high in _AGAIN.items()),
    _at_most("bullets", "Gopher", lambda view: _of_lines(view, lambda s: s.startswith(_BULLETS)), 0.9),
)
