r"""Formulas that are only HTML: `<i>x</i><sup>n+1</sup>`.

`<sup>` and `<sub>` become `^{…}` and `_{…}`, whose braces say how far the script reaches; what is not
mathematics (ordinals, footnotes, trade marks) is left alone.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from nemo_lab.curation.formulas.symbols import FUNCTIONS, command_for
from nemo_lab.curation.formulas.tree import tag_of

_NOT_SCRIPTS = re.compile(r"(?:st|nd|rd|th|e|er|re|o|a|tm|sm|®|™|\*+|[\[(†‡§¶].*|\d+\s*[,;]\s*\d+)", re.IGNORECASE)


def is_script(element: Any) -> bool:
    """Return whether a `<sup>` or `<sub>` is a script of what stands before it, and not a footnote or an ordinal."""
    text = "".join(element.itertext()).strip()
    if not text or len(text) > 60 or _NOT_SCRIPTS.fullmatch(text):
        return False
    linked = any(tag_of(inner) == "a" for inner in element.iter())
    return not linked and _before(element)[-1:].strip() != ""


def _before(element: Any) -> str:
    """Return the text directly before the element."""
    previous = element.getprevious()
    if previous is not None:
        return previous.tail or "".join(previous.itertext())
    parent = element.getparent()
    return (parent.text or "") if parent is not None else ""


def script_text(element: Any, tag: str) -> str:
    """Return `^{…}` or `_{…}`, with scripts inside scripts."""
    return ("^" if tag == "sup" else "_") + "{" + _inside(element, lambda text: text, 0).strip() + "}"


def html_formula(element: Any) -> str:
    r"""Return the LaTeX of a formula written in HTML: `<em>x</em><sup>2</sup> ≤ <em>π</em>` is `x^{2} \leq \pi`.

    Where variables are set in italics, upright letters are words, functions or constants.
    """
    italics = any(tag_of(inner) in ("em", "i", "var") for inner in element.iter())
    return " ".join(_inside(element, partial(_as_latex, upright=italics), 0).split())


def _as_latex(text: str, upright: bool) -> str:
    spelled = "".join(f"{c} " if (c := _ESCAPED.get(x) or command_for(x))[:1] == "\\" else c for x in text)
    return re.sub(r"(?<![\\A-Za-z{])[A-Za-z]+", lambda word: _upright(word[0]), spelled) if upright else spelled


def _upright(word: str) -> str:
    if word in FUNCTIONS:
        return f"\\{word} "
    return f"\\operatorname{{{word}}}" if len(word) > 1 else f"\\mathrm{{{word}}}"


_ESCAPED = {"{": r"\{", "}": r"\}", "%": r"\%", "#": r"\#", "&": r"\&"}
_ALPHABETS = {"strong": "mathbf", "b": "mathbf", "code": "mathtt", "tt": "mathtt"}


def _inside(element: Any, spell: Callable[[str], str], depth: int) -> str:
    pieces = [spell(element.text or "")]
    for child in element:
        tag = tag_of(child)
        own = (
            partial(spell, upright=False)
            if isinstance(spell, partial) and tag in ("em", "i", "var", "strong", "b")
            else spell
        )
        inner = _inside(child, own, depth + 1) if depth < 20 else own("".join(child.itertext()))
        if isinstance(spell, partial) and tag in _ALPHABETS and inner.strip():
            inner = f"\\{_ALPHABETS[tag]}{{{inner.strip()}}}"
        if tag in ("sup", "sub"):
            inner = ("^" if tag == "sup" else "_") + "{" + inner.strip() + "}"
        pieces += [inner if tag else "", spell(child.tail or "")]
    return "".join(pieces)
