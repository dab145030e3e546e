"""What must come through rendering unchanged is held back and leaves a word in its place.

A text browser collapses blanks, wraps, indents and escapes. Formulas and code must not meet any of that, so
the pre-pass takes them out of the page and puts a word of plain letters and digits there, which every browser
prints as it is. After rendering each word is replaced by what it stands for, and words that are missing are
losses that can be counted: that is where the report `math nodes in, math spans out` comes from.
"""

import hashlib
import re
from dataclasses import dataclass, field

from nemo_lab.curation.formulas.latex import tidy

INLINE, DISPLAY, CODE = "i", "d", "c"


@dataclass(frozen=True)
class Held:
    """A formula (inline or display) or a block of code; `language` is what the page calls a block's."""

    kind: str
    content: str
    language: str = ""

    def shown(self) -> str:
        """Return it as it stands in the text: `$…$`, `$$…$$` on a line of its own, or a fenced block."""
        if self.kind == CODE:
            ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", self.content)), default=0))
            return f"\n\n{ticks}{self.language}\n{self.content}\n{ticks}\n\n"
        return f"${self.content}$" if self.kind == INLINE else f"\n$${self.content}$$\n"


@dataclass
class Shelf:
    """Everything that one page holds back, by its word."""

    mark: str
    held: list[Held] = field(default_factory=list)

    @classmethod
    def for_page(cls, text: str) -> "Shelf":
        """Return an empty shelf whose words cannot be in this page; the same page gives the same words."""
        seed = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
        mark = f"zq{seed}"
        while mark in text:
            mark += "q"
        return cls(mark)

    def keep(self, kind: str, content: str, language: str = "") -> str:
        """Hold something back and return its word."""
        content = content if kind == CODE else tidy(content)
        self.held.append(Held(kind, content, language))
        return f"{self.mark}{kind}{len(self.held) - 1}z"

    def inline(self, text: str) -> str:
        """Return the text; display formulas in it are inline from now on, as in a row of a table."""

        def as_inline(word: re.Match[str]) -> str:
            number = int(word[1])
            self.held[number] = Held(INLINE, self.held[number].content)
            return f"{self.mark}{INLINE}{number}z"

        return re.sub(rf"{self.mark}{DISPLAY}(\d+)z", as_inline, text)

    def restore(self, text: str) -> tuple[str, list[Held]]:
        """Return the text with every word replaced, and what was put back, in the text's order.

        A word that occurs again (a page quoted by itself) is replaced again but counted once.
        """
        found: dict[int, Held] = {}

        def put_back(word: re.Match[str]) -> str:
            number = int(word[1])
            if number >= len(self.held):
                return ""
            found.setdefault(number, self.held[number])
            return self.held[number].shown()

        display = rf"{self.mark}{DISPLAY}\d+z"  # no blanks at the ends of the lines round it
        text = re.sub(rf"(?<=\S) (?={display})", "", re.sub(rf"({display}) (?=\S)", r"\1", text))
        text = re.sub(rf"{self.mark}[{INLINE}{DISPLAY}{CODE}](\d+)z", put_back, text)
        return text, list(found.values())
