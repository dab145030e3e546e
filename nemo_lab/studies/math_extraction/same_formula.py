r"""One string for all LaTeX sources that print the same formula: how extracted formulas are compared.

Recall of formulas needs an equality that is neither byte for byte (a converter from MathML cannot know whether
its author wrote `\le` or `\leq`) nor so loose that a lost exponent goes unseen. The canonical form drops what
changes only spacing, the size of brackets and display style, spells synonyms one way, and sets every optional
brace: `x^2_i`, `x_{i}^{2}` and `{x}_i^{2}` become one. Structure (what is a script of what, what stands over a
fraction's bar, rows and columns) is kept. For comparing only; the corpus keeps `latex.tidy`.
"""

import re
from collections.abc import Sequence

from nemo_lab.curation.formulas.latex import ARGUMENTS, LONGEST, strip_delimiters, tidy, tokens
from nemo_lab.curation.formulas.symbols import FUNCTIONS, command_for

_SPACING = frozenset((r"\,", r"\;", r"\:", r"\!", r"\>", r"\quad", r"\qquad", "~", "\\ "))
_NOTHING = frozenset(
    (
        r"\,",
        r"\;",
        r"\:",
        r"\!",
        r"\>",
        r"\quad",
        r"\qquad",
        r"\enspace",
        r"\thinspace",
        r"\medspace",
        r"\thickspace",
        r"\negthinspace",
        "~",
        r"\left",
        r"\right",
        r"\middle",
        r"\big",
        r"\Big",
        r"\bigg",
        r"\Bigg",
        r"\bigl",
        r"\Bigl",
        r"\biggl",
        r"\Biggl",
        r"\bigr",
        r"\Bigr",
        r"\biggr",
        r"\Biggr",
        r"\bigm",
        r"\Bigm",
        r"\displaystyle",
        r"\textstyle",
        r"\scriptstyle",
        r"\scriptscriptstyle",
        r"\limits",
        r"\nolimits",
        r"\strut",
        r"\mathstrut",
        r"\mathopen",
        r"\mathclose",
        r"\mathbin",
        r"\mathrel",
        r"\mathord",
        r"\mathop",
        r"\mathpunct",
        r"\allowbreak",
        r"\large",
        r"\Large",
        r"\small",
        r"\hfill",
        r"\notag",
        r"\nonumber",
    )
)
_SAME = {
    "le": "leq",
    "ge": "geq",
    "ne": "neq",
    "to": "rightarrow",
    "gets": "leftarrow",
    "land": "wedge",
    "lor": "vee",
    "lnot": "neg",
    "owns": "ni",
    "iff": "Longleftrightarrow",
    "implies": "Longrightarrow",
    "parallel": "Vert",
    "lVert": "Vert",
    "rVert": "Vert",
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "dots": "ldots",
    "cdots": "ldots",
    "dotsc": "ldots",
    "dotsb": "ldots",
    "dotsm": "ldots",
    "text": "mathrm",
    "textrm": "mathrm",
    "mbox": "mathrm",
    "hbox": "mathrm",
    "textnormal": "mathrm",
    "operatorname": "mathrm",
    "operatorname*": "mathrm",
    "textbf": "mathbf",
    "boldsymbol": "mathbf",
    "bm": "mathbf",
    "pmb": "mathbf",
    "textit": "mathit",
    "mathscr": "mathcal",
    "Bbb": "mathbb",
    "texttt": "mathtt",
    "varnothing": "emptyset",
    "overline": "bar",
    "widehat": "hat",
    "widetilde": "tilde",
    "overrightarrow": "vec",
    "stackrel": "overset",
    "smallsetminus": "setminus",
    "backslash": "setminus",
    "leqslant": "leq",
    "geqslant": "geq",
    "varepsilon": "epsilon",
    "varphi": "phi",
    "Longleftrightarrow": "Longleftrightarrow",
}
_CHARACTERS = {
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\vert": "|",
    r"\mid": "|",
    r"\colon": ":",
    r"\ast": "*",
    r"\prime": "'",
    r"\lt": "<",
    r"\gt": ">",
    r"\_": "_",
    r"\#": "#",
    r"\%": "%",
    r"\$": "$",
    r"\|": r"\Vert",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\cr": r"\\",
    r"\newline": r"\\",
}
_SWITCHES = {r"\rm": "mathrm", r"\bf": "mathbf", r"\it": "mathit", r"\cal": "mathcal", r"\tt": "mathtt"}
_INFIX = {r"\over": r"\frac{%s}{%s}", r"\choose": r"\binom{%s}{%s}", r"\atop": r"\atop{%s}{%s}"}
_FENCES = {
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "vmatrix": ("|", "|"),
    "Vmatrix": (r"\Vert ", r"\Vert "),
    "Bmatrix": (r"\{", r"\}"),
    "cases": (r"\{", ""),
    "array": ("", ""),
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
}
_COLUMN = "\x01"  # stands for the `&` of a matrix until alignments round it have dropped theirs
_INNER_MATH = re.compile(r"(\\(?:text|textrm|mbox|hbox|textnormal))\s*\{[^{}$]*\$[^${}]*\$[^{}$]*\}")
_DEPTH = 100  # of groups; deeper formulas are malformed or hostile and stay as they are


def normal_form(latex: str) -> str:
    """Return the form that formulas of the same look share; idempotent."""
    text = tidy(strip_delimiters(latex)[0]).strip()
    pieces = [piece for piece in map(_spelled, _pieces(text)) if piece]
    if len(text) > LONGEST or _nesting(pieces) > _DEPTH:
        return text
    return _group(pieces[::-1], "").replace(_COLUMN, "&").removeprefix("{}").strip().rstrip(".,;").strip()


def _pieces(text: str) -> list[str]:
    """Return the formula's tokens, with characters as commands and a space before a script as its empty base."""
    if not text.isascii():
        text = "".join(_letter(letter) for letter in text)
    text = _INNER_MATH.sub(lambda found: found[0].replace("$", "}", 1).replace("$", f"{found[1]}{{", 1), text)
    text = re.sub(r"\\(?:left|right|[bB]igg?[lrm]?)\s*\.(?!\d)", "", text)
    text = re.sub(r"\.\s?\.\s?\.", r"\\ldots ", text)
    found = [piece for piece in tokens(text) if not piece.isspace()]
    return [
        "{}" if here in _SPACING and there in ("_", "^") else here
        for here, there in zip(found, [*found, ""][1:], strict=True)
    ]


def _letter(letter: str) -> str:
    command = letter if letter.isascii() else command_for(letter)
    return f"{command} " if command[:1] == "\\" and command != letter else command


def _spelled(piece: str) -> str:
    if piece in _NOTHING:
        return ""
    piece = _CHARACTERS.get(piece, piece)
    name = piece.removeprefix("\\")
    return f"\\{_SAME.get(name, name)}" if piece[:1] == "\\" and name[:1].isalpha() else piece


def _nesting(pieces: Sequence[str]) -> int:
    """Return an upper bound of the recursion: groups, environments and scripts that are open at a time."""
    depth = deepest = chain = 0
    for piece in pieces:
        chain = chain + 1 if piece in ("^", "_") or piece[0] == "\\" else 0
        depth += (piece in ("{", r"\begin")) - (piece in ("}", r"\end"))
        deepest = max(deepest, depth + chain)
    return deepest


def _group(stack: list[str], end: str) -> str:
    """Return the canonical form of what comes up to the token `end`; the stack's top is its last element."""
    items = ""
    while stack:
        piece = stack.pop()
        if piece == end:
            break
        if piece in _INFIX:
            return _INFIX[piece] % (items, _group(stack, end))
        if piece in _SWITCHES:
            return f"{items}\\{_SWITCHES[piece]}{{{_group(stack, end)}}}"
        if piece in ("^", "_", "'"):
            items += _scripts([*stack, piece], stack)
        else:
            items += _atom(piece, stack)
    return items


def _scripts(ahead: list[str], stack: list[str]) -> str:
    """Return all scripts that follow each other, the lower ones first."""
    stack[:] = ahead
    found = {"_": "", "^": ""}
    while stack and stack[-1] in ("^", "_", "'"):
        kind = stack.pop()
        script = "'" if kind == "'" else _argument(stack)
        found["_" if kind == "_" else "^"] += re.sub(r"^\^\{('+)\}$", r"\1", script)
    return "".join(f"{kind}{{{script}}}" for kind, script in found.items() if script)


def _argument(stack: list[str]) -> str:
    if not stack or stack[-1] == "}":
        return ""
    piece = stack.pop()
    return "'" if piece == "'" else _atom(piece, stack)


def _atom(piece: str, stack: list[str]) -> str:
    """Return one symbol, group, command with its arguments, or environment."""
    name = piece.removeprefix("\\")
    if piece == "{":
        return _group(stack, "}") or ("{}" if stack and stack[-1] in ("_", "^") else "")
    if piece == r"\matrix":
        return f"\\matrix{{{_argument(stack).replace('&', _COLUMN)}}}"
    if piece == r"\begin":
        return _environment(_argument(stack), stack)
    if piece == r"\sqrt" and stack and stack[-1] == "[":
        stack.pop()
        return f"\\sqrt[{_group(stack, ']')}]{{{_argument(stack)}}}"
    if piece in (r"\tag", r"\tag*"):
        _argument(stack)
        return ""
    if piece in (r"\pmod", r"\mod", r"\bmod"):
        found = r"\mathrm{mod}" + (_argument(stack) if piece != r"\bmod" else "")
        return f"({found})" if piece == r"\pmod" else found
    if piece[0] == "\\" and name in ARGUMENTS:
        arguments = [_argument(stack) for _ in range(ARGUMENTS[name])]
        return _applied(name, arguments)
    return piece + " " if piece[0] == "\\" and name.isalpha() else piece


def _applied(name: str, arguments: list[str]) -> str:
    if name == "mathrm" and not arguments[0]:
        return ""
    if name == "mathrm" and arguments[0] in FUNCTIONS:
        return f"\\{arguments[0]} "
    return f"\\{name}" + "".join(f"{{{argument}}}" for argument in arguments)


def _environment(name: str, stack: list[str]) -> str:
    """Return an environment's body: rows and columns of a matrix, rows alone of an alignment."""
    name = re.sub(r"\s|\*", "", name)
    if name == "array":
        if stack and stack[-1] == "[":
            stack.pop()
            _group(stack, "]")
        _argument(stack)
    body = re.sub(r"&+(?=\\\\|$)", "", re.sub(r"(\\\\)+$", "", _group(stack, r"\end")))
    _argument(stack)
    if name in _FENCES:
        left, right = _FENCES[name]
        return f"{left}\\matrix{{{body.replace('&', _COLUMN)}}}{right}"
    return body.replace("&", "")
