"""What marks of MathML are called in LaTeX: alphabets, accents, brackets round tables, escaped characters."""

import re

RELATION = re.compile(r"\s*(?:[=<>]|\\(?:leq|geq|neq|equiv|approx|sim|in|subset|to|rightarrow)(?![A-Za-z]))")
STYLES = {
    "bold": "mathbf", "bold-italic": "boldsymbol", "double-struck": "mathbb", "script": "mathcal",
    "bold-script": "mathcal",
    "fraktur": "mathfrak", "bold-fraktur": "mathfrak", "sans-serif": "mathsf", "monospace": "mathtt",
}  # fmt: skip
ACCENTS = {
    "^": "hat", "ˆ": "hat", "¯": "bar", "‾": "bar", "―": "bar", "_": "bar", "ˉ": "bar", "~": "tilde", "˜": "tilde",
    "→": "vec", "⃗": "vec", "˙": "dot", ".": "dot", "¨": "ddot", "ˇ": "check", "˘": "breve", "´": "acute", "`": "grave",
    "⏞": "overbrace", "︷": "overbrace", "̂": "hat", "̃": "tilde", "̄": "bar", "−": "bar", "⇀": "vec", "∼": "tilde",
    "\u0308": "ddot", "\u0307": "dot", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave",
    "\u0305": "bar",
}  # fmt: skip
WIDE = {"hat": "widehat", "tilde": "widetilde", "bar": "overline", "vec": "overrightarrow"}
UNDER = {
    "_": "underline", "⏟": "underbrace", "︸": "underbrace", "¯": "underline", "\u0332": "underline", "‾": "underline",
    "―": "underline",
}  # fmt: skip
FENCES = {
    "()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "‖‖": "Vmatrix", "∥∥": "Vmatrix", "{}": "Bmatrix", "{": "cases",
}  # fmt: skip
ESCAPED = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&", "$": r"\$", "\\": r"\backslash", "_": r"\_"}
