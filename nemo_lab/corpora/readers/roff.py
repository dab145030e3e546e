"""Manual pages in roff's `man` macros to plain text, without groff.

`man -l` would render them, with page headers, hyphenation and justified lines that we would have to undo,
and only where groff is installed. The macros that the Linux man-pages use are few: sections, paragraphs,
fonts, lists, examples and simple tables. Requests that set registers or tabs print nothing and are dropped.
Pages in the other macro set (mdoc, `.Dd`) and pages that only point to another page (`.so`) yield nothing.
"""

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_GLYPHS = {
    "aq": "'",
    "dq": '"',
    "lq": "“",
    "rq": "”",
    "oq": "‘",
    "cq": "’",
    "em": "—",
    "en": "–",
    "bu": "•",
    "co": "©",
    "ha": "^",
    "ti": "~",
    "rs": "\\",
    "ga": "`",
    "mu": "×",
    "->": "→",
    "<-": "←",
    "<=": "≤",
    ">=": "≥",
    "!=": "≠",
    "+-": "±",
    "**": "*",
    "mc": "µ",
    "de": "°",
    "or": "|",
    "ul": "_",
    "at": "@",
    "sh": "#",
    "pl": "+",
    "mi": "−",
    "if": "∞",
    "*p": "π",
    "ss": "ß",
    ":a": "ä",
    ":o": "ö",
    ":u": "ü",
    "'e": "é",
    "12": "½",
    "14": "¼",
    "tm": "™",
}
_ESCAPE = re.compile(
    r"\\(?:f(?:\[[^\]]*\]|\(..|.)|s[-+]?\d+|[hvwDlLoNxbH]'[^']*'|k.|[nmM](?:\[[^\]]*\]|\(..|.)"
    r"|\*(?:\[[^\]]*\]|\(..|.)|\((..)|\[([^\]]*)\]|([-&|^~0e:%/,c .'`t]))"
)
_SINGLE = {"-": "-", "~": " ", "0": " ", "e": "\x00", " ": " ", ".": ".", "'": "'", "`": "`", "t": " "}
_STRINGS = {r"\*(lq": "“", r"\*(rq": "”", r"\*(Aq": "'", r"\*R": "®", r"\*(Tm": "™"}
_ARGUMENT = re.compile(r'"((?:[^"]|"")*)"?|(\S+)')
_FONTS = ("B", "I", "BR", "RB", "BI", "IB", "IR", "RI", "SM", "SB", "R")
_BREAKS = ("PP", "P", "LP", "HP", "sp", "RS", "RE")
_VERBATIM = {"nf": True, "EX": True, "fi": False, "EE": False}


def unix_manuals(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the pages of sections 1 to 8 by name (`accept.2`); links and pointers to others are left out."""
    for archive in archives:
        for name, content in members(archive, "usr/share/man/man*/*.gz"):
            text = plain(gzip.decompress(content).decode("utf-8", "replace"))
            if text:
                yield Path(name).stem, text


def plain(source: str) -> str:
    """Return a page written with the `man` macros as plain text; nothing for mdoc pages and pointers."""
    if re.search(r"^\.(Dd|so)\b", source, re.MULTILINE):
        return ""
    page = _Page()
    lines = iter(re.sub(r"\\\n", "", source).splitlines())
    for line in lines:
        if re.match(r"[.'][ \t]*(?:ig|de)\b", line):  # ignored text and macro definitions
            next((end for end in lines if end.startswith("..")), None)
        elif line.startswith((".", "'")) and not re.match(r"'\w*'", line):
            page.request(line[1:].strip())
        else:
            page.text(line)
    return page.finished()


def unescaped(text: str) -> str:
    """Return a line with roff's escapes resolved and its fonts and comments removed."""
    text = re.sub(r'(?<!\\)\\["#].*', "", text)
    for string, character in _STRINGS.items():
        text = text.replace(string, character)

    def shown(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is not None:
            unicode = re.fullmatch(r"u([0-9A-F]{4,6})", name)
            return chr(int(unicode[1], 16)) if unicode else _GLYPHS.get(name, "")
        return _SINGLE.get(match[3] or "", "")

    return _ESCAPE.sub(shown, text.replace("\\\\", "\\e")).replace("\x00", "\\")


class _Page:
    """The page so far: finished blocks, and the lines of the paragraph being filled."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.filling: list[str] = []
        self.verbatim = self.table = self.tag = False

    def text(self, line: str) -> None:
        if self.table:
            self.table_line(line)
            return
        line = unescaped(line)
        if self.verbatim or line.strip():
            self.filling.append(line.rstrip() if self.verbatim else line.strip())
        else:
            self.flush()
        if self.tag:  # the line after .TP is the tag: it stands alone
            self.tag = False
            self.blocks.append(" ".join(self.filling).strip())
            self.filling = []

    def request(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        if name in _FONTS:
            arguments = _arguments(rest)
            if arguments:
                self.text(("" if len(name) == 2 and name not in ("SM", "SB") else " ").join(arguments))
        elif name in _VERBATIM:
            self.flush()
            self.verbatim = _VERBATIM[name]
        elif name in ("TS", "TE"):
            self.flush()
            self.table, self.format = name == "TS", True
        else:
            self.layout(name, rest)

    def layout(self, name: str, rest: str) -> None:
        if name in ("SH", "SS"):
            self.flush()
            self.verbatim = False
            self.blocks.append(" ".join(_arguments(rest)))
        elif name in ("TP", "TQ"):
            self.flush()
            self.tag = True
        elif name == "IP":
            self.flush()
            self.filling = [unescaped(mark) for mark in _arguments(rest)[:1]]
        elif name in ("UR", "MT"):
            self.filling.append(unescaped(rest.strip()))
        elif name in _BREAKS or name == "br":
            self.flush()

    def table_line(self, line: str) -> None:
        """Keep a table's cells, separated by tabs; its format lines (until the one that ends in a dot) go."""
        if self.format:
            self.format = not line.rstrip().endswith(".")
        elif line not in ("_", "=", "T{", "T}"):
            self.filling.append(unescaped(line.replace("T{", "").replace("T}", "")).strip())

    def flush(self) -> None:
        separator = "\n" if self.verbatim or self.table else " "
        block = separator.join(self.filling).strip("\n" if self.verbatim else None)
        if block.strip():
            self.blocks.append(block)
        self.filling = []

    def finished(self) -> str:
        self.flush()
        return "\n\n".join(block for block in self.blocks if block)


def _arguments(rest: str) -> list[str]:
    found = [(quoted.replace('""', '"') if plain == "" else plain) for quoted, plain in _ARGUMENT.findall(rest)]
    return [unescaped(argument) for argument in found if not argument.startswith('\\"')]
