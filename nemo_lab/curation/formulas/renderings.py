"""Formulas that pages show as a rendering: KaTeX, MathJax 2 to 4, mathjax-node, Wikipedia.

Most renderings carry the source too (annotation, `data-latex`, `aria-label`, MathML for screen readers, a script
behind them), and then that is taken, once. What carries none is read from its glyphs, and what cannot be read is a
formula without LaTeX, which the page's report counts as lost.
"""

import re
from collections import Counter
from typing import Any

from nemo_lab.curation.formulas import katex, mathjax
from nemo_lab.curation.formulas.formula import Formula, is_symbols, is_tex, parsed, read, source_of, unwrapped
from nemo_lab.curation.formulas.latex import strip_delimiters
from nemo_lab.curation.formulas.tree import classed, tag_of

COPY = "rendering of a script"  # the form of what stands in the page a second time
_NOT_PRINTED = re.compile(r"[\s\u200b\u2061-\u2064\u00a0]+")
_SHOWN_BY_2 = frozenset(
    ("MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_SVG_Display", "MathJax_CHTML", "MathJax_Preview")
)
_OF_2 = _SHOWN_BY_2 | {
    "MathJax_PHTML",
    "MathJax_MathML",
    "MJXc-display",
    "mjx-chtml",
    "mjpage",
    "mjpage__block",
    "mjx-math",
}
_ERRORS = ("katex-error", "temml-error")
_MAIN = ("mjx-container", "mjx-math")


def rendered(element: Any, classes: frozenset[str]) -> Formula | None:
    """Return the formula of an element whose class says that it is a rendering."""
    if classes & {"katex", "katex-display", "katex-block", "katex--display", "katex--inline", *_ERRORS}:
        return _katex(element, not classes & {"katex", "katex--inline", *_ERRORS})
    if "katex-mathml" in classes or "katex-html" in classes:
        return _katex_part(element, classes)
    if "mwe-math-element" in classes:
        return _wikipedia(element)
    if classes & _OF_2:
        return _mathjax2(element, classes)
    return None


def _first(element: Any, name: str) -> Any:
    return next((inner for inner in element.iter() if tag_of(inner) == name), None)


def _katex(element: Any, display: bool) -> Formula | None:
    """Return KaTeX's formula: from its annotation, its stripped text, its glyphs, or the TeX that it did not draw."""
    math = _first(element, "math")
    if math is not None:
        return Formula(source_of(math), display or math.get("display") == "block", "KaTeX")
    display = display or any("katex-display" in classed(inner) for inner in element.iter("span"))
    parts = {
        name: inner
        for inner in element.iter("span")
        for name in classed(inner)
        if name in ("katex-mathml", "katex-html")
    }
    if "katex-mathml" in parts:
        return Formula(_stripped(parts["katex-mathml"], parts.get("katex-html")), display, "KaTeX")
    if "katex-html" in parts:
        return Formula(read(katex.mathml_of, parts["katex-html"]), display, "KaTeX")
    return None if len(element) else _not_drawn(element, display)


def _not_drawn(element: Any, display: bool) -> Formula | None:
    """Return the TeX that stands where KaTeX should draw it; its report of an error is no formula."""
    text = (element.text or "").strip()
    inside, delimited = strip_delimiters(text)
    if text.startswith("KaTeX parse error"):
        return Formula("", display, "KaTeX")
    if delimited is None and not is_tex(text) and not is_symbols(text):
        return None
    return Formula(unwrapped(inside), delimited or display, "KaTeX")


def _katex_part(element: Any, classes: frozenset[str]) -> Formula | None:
    """Return the formula of a part of KaTeX that stands without its wrapper."""
    before = element.getprevious()
    if "katex-html" in classes:
        if before is not None and "katex-mathml" in classed(before):
            return Formula("", False, COPY)
        return Formula(read(katex.mathml_of, element), False, "KaTeX")
    if _first(element, "math") is not None:
        return None
    following = element.getnext()
    shown = following if following is not None and "katex-html" in classed(following) else None
    return Formula(_stripped(element, shown), False, "KaTeX")


def _stripped(copy: Any, shown: Any) -> str:
    """Return the TeX behind the flat text of MathML, whose elements a site took out.

    What is flat has the characters that the rendering shows, so the TeX begins where they are used up.
    """
    text = "".join(copy.itertext())
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    flat = "" if shown is None else _NOT_PRINTED.sub("", "".join(shown.itertext()))
    source = _behind(text, Counter(flat)) if flat else ""
    if source or len(lines) > 1:
        return unwrapped(source or lines[-1])
    return (read(katex.mathml_of, shown) if shown is not None else "") or _halved(text.strip())


def _behind(text: str, shown: Counter[str]) -> str:
    """Return what stands behind the characters that are shown, in whatever order; empty when others come between."""
    left = shown.total()
    for at, letter in enumerate(text):
        if left == 0:
            return text[at:].strip()
        if not _NOT_PRINTED.match(letter):
            if not shown[letter]:
                return ""
            shown[letter] -= 1
            left -= 1
    return ""


def _halved(text: str) -> str:
    """Return the second half of a text whose first half is what the second prints."""
    for at in range(1, min(len(text), 400)):
        if _printed(text[:at]) == _printed(text[at:]):
            return text[at:]
    return ""


def _printed(latex: str) -> str:
    return re.sub(r"\\[A-Za-z]+|[{}^_\\\s]|[^\x00-\x7f]", "", latex)


def _wikipedia(element: Any) -> Formula:
    for inner in element.iter():
        if tag_of(inner) == "math":
            return Formula(source_of(inner), inner.get("display") == "block", "Wikipedia")
        if tag_of(inner) == "img" and inner.get("alt"):
            return Formula(unwrapped(inner.get("alt")), "display" in (inner.get("class") or ""), "Wikipedia")
    text = "".join(element.itertext()).strip()  # of a copy that a translator or an editor has simplified
    return Formula(unwrapped(text) if is_tex(text) or is_symbols(text) else "", False, "Wikipedia")


def _mathjax2(element: Any, classes: frozenset[str]) -> Formula | None:
    """Return the rendering that MathJax 2 left in a saved page; its script, if it follows, has the source."""
    if _has_script(element):
        return Formula("", False, COPY)
    display = bool(classes & {"mjpage__block", "MJXc-display"}) or "Display" in (element.get("class") or "")
    source = next((e.get("data-mathml") for e in element.iter() if e.get("data-mathml")), "")
    if source:
        return Formula(parsed(source), display or 'display="block"' in source, "data-mathml")
    math = _first(element, "math")  # for screen readers
    if math is not None:
        return Formula(source_of(math), display or math.get("display") == "block", "MathML")
    if _first(element, "script") is not None or "MathJax_Preview" in classes:
        return None
    display = display or any(
        "mjpage__block" in classed(inner) or "MJXc-display" in classed(inner) for inner in element.iter("span")
    )
    if latex := _labelled(element):
        return Formula(latex, display, "MathJax label")
    return Formula(read(mathjax.mathml_of, element), display, "MathJax glyphs") if _is_drawn(element) else None


def _has_script(element: Any) -> bool:
    """Return whether the source of a rendering or of a preview follows it, perhaps behind another rendering."""
    following = element.getnext()
    for _ in range(2):
        if following is None:
            return False
        if tag_of(following) == "script":
            return True
        if not classed(following) & _SHOWN_BY_2:
            return False
        if "MathJax_Preview" in classed(element):
            return True
        following = following.getnext()
    return False


def _is_drawn(element: Any) -> bool:
    """Return whether an element of MathJax's class holds a drawing, and is not what an author called so."""
    drawn = {"mjx-char", "mjx-mrow", "mjx-math", "math", "mi", "mo", "mn", "mrow"}
    return any(
        tag_of(inner) in ("svg", "nobr") or classed(inner) & drawn for inner in element.iter("svg", "nobr", "span")
    )


def _labelled(element: Any) -> str:
    """Return the TeX that a rendering has as its label or as the title of its SVG; what is spoken is not."""
    for inner in element.iter():
        label = inner.get("aria-label") or inner.get("alttext") or ""
        label = "".join(inner.itertext()) if tag_of(inner) == "title" else label
        if label.strip() and (is_tex(label) or ("mjx-math" in classed(inner) and is_symbols(label))):
            return unwrapped(label)
        if tag_of(inner) == "title" and "MathJax" in (inner.get("id") or "") and is_symbols(label):
            return unwrapped(label)
    return ""


def mathjax3(element: Any) -> Formula:
    """Return the formula of a container of MathJax 3 and 4."""
    display = element.get("display") in ("true", "block")
    for inner in element.iter():
        top = tag_of(inner) in _MAIN or inner.get("data-mml-node") == "math"
        if top and (source := inner.get("data-latex")):
            return Formula(unwrapped(source), display, "MathJax data-latex")
        if tag_of(inner) == "math":
            return Formula(source_of(inner), display, "MathJax 3")
        if "mjx-copytext" in classed(inner):
            source, shown = strip_delimiters("".join(inner.itertext()))
            return Formula(unwrapped(source), display or bool(shown), "MathJax 3")
    latex = _labelled(element) or _waiting(element) or read(mathjax.mathml_of, element)
    return Formula(latex, display, "MathJax glyphs")


def _waiting(container: Any) -> str:
    """Return the TeX that stands in a container until a script draws it."""
    if any(tag_of(inner).startswith("mjx-") or tag_of(inner) == "svg" for inner in container.iterdescendants()):
        return ""
    text = "".join(container.itertext()).strip()
    return unwrapped(text) if is_tex(text) or strip_delimiters(text)[1] is not None else ""


def svg_formula(svg: Any) -> Formula | None:
    """Return the formula that an SVG of MathJax shows: from its title, or drawn box by box."""
    latex = _labelled(svg)
    if latex:
        return Formula(latex, False, "MathJax label")
    if any(inner.get("data-mml-node") for inner in svg.iter()):
        return Formula(read(mathjax.mathml_of, svg), False, "MathJax glyphs")
    glyphs = any(
        "MJ" in (inner.get("id") or "") + "".join(inner.values())
        for inner in svg.iter("use", "path", "{*}use", "{*}path")
    )
    return Formula("", False, "MathJax glyphs") if glyphs else None
