r"""Characters and names of formulas in one spelling: x² is x^{2}, ½ is \frac{1}{2}, × is *, \leqslant is <=.

Compatibility characters become plain ones (NFKC), but not before exponents and fractions are written out: x² is not
x2, and 1½ not 11/2.
"""

from __future__ import annotations

import html
import re
import unicodedata


def _turned(names: dict[str, str]) -> dict[str, str]:
    """Return a table from each of several spellings, parted by spaces, to the one."""
    return {other: name for name, others in names.items() for other in others.split()}


_FUNCTIONS = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp ln log lg"
_GREEK = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi
    psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"""
_ACCENTS = "overline bar vec hat widehat tilde dot ddot overrightarrow mathcal mathfrak"
FUNCTIONS = frozenset(_FUNCTIONS.split())
GREEK = frozenset(_GREEK.split())
OTHER_LETTERS = frozenset(("ell", "hbar"))  # written as commands only
ACCENTS = frozenset(_ACCENTS.split())  # commands that make another variable of what they are put on

# Commands of TeX, and words of plain text, that say the same as another.
_COMMANDS = {
    "frac": "dfrac tfrac cfrac nicefrac sfrac",
    "binom": "dbinom tbinom",
    "infty": "infinity inf oo",
    "emptyset": "varnothing oslash",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "arctg atan",
    "tan": "tg",
    "cot": "ctg cotan",
    "theta": "vartheta",
    "phi": "varphi",
    "epsilon": "varepsilon",
    "setminus": "backslash smallsetminus",
    "approx": "simeq",
    "angle": "measuredangle",
}
_SIGNS = {
    "*": "cdot times ast",
    "/": "div",
    "<=": "le leq leqslant",
    ">=": "ge geq geqslant",
    "!=": "ne neq",
    "<": "lt",
    ">": "gt",
    "=": "coloneqq",
    "|": "vert lvert rvert mid",
    "||": "| Vert lVert rVert",
    "...": "ldots dots cdots dotsc dotsb",
    "%": "%",
    "$": "$ textdollar",
    "\\{": "{ lbrace",
    "\\}": "} rbrace",
    "[": "lbrack",
    "]": "rbrack",
    "(": "lparen",
    ")": "rparen",
    "°": "degree textdegree",
    "'": "prime",
    "&": "&",
    "_": "_",
    "#": "#",
    "and": "land wedge",
    "or": "lor vee",
    ":": "colon",
}
_WORDS = {"%": "percent percentage pct", "°": "degrees degree deg", "and": "and", "or": "or"}
COMMANDS = _turned(_COMMANDS)
SIGNS_OF_COMMANDS = _turned(_SIGNS)
SIGNS_OF_WORDS = _turned(_WORDS)
NAMED = FUNCTIONS | GREEK | frozenset(COMMANDS) | {"sqrt", "infty"}

# Characters beyond ASCII: by the command or by the sign that says the same.
_CHARACTERS = {
    **{
        "infty": "∞",
        "le": "≤ ⩽ ≦",
        "ge": "≥ ⩾ ≧",
        "ne": "≠",
        "approx": "≈",
        "pm": "±",
        "mp": "∓",
        "cup": "∪ ⋃",
        "cap": "∩ ⋂",
    },
    **{"in": "∈", "emptyset": "∅", "R": "ℝ", "Z": "ℤ", "N": "ℕ", "Q": "ℚ", "C": "ℂ", "sqrt": "√", "angle": "∠"},
    **{"lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "langle": "⟨", "rangle": "⟩", "setminus": "∖"},
    **{"equiv": "≡", "to": "→", "sum": "∑", "int": "∫", "partial": "∂", "prod": "∏", "triangle": "△"},
    **{"phi": "ϕ", "epsilon": "ϵ", "theta": "ϑ", "mu": "µ", "sigma": "ς"},
}
_CHARACTER_SIGNS = {
    **{"*": "× ⋅ · ∙", "/": "÷ ∕ ⁄", "-": "− – — ‐ ‑ ﹣", "'": "′ ’ ʹ", "°": "° º", "...": "… ⋯", "|": "∣", ":": "∶"},
    "\\text{cents}": "¢",
    ",": "、",
    " or ": "或",
    " and ": "和 且 与",
    "": "“ ” \u200b \u200c \u200d \u2060 \ufeff",
}
_BY_COMMAND = _turned(_CHARACTERS)
_BY_SIGN = _turned(_CHARACTER_SIGNS)
PRODUCT = re.compile(r"[A-Za-z]{1,2}(?:sin|cos|tan|cot|sec|csc|log|ln|exp)[a-z]{0,2}")  # no word: Mgsin, rsinx
_KEPT = "€£¥₹"
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙᵢ", "0123456789+-()ni0123456789+-()ni")
_ROOT = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?|[A-Za-zπ])", re.ASCII)
_DEGREES = {"√": "", "∛": "[3]", "∜": "[4]"}
_ENTITIES = re.compile(r"&(?:#\d{1,7}|lt|gt|le|ge|ne|times|minus|divide|radic|pi|deg|nbsp|sup2|sup3|frac12);")
_UNION = re.compile(r"(?<=[\])])\s*U\s*(?=(?:\\left\s*)?[(\[][^()\[\]]*,)")
_TIME = re.compile(  # 3:45 p.m.
    r"(?P<time>\d:\d\d)(?:\s|~|\\[ ,])*"
    r"(?P<group>\\(?:text|mathrm)\s*\{\s*)?(?P<half>[ap])\.?\s?m(?![a-z])\.?(?(group)\s*\})",
    re.IGNORECASE,
)
_PHRASES = (  # of units
    (re.compile(r"\b(?:square|sq\.?) (?!root|unit)([a-z]{2,20})\b"), r"\1^2"),
    (re.compile(r"\b(?:cubic|cu\.?) (?!root|unit)([a-z]{2,20})\b"), r"\1^3"),
    (re.compile(r"(?<=[a-z]) per (?=[a-z])"), "/"),
    (re.compile(r"\bmph\b"), "miles/hour"),
    (re.compile(r"\b(?:kph|kmh)\b"), "km/hour"),
)
_TAGS = re.compile(r"</?(?:b|strong|i|em|u|answer|p|span|code|div|math)>", re.ASCII)


def one_spelling(text: str) -> str:
    """Return the text with signs of Unicode as ASCII or LaTeX; x² keeps its exponent, ½ its fraction."""
    text = _ENTITIES.sub(lambda match: html.unescape(match[0]), text)
    text = _TAGS.sub("", re.sub(r"<su([pb])>([^<>]*)</su[pb]>", _script, text))
    text = re.sub("[⁰¹²³⁴-⁹⁺⁻⁽⁾ⁿⁱ]+", r"^{\g<0>}", text)
    text = re.sub("[₀-₉₊₋₍₎ₙᵢ]+", r"_{\g<0>}", text).translate(_RAISED)
    text = _UNION.sub(r"\\cup ", text)
    text = _TIME.sub(lambda match: f"{match['time']}\\text{{{match['half'].lower()}m}}", text)
    for phrase, written in _PHRASES:
        text = phrase.sub(written, text)
    text = _ROOT.sub(lambda match: f"\\sqrt{_DEGREES[match[1]]}{{{match[2]}}}", text)
    return text if text.isascii() else "".join(map(_spelled, text))


def _script(match: re.Match[str]) -> str:
    return f"{'^' if match[1] == 'p' else '_'}{{{match[2]}}}"


def _spelled(character: str) -> str:
    """Return one character as ASCII, where there is a way."""
    if character.isascii() or character in _KEPT:
        return character
    if character in _BY_SIGN:
        return _BY_SIGN[character]
    name = _BY_COMMAND.get(character) or _greek(character)
    if name:
        return f"\\{name} "
    if unicodedata.decomposition(character).startswith("<circle>"):  # a label: ① and ③ are no 13
        return character
    plain = unicodedata.normalize("NFKC", character)
    top, slash, bottom = plain.partition("⁄")
    return f"\\frac{{{top}}}{{{bottom}}}" if slash and top and bottom else plain


def _greek(character: str) -> str:
    words = unicodedata.name(character, "").split()
    if words[:1] != ["GREEK"] or len(words) != 4 or words[2] != "LETTER":
        return ""
    name = {"LAMDA": "lambda"}.get(words[3], words[3].lower())
    name = name.capitalize() if words[1] == "CAPITAL" else name
    return name if name in GREEK else ""
