r"""A formula cut into tokens: its characters in one spelling, its commands by one name.

    tokens(r"\dfrac{1}{2} x²")                          # \frac { 1 } { 2 } x ^ { 2 }

Nothing is dropped here but layout: spaces, sizes of brackets, fonts, colours. Every other character
becomes a token, known or not, so that a reader can say of any formula that it has read all of it. Two answers with
the same tokens are the same text. Case is kept: N and n are two variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from nemo_lab.reasoning.questions.formulas.spellings import (
    COMMANDS,
    NAMED,
    PRODUCT,
    SIGNS_OF_COMMANDS,
    SIGNS_OF_WORDS,
    one_spelling,
)
from nemo_lab.reasoning.questions.formulas.wrappers import unwrapped

_FONTS = "mathbf mathit mathsf mathtt boldsymbol bm mathnormal displaystyle textstyle limits nolimits"
_SIZED = "tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge scriptstyle scriptscriptstyle"
_DROPPED = frozenset(
    f"{_FONTS} {_SIZED} ensuremath thinspace medspace enspace quad qquad hfill rm bf it mathstrut".split()
)
_UPRIGHT = r"text|textrm|textbf|textit|textnormal|textsf|texttt|textup|mathrm|mbox|hbox|operatorname\*?|mathop"

_TOKEN = re.compile(
    rf"(?P<upright>\\(?:{_UPRIGHT})\s*\{{(?P<inside>(?:[^{{}}]|\{{[^{{}}]*\}})*)\}})"
    r"|(?P<set>\\mathbb\s*\{?\s*(?P<letter>[RZNQC])(?![A-Za-z])\s*\}?)"
    r"|(?P<command>\\(?:[A-Za-z]+|[^A-Za-z]))"
    r"|(?P<number>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+(?![\d.A-Za-z]))?)"
    r"|(?P<name>[A-Za-z]+)"
    r"|(?P<sign>\*\*|<=|>=|!=|==|:=|\.\.\.+|!!|\S)",
    re.ASCII,
)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:(?:\\[,;! ]|,\\!\s?|\{,\}|[ ~_])\d{3})+(?![\d_]|\s*/)", re.ASCII)
_COMMAS = re.compile(r"(?<![\d.,\w])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])", re.ASCII)
_MIXED = re.compile(r"(?<![\d.,/^_])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\d.])", re.ASCII)
_SIZES = re.compile(r"\\(?:left|right)\s*\.|\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])|(?<!\\)\\[,:;!> ]|~")
_LINES = re.compile(r"(?<![-+*/=<>^_,;&({\[\s])[ \t]*\n\s*(?![-+*/=<>^_,;&){}\]\s]|\\(?:cdot|times|quad|text|end)\b)")
_INFIX = re.compile(r"\{([^{}\\]*)\\(over|choose)(?![A-Za-z])([^{}\\]*)\}")
_MODULO = re.compile(
    r"\\p?mod(?![A-Za-z])\s*\{?([^{}\\\s]+)\}?|\(\s*(?:\\?mod|\\(?:text|mathrm)\s*\{\s*mod\s*\})\s*([^{}\\\s]+)\)"
)
_IN_BASE = re.compile(r"(?<![A-Za-z\d}])\((\d+)\)(?=\s*_)", re.ASCII)
_PREFIX = {"over": "\\frac", "choose": "\\binom"}
_COLOURS = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}|\\(?:label|tag|[hv]space|[hv]?phantom)\*?\s*\{[^{}]*\}")


class Token(NamedTuple):
    """One piece of a formula: its kind (number, name, command, words, upright or sign) and its text."""

    kind: str
    text: str


# --- the text of a formula


def _laid_out(text: str) -> str:
    """Return the formula without layout, and its numbers without separators of thousands."""
    text = one_spelling(text)
    if "\\begin" not in text:  # there two backslashes end a row; elsewhere they are one, escaped twice
        text = re.sub(r"\\\\(?=[A-Za-z{}%$])", r"\\", text)
        text = _LINES.sub("; ", re.sub(r"&(?=\s*=)", " ", text))
    text = _INFIX.sub(lambda match: f"{_PREFIX[match[2]]}{{{match[1]}}}{{{match[3]}}}", text)
    text = _IN_BASE.sub(r"\1", _MODULO.sub(lambda match: rf"(\bmod {match[1] or match[2]})", text))
    text = _GROUPED.sub(lambda match: re.sub(r"\D", "", match[0]), _COLOURS.sub(" ", text))
    return _MIXED.sub(r"(\1\\frac{\2}{\3})", _SIZES.sub(" ", text))


# --- tokens


def tokens(text: str) -> list[Token]:
    """Return a formula as tokens. Each character is in one of them, but for layout; `**` is `^`, `\\dfrac` `\\frac`."""
    text = _laid_out(text)
    found: list[Token] = []
    text = _COMMAS.sub(lambda match: match[0].replace(",", "") if _is_outside(text, match.start()) else match[0], text)
    for match in _TOKEN.finditer(text):
        found.extend(_named(match))
    return _degrees(found)


def same_text(gold: str, given: str) -> bool:
    """Return whether two answers are the same text, wrappers, layout and spelling aside; blank ones never are."""
    first, second = (re.sub(r",\s+", ",", unwrapped(text)) for text in (gold, given))
    return first == second != "" or _bare(tokens(unwrapped(gold))) == _bare(tokens(unwrapped(given))) != []


def _bare(found: list[Token]) -> list[Token]:
    """Return tokens without braces round one (x^{2} is x^2), names as letters (F_kF is F_k F), words in small ones."""
    kept: list[Token] = []
    for token in found:
        if token.text == "}" and _is_braced_for_nothing(kept):
            kept[-2:] = kept[-1:]
        elif _is_word(token):
            kept.append(Token(token.kind, token.text[0].lower() + token.text[1:]))
        elif token.kind == "name":
            kept.extend(Token("name", letter) for letter in token.text)
        else:
            kept.append(token)
    return kept


def _is_braced_for_nothing(kept: list[Token]) -> bool:
    r"""Return whether the last token alone is in braces and would be read as one without: not 12 in \frac{12}{3}."""
    if len(kept) < 2 or kept[-2].text != "{" or kept[-1].text in ("{", "}"):
        return False
    before = kept[-3].text if len(kept) > 2 else ""
    return kept[-1].kind != "number" or len(kept[-1].text) == 1 or before in ("^", "_", "\\sqrt")


def _is_word(token: Token) -> bool:
    """Return whether a token is a word, whose capital says nothing; Mgsin is a product."""
    is_word = len(token.text) > 3 and token.text[1:].islower() and token.text[0].isalpha()
    return is_word and not (token.kind == "name" and PRODUCT.fullmatch(token.text))


def _is_outside(text: str, place: int) -> bool:
    """Return whether a place stands in no bracket: in (1,200) a comma parts two numbers, in 1,200 it groups digits."""
    before = text[:place]
    opened = before.count("(") + before.count("[") + before.count("\\{")
    return opened <= before.count(")") + before.count("]") + before.count("\\}")


def _named(match: re.Match[str]) -> Iterator[Token]:
    """Yield the tokens of one match: commands by their common name, upright text as words."""
    kind, text = str(match.lastgroup), match[0]
    if match["upright"]:
        yield from _upright(match["inside"])
    elif match["set"]:
        yield Token("command", f"\\{match['letter']}")
    elif match["command"]:
        yield from _command(text[1:])
    elif kind == "name":
        yield _name(text)
    else:
        yield Token(kind, {"**": "^", "==": "=", ":=": "="}.get(text, "..." if text.startswith("..") else text))


def _command(name: str) -> Iterator[Token]:
    if name in SIGNS_OF_COMMANDS:
        yield Token("sign", SIGNS_OF_COMMANDS[name])
    elif name not in _DROPPED:
        yield Token("command", "\\" + COMMANDS.get(name, name))


def _name(text: str) -> Token:
    if text in SIGNS_OF_WORDS:
        return Token("sign", SIGNS_OF_WORDS[text])
    return Token("command", "\\" + COMMANDS.get(text, text)) if text in NAMED else Token("name", text)


def _upright(inside: str) -> Iterator[Token]:
    """Yield the tokens of upright text: words together, single letters apart, formulas as such."""
    words: list[str] = []
    for token in map(_within, _TOKEN.finditer(inside)):
        if token.kind == "name" and len(token.text) > 1:
            words.append(token.text)
            continue
        if words:
            yield Token("words", " ".join(words))
            words = []
        yield Token("upright", token.text) if token.kind == "name" else token
    if words:
        yield Token("words", " ".join(words))


def _within(match: re.Match[str]) -> Token:
    text = match[0]
    if match.lastgroup == "name":
        return _name(text)
    if match["command"]:
        return next(_command(text[1:]), Token("sign", text))
    return Token("number" if match["number"] else "sign", text)


def _degrees(found: list[Token]) -> list[Token]:
    r"""Return tokens with one sign for a degree and for a prime, which TeX writes as raised signs."""
    kept: list[Token] = []
    for token in found:
        kept.append(token)
        for mark, sign in (("\\circ", "°"), ("'", "'")):
            for raised in (["^", mark], ["^", "{", mark, "}"]):
                if [one.text for one in kept[-len(raised) :]] == raised:
                    kept[-len(raised) :] = [Token("sign", sign)]
    return kept
