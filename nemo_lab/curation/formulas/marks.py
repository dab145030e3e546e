"""What marks of MathML are called in LaTeX (alphabets, accents, brackets), and how pieces are put together."""

import re

from nemo_lab.curation.formulas.symbols import FUNCTIONS, command_for

RELATION = re.compile(r"\s*(?:[=<>]|\\(?:leq|geq|neq|equiv|approx|sim|in|subset|to|rightarrow)(?![A-Za-z]))")
_STRUCK = re.compile(r"(\\[A-Za-z]+|[^\s\\])\u0338")  # a relation with a stroke through it
STYLES = {
    "bold": "mathbf",
    "bold-italic": "boldsymbol",
    "double-struck": "mathbb",
    "script": "mathcal",
    "bold-script": "mathcal",
    "fraktur": "mathfrak",
    "bold-fraktur": "mathfrak",
    "sans-serif": "mathsf",
    "monospace": "mathtt",
}
ACCENTS = {
    "^": "hat",
    "ˆ": "hat",
    "¯": "bar",
    "‾": "bar",
    "―": "bar",
    "–": "bar",
    "—": "bar",
    "_": "bar",
    "ˉ": "bar",
    "~": "tilde",
    "˜": "tilde",
    "→": "vec",
    "⃗": "vec",
    "˙": "dot",
    ".": "dot",
    "¨": "ddot",
    "ˇ": "check",
    "˘": "breve",
    "´": "acute",
    "`": "grave",
    "⏞": "overbrace",
    "︷": "overbrace",
    "̂": "hat",
    "̃": "tilde",
    "̄": "bar",
    "−": "bar",
    "⇀": "vec",
    "∼": "tilde",
    "\u0308": "ddot",
    "\u0307": "dot",
    "\u030c": "check",
    "\u0306": "breve",
    "\u0301": "acute",
    "\u0300": "grave",
    "\u0305": "bar",
}
WIDE = {"hat": "widehat", "tilde": "widetilde", "bar": "overline", "vec": "overrightarrow"}
UNDER = {
    "_": "underline",
    "⏟": "underbrace",
    "︸": "underbrace",
    "¯": "underline",
    "\u0332": "underline",
    "‾": "underline",
    "―": "underline",
    "–": "underline",
}
FENCES = {
    "()": "pmatrix",
    "[]": "bmatrix",
    "||": "vmatrix",
    "‖‖": "Vmatrix",
    "∥∥": "Vmatrix",
    "{}": "Bmatrix",
    "{": "cases",
}
ESCAPED = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "\\": r"\backslash", "_": r"\_"}


def joined(parts: list[str]) -> str:
    """Join, with a blank where a control word would swallow the letter behind it."""
    text = ""
    for part in filter(None, parts):
        swallows = text[-1:].isalpha() and part[:1].isalnum() and "\\" in text[-25:]
        text += f" {part}" if swallows else part
    return text


def letters(text: str) -> str:
    """Return characters as LaTeX; control words keep apart from letters behind them."""
    spelled = joined([ESCAPED.get(letter) or command_for(letter) for letter in text])
    return _STRUCK.sub(r"\\not\1", spelled) if "\u0338" in spelled else spelled


def styled(style: str, inside: str) -> str:
    """Return letters in an alphabet; those that are in it already (ℝ in `double-struck`) stay as they are."""
    return inside if inside.startswith(f"\\{style}{{") else f"\\{style}{{{inside}}}"


def _base(text: str) -> str:
    """Brace what is more than one symbol, so that a script belongs to all of it."""
    single = len(text) <= 1 or text == "{}" or not text.strip("'") or (text[0] == "\\" and text[1:].isalpha())
    closed = text.startswith("\\") and text.endswith("}") and _one_command(text)
    return text if single or closed else f"{{{text}}}"


def _one_command(text: str) -> bool:
    """Return whether the text is one command with its arguments (`\\mathbf{x}`)."""
    depth, ended = 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        ended += letter == "}" and depth == 0 and at < len(text) - 1 and text[at + 1] != "{"
        if depth == 0 and letter != "}" and at and not letter.isalpha():
            return False
    return not ended and depth == 0


def scripts(base: str, lower: str, upper: str) -> str:
    """Return a base with its scripts, primes as `'`."""
    primes = upper.replace(r"\prime", "'").replace(" ", "")
    if primes and not primes.strip("'"):
        return f"{_base(base)}{primes}" + (f"_{{{lower}}}" if lower else "")
    return _base(base) + (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else "")


def is_operator(base: str) -> bool:
    """Return whether limits are written as scripts of it: sums, `\\lim`, underbraces."""
    name = base.strip().removeprefix("\\")
    big = ("sum", "prod", "coprod", "int", "iint", "iiint", "oint", "surd")
    return name in FUNCTIONS or name in big or name.startswith(("big", "operatorname", "underbrace", "overbrace"))


def limits(base: str, below: str, above: str) -> str:
    """Return what stands under and over: scripts of an operator, `\\underset` and `\\overset` of anything else."""
    if is_operator(base):
        return scripts(base, below, above)
    text = f"\\overset{{{above}}}{{{base}}}" if above else base
    return f"\\underset{{{below}}}{{{text}}}" if below else text


# What `<menclose>` draws, inner strokes first; what LaTeX has no command for is spelt as MathJax's extension does.
_ENCLOSURES = {
    "radical": r"\sqrt{#}",
    "longdiv": r"\overline{)#}",
    "actuarial": r"\overline{#|}",
    "phasorangle": r"\angle #",
    "updiagonalstrike": r"\cancel{#}",
    "downdiagonalstrike": r"\bcancel{#}",
    "updiagonalarrow": r"\cancelto{}{#}",
    "horizontalstrike": r"\enclose{horizontalstrike}{#}",
    "verticalstrike": r"\enclose{verticalstrike}{#}",
    "circle": r"\enclose{circle}{#}",
    "top": r"\overline{#}",
    "bottom": r"\underline{#}",
}


def enclosed(inside: str, notation: str) -> str:
    """Return a formula with what `<menclose>`'s notations draw through, over, under and round it."""
    drawn = set(notation.lower().split())
    if drawn & {"box", "roundedbox"} or drawn >= {"left", "right", "top", "bottom"}:
        drawn -= {"left", "right", "top", "bottom"}
        inside = f"\\boxed{{{inside}}}"
    if drawn >= {"updiagonalstrike", "downdiagonalstrike"}:
        drawn -= {"updiagonalstrike", "downdiagonalstrike"}
        inside = f"\\xcancel{{{inside}}}"
    for stroke, shape in _ENCLOSURES.items():
        inside = shape.replace("#", inside, 1) if stroke in drawn else inside
    left, right = ("|" if side in drawn else "." for side in ("left", "right"))
    return inside if left == right == "." else joined([f"\\left{left}", f" {inside}", f"\\right{right}"])
