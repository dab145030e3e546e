r"""TeX between delimiters in running text, and which delimiters a page's own scripts look for.

Text between `\(…\)`, `\[…\]`, `$$…$$`, in AMS environments and in forum tags is a formula as it stands. A single
`$` is one only where no price can be meant, `##` (PhysicsForums) only where no heading and no macro can. Pages
configure MathJax and KaTeX for signs of their own (`$$$`, `#`, a backtick for AsciiMath); those are read from the
configuration, and where it names `$`, what no author would write between two prices is a formula too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nemo_lab.curation.formulas.asciimath import asciimath_to_latex, looks_like_asciimath
from nemo_lab.curation.formulas.formula import is_prose, is_symbols
from nemo_lab.curation.formulas.tree import UnreadableError

Keep = Callable[[str, bool], str]
_TAGS = r"i?tex|latex|i?math|mathjax(?:inline)?|katex|eqn"
_MORE = r"(?:\s[^\]\[\n]{0,60})?"  # what a forum's tag says besides its name
_PARTS = r"[bBpvV]?matrix\*?|smallmatrix|d?cases|array|split|aligned|gathered|CD"  # MathJax reads these in a text too
# No formula holds its own opener, so each search stops at the next one and the whole stays linear.
_TEXT_MATH = re.compile(
    r"(?<!\\)\\\((?P<inline>(?:(?!\\\().)+?)\\\)|(?<!\\)\\\[(?P<display>(?:(?!\\\[).)+?)\\\]"
    r"|\$(?P<ticks>`[^`$\n]{1,400}`)\$|(?<!\$)\${6}(?P<six>[^$]+)\${6}(?!\$)|(?<!\$)\${3}(?P<three>[^$\s](?:[^$]*[^$\s])?)\${3}(?!\$)"
    r"|(?<!\$)\$\$(?P<dollars>[^$](?:[^$]|\$(?!\$))*?)\$\$"
    r"|\\begin\{(?P<name>(?:equation|align|flalign|alignat|eqnarray|gather|multline|displaymath)\*?|math)\}"
    r"(?P<body>(?:(?!\\begin\{(?:equation|align\*?\}|flalign|alignat|eqnarray|gather\*?\}|multline|displaymath|math\})).)+?)\\end\{(?P=name)\}"
    rf"|\\begin\{{(?P<part>{_PARTS})\}}(?P<inside>(?:(?!\\begin\{{(?P=part)\}}).)+?)\\end\{{(?P=part)\}}"
    rf"|\[(?P<tag>(?i:{_TAGS}))(?P<more>{_MORE})\](?P<forum>(?:(?!\[(?i:{_TAGS}){_MORE}\]).)+?)\[/(?P=tag)\]"
    r"|(?<![#\w\\&])##(?P<hashes>[^#\n]{1,400}?)##(?![#\w])"
    r"|(?<![\\$\w])\$(?P<single>[^\s$](?:(?:[^$\n]|\n(?!\s*\n)){0,400}?[^\s$\\])?)\$(?![\w$])",
    re.DOTALL,
)
_FIRST = frozenset("$\\[#")
_CHEAP = re.compile(rf"\\[(\[]|\$|\\begin|\[/(?i:{_TAGS})\]|##")
_MATHEMATICAL = re.compile(r"\\[A-Za-z]+|[\^_=<>+]|^[A-Za-z]$|^[A-Za-z]\(|^-?\d+$|^[A-Za-z],\s?[A-Za-z]$")
_HASHED = re.compile(r"\\[A-Za-z]+|(?<![A-Za-z])[A-Za-z]\s?[\^_]|[^=!<>]=[^=]|^\s*[A-Za-z]\s*$|^\s*[A-Za-z]\(")
_PRICE = re.compile(r"\d[\d,]*(?:\.\d+)?[,;.]?\s+[A-Za-z]")
_PROGRAM = re.compile(r"\b(?:kill|echo|pid|ps|bash|tmp|exec|trap|SELECT|BEGIN|RETURN)\b|[;&]\s*[A-Za-z]{2}")
_TAG = re.compile(rf"\[(/?)(?i:{_TAGS}){_MORE}\]")
_LOOKS = re.compile(r"(?:&(?:bg|fg|s)=\w*)+$")  # colours and size, as WordPress lets them stand behind a formula
_STANDARD = frozenset(("$", "$$", r"\(", r"\[", r"\)", r"\]", r"\begin{equation}"))
_QUOTED = r"""(?:"((?:[^"\\]|\\.){1,24})"|'((?:[^'\\]|\\.){1,24})')"""
_LIST = re.compile(r"(?P<key>inlineMath|displayMath|delimiters)[\"']?\s*:\s*\[(?P<pairs>[^;]{0,600}?\])\s*\]")
_PAIR = re.compile(rf"\[\s*{_QUOTED}\s*,\s*{_QUOTED}\s*\]")
_AUTO = re.compile(
    rf"left[\"']?\s*:\s*{_QUOTED}\s*,\s*[\"']?right[\"']?\s*:\s*{_QUOTED}(?:\s*,\s*[\"']?display[\"']?\s*:\s*(true|!0))?"
)
_ASCII = re.compile(r"ASCIIMath(?:ML\w*|TeXImg)?\b|asciimath2jax|input/asciimath|config=(?:[\w-]*-)?AM_", re.IGNORECASE)
_LONGEST_SCRIPT = 50_000  # characters of a script that configures


@dataclass(frozen=True)
class _Pair:
    """Signs round a formula that a page declares."""

    left: str
    right: str
    display: bool
    ascii: bool

    def pattern(self) -> re.Pattern[str]:
        left, right = re.escape(self.left), re.escape(self.right)
        return re.compile(rf"(?<!\\){left}((?:(?!{left}).){{1,2000}}?){right}", re.DOTALL)


@dataclass(frozen=True)
class Delimiters:
    """What stands round formulas in a page's text.

    Attributes:
        first: the first characters of what stands before a formula.
        pairs: signs that the page declares besides the usual ones, with the pattern of each.
        dollars: whether the page declares the single dollar.
    """

    first: frozenset[str] = _FIRST
    pairs: tuple[tuple[_Pair, re.Pattern[str]], ...] = ()
    dollars: bool = False


def declared(root: Any) -> Delimiters:
    """Return what a page's scripts look for round formulas."""
    pairs: dict[str, _Pair] = {}
    ascii_, dollars = False, False
    for script in root.iter("script"):
        text = f"{script.get('src') or ''} {(script.text or '')[:_LONGEST_SCRIPT]}"
        if (script.get("type") or "").startswith("math/"):
            continue
        found = list(_declared_in(text))
        dollars = dollars or any(pair.left == "$" for pair in found)
        ascii_ = ascii_ or bool(_ASCII.search(text))
        pairs |= {pair.left: pair for pair in found if pair.left not in _STANDARD}
    if ascii_ and not any(pair.ascii for pair in pairs.values()):
        pairs["`"] = _Pair("`", "`", False, True)
    longest = sorted(pairs.values(), key=lambda pair: -len(pair.left))
    first = _FIRST | {pair.left[0] for pair in longest}
    return Delimiters(first, tuple((pair, pair.pattern()) for pair in longest), dollars)


def _declared_in(text: str) -> list[_Pair]:
    """Return the pairs that a configuration of MathJax or of KaTeX's auto-render names."""
    pairs = []
    for found in _LIST.finditer(text):
        ascii_ = found["key"] == "delimiters" and "ascii" in text[max(0, found.start() - 200) : found.start()].lower()
        signs = [[_unescaped(sign) for sign in pair.groups() if sign] for pair in _PAIR.finditer(found["pairs"])]
        pairs += [_Pair(left, right, found["key"] == "displayMath", ascii_) for left, right in signs]
    for found in _AUTO.finditer(text):
        left, right = (_unescaped(sign) for sign in found.groups()[:4] if sign)
        pairs.append(_Pair(left, right, bool(found[5]), False))
    return [pair for pair in pairs if not pair.left.isalnum()]


def _unescaped(sign: str) -> str:
    return re.sub(r"\\(.)", r"\1", sign)


def is_open(text: str) -> bool:
    """Return whether a display formula begins in the text and does not end in it."""
    if "$$" in text and text.count("$$") % 2:
        return True
    tags = [found[1] for found in _TAG.finditer(text)]
    if 2 * tags.count("/") < len(tags):
        return True
    return text.count("\\[") > text.count("\\]") or text.count("\\begin{") > text.count("\\end{")


def hold_text_math(text: str, keep: Keep, delimiters: Delimiters | None = None) -> str:
    """Return the text with each delimited formula replaced by `keep(latex, display)`."""
    delimiters = delimiters or Delimiters()
    for pair, pattern in delimiters.pairs:
        text = pattern.sub(lambda found, pair=pair: _declared_formula(found, pair, keep), text)  # type: ignore[misc]
    if not _CHEAP.search(text):
        return text
    return _TEXT_MATH.sub(lambda found: _held(found, keep, delimiters.dollars), text)


def _declared_formula(found: re.Match[str], pair: _Pair, keep: Keep) -> str:
    """Keep what stands between declared signs; one sign alone may be meant as itself."""
    if not found[1].strip():
        return found[0]
    if pair.ascii:
        return _kept_ascii(found, keep) if looks_like_asciimath(found[1]) else found[0]
    return found[0] if len(pair.left) == 1 and not _is_formula(found[1].strip()) else keep(found[1], pair.display)


def _kept_ascii(found: re.Match[str], keep: Keep) -> str:
    try:
        return keep(asciimath_to_latex(found[1]), False)
    except UnreadableError:
        return keep("", False)


def _held(found: re.Match[str], keep: Keep, dollars: bool) -> str:
    if (single := found["single"]) is not None:
        formula = _is_formula(single) or (dollars and is_symbols(single) and not _PRICE.match(single))
        return keep(_LOOKS.sub("", single.removeprefix("latex ")), False) if formula else found[0]
    if (doubtful := found["hashes"] or found["three"]) is not None:
        formula = not is_prose(doubtful) and bool(found["three"] or _HASHED.search(doubtful))
        return keep(doubtful, False) if formula else found[0]
    if found["dollars"] is not None and not _is_displayed(found):
        return found[0]
    if found["part"]:
        return keep(found[0], True)
    if found["name"] == "math" or "display" in (found["more"] or ""):
        return keep(found["body"] or found["forum"], not found["name"])
    if found["name"]:
        return keep(_environment(found["name"], found["body"]), True)
    inline = found["inline"] or found["forum"] or (found["ticks"] or "").strip("`")
    return keep(inline or found["display"] or found["six"] or found["dollars"].strip("`"), not inline)


def _is_displayed(found: re.Match[str]) -> bool:
    """Return whether `$$…$$` is a formula, and not two numbers of a process, two variables or a quoted program."""
    text = found["dollars"]
    if re.search(r"\\[A-Za-z]|[\^_]\{|\w[\^_]\w|`", text):
        return True
    glued = re.match(r"[A-Za-z0-9]", found.string[found.end() : found.end() + 1])
    words = re.search(r"[A-Za-z]{2}", text) and not re.search(r"[=^_<>]", text)
    return not glued and not words and not _PROGRAM.search(text) and not is_prose(text)


def _is_formula(text: str) -> bool:
    """Return whether the text between two dollars is a formula and not the words between two prices."""
    if "\n" in text or len(text) > 80:
        return bool(re.search(r"\\[A-Za-z]+|[\^_]\{|\w[\^_]\w", text))
    return bool(_MATHEMATICAL.search(text))


def _environment(name: str, body: str) -> str:
    """Return an environment's content; alignments stay environments, since `&` needs one."""
    bare = name.rstrip("*")
    if bare in ("equation", "displaymath"):
        return body
    if bare == "alignat":
        bare, body = "align", re.sub(r"^\s*\{\d+\}", "", body)
    inner = "aligned" if bare in ("align", "flalign", "eqnarray") else "gathered"
    return f"\\begin{{{inner}}}{body}\\end{{{inner}}}"
