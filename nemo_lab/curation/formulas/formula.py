r"""A formula found in a page, and its LaTeX out of what pages put round it: delimiters, wrappers, whole documents."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nemo_lab.curation.formulas.latex import strip_delimiters
from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.curation.formulas.tree import UnreadableError, tag_of

LATEX_LOOK = re.compile(r"\\[A-Za-z]+|[\^_]\{|[A-Za-z0-9)]\^[A-Za-z0-9]|\\[(\[]|^\s*\$.+\$\s*$")
_PROSE = re.compile(r"(?<![\\\w{])[A-Za-z]{3,}(?![\w}])")
_LONGEST_MARKUP = 200_000  # characters of MathML in a string
_STRUCTURE = frozenset(
    ("mfrac", "msup", "msub", "msubsup", "msqrt", "mroot", "mover", "munder", "munderover", "mtable", "mmultiscripts")
) | {"menclose"}


@dataclass(frozen=True)
class Formula:
    """A formula found in a page: LaTeX without delimiters (empty: a node without a formula), and its layout."""

    latex: str
    display: bool
    form: str  # which markup it came from


def is_tex(text: str) -> bool:
    """Return whether a text looks like LaTeX and not like a sentence about it."""
    return bool(LATEX_LOOK.search(text)) and ("\\" in text or not is_prose(text))


def is_prose(text: str) -> bool:
    """Return whether three words or more stand in it that are no commands."""
    return len(_PROSE.findall(text)) > 2


def is_symbols(text: str) -> bool:
    """Return whether a text that should be a formula can be one: no word but those of commands, and not long."""
    return 0 < len(text.strip()) < 400 and not re.search(r"(?<![\\\w{])[A-Za-z]{4,}(?![\w}])", text)


def read(draw: Callable[[Any], Any], rendering: Any) -> str:
    """Return the LaTeX of what a reader of renderings makes of one; empty when it cannot be read."""
    try:
        return to_latex(draw(rendering))
    except UnreadableError:
        return ""


def source_of(math: Any) -> str:
    """Return a `<math>` element's TeX: annotation, `data-latex`, `alttext` that is TeX, else converted MathML."""
    for inner in math.iter():
        if tag_of(inner) == "annotation" and "tex" in (inner.get("encoding") or "").lower():
            return unwrapped(_noted("".join(inner.itertext())))
    if source := math.get("data-latex"):
        return unwrapped(source)
    alternative = math.get("alttext") or ""
    if alternative and (LATEX_LOOK.search(alternative) or not _structured(math)):
        return unwrapped(alternative)
    text = "".join(math.itertext())
    if not len(math) and LATEX_LOOK.search(text):  # MediaWiki's own element, or one that a script will fill
        return unwrapped(text)
    return to_latex(math)


def _noted(text: str) -> str:
    """Return an annotation's TeX; a learning platform's editor wraps it in JSON."""
    if not text.lstrip().startswith('{"'):
        return text
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return held["math"] if isinstance(held, dict) and isinstance(held.get("math"), str) else text


def _structured(math: Any) -> bool:
    return any(tag_of(inner) in _STRUCTURE for inner in math.iter())


def parsed(markup: str) -> str:
    """Return the LaTeX of MathML in a string."""
    import lxml.etree
    import lxml.html

    if len(markup) > _LONGEST_MARKUP:
        return ""
    try:
        fragment = lxml.html.fragment_fromstring(markup, create_parent="div")
    except (lxml.etree.LxmlError, ValueError):
        return ""
    math = next((inner for inner in fragment.iter() if tag_of(inner) == "math"), None)
    return "" if math is None else source_of(math)


def unwrapped(latex: str) -> str:
    r"""Strip delimiters, CDATA, a document round it and Wikipedia's `{\displaystyle …}`."""
    latex = re.sub(r"^\s*(?:%\s*)?<!\[CDATA\[|(?:%\s*)?\]\]>\s*$", "", latex)
    latex = strip_delimiters(body_of(latex))[0]
    named = re.fullmatch(r"\\begin\{(displaymath|equation\*?|math)\}(.*)\\end\{\1\}", latex, re.DOTALL)
    latex = named[2].strip() if named else latex
    wrapped = re.fullmatch(r"\{\\(?:displaystyle|textstyle)(?![A-Za-z])\s*(.*)\}", latex, re.DOTALL)
    return wrapped[1].strip() if wrapped else latex


def body_of(latex: str) -> str:
    """Return what a whole document prints, as journals write one round each formula; anything else as it is."""
    return latex.partition(r"\begin{document}")[2].partition(r"\end{document}")[0] or latex
