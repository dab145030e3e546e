r"""AsciiMath to LaTeX: `sum_(i=1)^n i^3=((n(n+1))/2)^2`, as course pages, Socratic and MathWorld's texts write.

The grammar is that of asciimath.org: a symbol may have scripts, two of them with a `/` between are a fraction, and
brackets round what is a script or a part of a fraction are not printed. Brackets of brackets of one size are a
matrix. Letters that are no symbol stand for themselves; the longest symbol wins. Nothing is refused but what nests
too deep.
"""

import re
from dataclasses import dataclass, field

from nemo_lab.curation.formulas.marks import FENCES, joined
from nemo_lab.curation.formulas.symbols import COMMANDS, FUNCTIONS, command_for
from nemo_lab.curation.formulas.tree import UnreadableError

_DEPTH = 60  # brackets in brackets
_ROWS = r"""
+- \pm -+ \mp * \cdot xx \times -: \div o+ \oplus ox \otimes o. \odot ** \ast *** \star // / \\ \backslash @ \circ
^^ \wedge vv \vee nn \cap uu \cup ^^^ \bigwedge vvv \bigvee nnn \bigcap uuu \bigcup -= \equiv ~= \cong ~~ \approx
!= \neq < < > > <= \leq >= \geq le \leq ge \geq lt < gt > ne \neq prop \propto in \in !in \notin sub \subset
supe \supseteq sube \subseteq -< \prec >- \succ not \neg => \Rightarrow iff \Leftrightarrow <=> \Leftrightarrow
AA \forall EE \exists _|_ \bot TT \top |-- \vdash |== \models -> \rightarrow to \rightarrow rarr \rightarrow
larr \leftarrow uarr \uparrow darr \downarrow harr \leftrightarrow rArr \Rightarrow lArr \Leftarrow
hArr \Leftrightarrow |-> \mapsto del \partial grad \nabla oo \infty O/ \emptyset :. \therefore /_ \angle
... \ldots quad \quad qquad \qquad CC \mathbb{C} NN \mathbb{N} QQ \mathbb{Q} RR \mathbb{R} ZZ \mathbb{Z}
epsi \epsilon lcm \operatorname{lcm} mod \bmod % \% # \# & \& $ \$ _ \_ ^ \hat{} vdots \vdots ddots \ddots
dx dx dy dy dz dz dt dt
"""
_FIELDS = _ROWS.split()
_WORDS = {"and": r"\text{ and }", "or": r"\text{ or }", "if": r"\text{ if }"}
_NAMES = {name: f"\\{name}" for name in (*COMMANDS.values(), *FUNCTIONS) if name.isalpha() and len(name) > 1}
_SYMBOLS = _NAMES | dict(zip(_FIELDS[::2], _FIELDS[1::2], strict=True)) | _WORDS
_UNARY = {
    "sqrt": r"\sqrt",
    "hat": r"\hat",
    "bar": r"\overline",
    "vec": r"\vec",
    "dot": r"\dot",
    "ddot": r"\ddot",
    "tilde": r"\tilde",
    "ul": r"\underline",
    "ubrace": r"\underbrace",
    "obrace": r"\overbrace",
    "underline": r"\underline",
    "overline": r"\overline",
    "cancel": r"\cancel",
    "bb": r"\mathbf",
    "bbb": r"\mathbb",
    "cc": r"\mathcal",
    "tt": r"\mathtt",
    "fr": r"\mathfrak",
    "sf": r"\mathsf",
    "mathbf": r"\mathbf",
    "mathbb": r"\mathbb",
    "mathcal": r"\mathcal",
    "mathrm": r"\mathrm",
}
_FONTS = frozenset(("bb", "bbb", "cc", "tt", "fr", "sf", "ul"))
_AROUND = {"abs": ("|", "|"), "norm": (r"\|", r"\|"), "floor": (r"\lfloor", r"\rfloor"), "ceil": (r"\lceil", r"\rceil")}
_BINARY = {
    "frac": r"\frac",
    "root": r"\sqrt",
    "stackrel": r"\overset",
    "overset": r"\overset",
    "underset": r"\underset",
}
_OPEN = {"(": "(", "[": "[", "{": r"\{", "(:": r"\langle", "<<": r"\langle", "{:": ""}
_CLOSE = {")": ")", "]": "]", "}": r"\}", ":)": r"\rangle", ">>": r"\rangle", ":}": ""}
_TEXT = re.compile(r'"(?P<quoted>[^"]*)"|(?:text|mbox)\s*(?:\((?P<round>[^()]*)\)|\{(?P<curly>[^{}]*)\})')


_COLOR = re.compile(r"color\s*(?:\(\s*[\w#]+\s*\)|\{\s*[\w#]+\s*\})")  # a colour is not part of what is said


def _alternatives(words: list[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


def _pattern(fonts: bool) -> re.Pattern[str]:
    words = [*_SYMBOLS, *_UNARY, *_AROUND, *_BINARY, *_OPEN, *_CLOSE]
    words = words if fonts else [word for word in words if word not in _FONTS]
    return re.compile(rf"{_TEXT.pattern}|\d+(?:\.\d+)?|{_alternatives(words)}|\S", re.DOTALL)


_NAMES_OF_WORDS = [word for word in {*_SYMBOLS, *_UNARY, *_AROUND, *_BINARY} if len(word) > 2 and word.isalpha()]
_LONG_WORDS = re.compile(f"{_TEXT.pattern}|{_alternatives(_NAMES_OF_WORDS)}")
_TOKENS = {fonts: _pattern(fonts) for fonts in (True, False)}


def looks_like_asciimath(text: str) -> bool:
    """Return whether a text between backticks or the like is a formula: no word in it but those of the notation."""
    if len(text) > 400 or "\n\n" in text or not text.strip():
        return False
    return re.search(r"[A-Za-z]{3}", _LONG_WORDS.sub(" ", text)) is None and re.search(r"\w", text) is not None


@dataclass
class _Group:
    """What stands between brackets: its parts between commas, each as LaTeX, and which of them are groups."""

    left: str
    right: str = ""
    parts: list[str] = field(default_factory=list)
    groups: list["_Group | None"] = field(default_factory=list)


def asciimath_to_latex(source: str, fonts: bool = True) -> str:
    """Return the LaTeX of a formula; without `fonts`, `bf(x)` is a product and not a bold letter.

    Raises:
        UnreadableError: its brackets nest too deep.
    """
    return _Reader(list(_TOKENS[fonts].finditer(_COLOR.sub("", source)))).whole()


class _Reader:
    """A formula's tokens and the place up to which they are read."""

    def __init__(self, found: list[re.Match[str]]) -> None:
        """Take tokens in order."""
        self.found, self.at, self.depth = found, 0, 0

    def whole(self) -> str:
        """Return the LaTeX of all tokens; brackets that close nothing are printed."""
        pieces: list[str] = []
        while self.at < len(self.found):
            parts, _ = self._parts("")
            pieces += [",".join(parts)]
            if self.at < len(self.found):
                pieces.append(_CLOSE[self._take()])
        return joined(pieces).strip()

    def _peek(self) -> str:
        return self.found[self.at][0] if self.at < len(self.found) else ""

    def _take(self) -> str:
        self.at += 1
        return self.found[self.at - 1][0]

    def _parts(self, left: str) -> tuple[list[str], list[_Group | None]]:
        """Read up to a closing bracket or the end: what is between commas, and whether that is one group."""
        parts: list[str] = []
        groups: list[_Group | None] = []
        pieces: list[str] = []
        only: list[_Group | None] = []
        while self._peek() not in ("", *_CLOSE) and not (left == "|" and self._peek() == "|"):
            if self._peek() == "," and self._take():
                parts, groups, pieces, only = [*parts, joined(pieces)], [*groups, _single(only)], [], []
                continue
            latex, group = self._fraction()
            pieces.append(latex)
            only.append(group)
        return [*parts, joined(pieces)], [*groups, _single(only)]

    def _fraction(self) -> tuple[str, _Group | None]:
        above, group = self._scripted()
        if self._peek() != "/":
            return above, group
        self._take()
        below, under = self._scripted()
        return f"\\frac{{{_bare(above, group)}}}{{{_bare(below, under)}}}", None

    def _scripted(self) -> tuple[str, _Group | None]:
        base, group = self._simple()
        lower = self._script("_")
        upper = self._script("^")
        lower = lower or (self._script("_") if upper else "")
        if not lower and not upper:
            return base, group
        return base + (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else ""), None

    def _script(self, sign: str) -> str:
        if self._peek() != sign or self.at + 1 >= len(self.found):
            return ""
        self._take()
        return _bare(*self._simple()) or "{}"

    def _simple(self) -> tuple[str, _Group | None]:
        if self._peek() in ("", *_CLOSE):
            return "", None
        found = self.found[self.at]
        token = self._take()
        words = next((found[name] for name in ("quoted", "round", "curly") if found[name] is not None), None)
        if words is not None:
            return f"\\text{{{words}}}", None
        if token in _OPEN:
            return self._group(token)
        if token in _UNARY:
            return f"{_UNARY[token]}{{{_bare(*self._simple())}}}", None
        if token in _AROUND:
            left, right = _AROUND[token]
            return joined([left, _bare(*self._simple()), right]), None
        if token in _BINARY:
            return self._binary(token), None
        return _SYMBOLS.get(token) or command_for(token), None

    def _binary(self, token: str) -> str:
        first, second = _bare(*self._simple()), _bare(*self._simple())
        return f"\\sqrt[{first}]{{{second}}}" if token == "root" else f"{_BINARY[token]}{{{first}}}{{{second}}}"

    def _group(self, left: str) -> tuple[str, _Group | None]:
        self.depth += 1
        if self.depth > _DEPTH:
            raise UnreadableError("brackets too deep")
        group = _Group(left)
        group.parts, group.groups = self._parts(left)
        group.right = self._take() if self._peek() in _CLOSE else ":}"
        self.depth -= 1
        return _shown(group), group


def _single(groups: list[_Group | None]) -> _Group | None:
    return groups[0] if len(groups) == 1 else None


def _bare(latex: str, group: _Group | None) -> str:
    """Return a script's or a fraction's part without the brackets that only hold it together."""
    return ",".join(group.parts) if group is not None and _matrix(group) is None and group.left != "{:" else latex


def _shown(group: _Group) -> str:
    table = _matrix(group)
    if table is not None:
        return table
    return joined([_OPEN[group.left], ",".join(group.parts), _CLOSE[group.right]])


def _matrix(group: _Group) -> str | None:
    """Return rows of one length between brackets of one kind as a matrix; one row is a list."""
    rows = [inner for inner in group.groups if inner is not None and inner.left in ("(", "[")]
    if len(rows) < 2 or len(rows) != len(group.groups) or len({(row.left, len(row.parts)) for row in rows}) > 1:
        return None
    if (group.left, group.right) == ("{", "}"):
        return None  # a set of points
    name = FENCES.get((group.left + group.right).replace(":}", "").replace("{:", ""), "matrix")
    body = r" \\ ".join(" & ".join(row.parts) for row in rows)
    return f"\\begin{{{name}}}{body}\\end{{{name}}}"
