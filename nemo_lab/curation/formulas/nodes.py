r"""Where a page keeps its formulas, and the LaTeX of each: the pre-pass's knowledge of markup.

Lynx prints MathML as raw tags, leaves out MathJax's scripts and `data-` attributes and writes `b<sup>n+1</sup>`
as `b^n+1` (measured, section 2 of notebook 01). Each form below is a function from an element to its formula;
`formula_of` asks them in an order in which a formula that is there twice (KaTeX, Wikipedia, MathJax 3 show one
and carry another for screen readers) is taken once, and from its TeX source where the page has that.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from nemo_lab.curation.formulas.latex import strip_delimiters
from nemo_lab.curation.formulas.mathml import to_latex
from nemo_lab.curation.formulas.tree import tag_of

_TEX_ATTRIBUTES = (
    "data-latex",
    "data-tex",
    "data-math",
    "data-katex",
    "data-formula",
    "data-equation",
    "data-raw-text",
    "data-expr",
    "data-tex-source",
    "data-original-tex",
)
_MATH_CLASS = re.compile(
    r"(?:^|[\s_-])(?:math|tex|latex|formula\w*|equation|mwe-math\S*|eqn?)(?=$|[\s_-])", re.IGNORECASE
)
_MATH_SOURCE = re.compile(
    r"latex\.php|codecogs|mathtex|mimetex|cht=tx|/math/|/tex/|texrendr|l\.wordpress\.com|\?(?:math|tex|latex)=",
    re.IGNORECASE,
)
_LATEX_LOOK = re.compile(r"\\[A-Za-z]+|[\^_]\{|[A-Za-z0-9)]\^[A-Za-z0-9]|\\[(\[]|^\s*\$.+\$\s*$")
_PROSE = re.compile(r"(?<![\\\w{])[A-Za-z]{3,}(?![\w}])")
_STRUCTURE = frozenset(
    (
        "mfrac",
        "msup",
        "msub",
        "msubsup",
        "msqrt",
        "mroot",
        "mover",
        "munder",
        "munderover",
        "mtable",
        "mmultiscripts",
    )
)


@dataclass(frozen=True)
class Formula:
    """A formula found in a page: LaTeX without delimiters (empty: a node without a formula), and its layout."""

    latex: str
    display: bool
    form: str  # which markup it came from


def formula_of(element: Any, tag: str) -> Formula | None:
    """Return the formula that this element stands for, or None when it is not one."""
    if tag in _BY_TAG:
        return _BY_TAG[tag](element)
    classes = element.get("class")
    if classes:
        found = _by_class(element, set(classes.split()))
        if found:
            return found
    return _data(element) if any(name.startswith("data-") for name in element.keys()) else None  # noqa: SIM118


def _by_class(element: Any, classes: set[str]) -> Formula | None:
    if classes & {"katex", "katex-display", "katex-block"}:
        return _katex(element, "katex" not in classes)
    if "katex-html" in classes and (before := element.getprevious()) is not None:
        return Formula("", False, "rendering of a script") if "katex-mathml" in (before.get("class") or "") else None
    if "mwe-math-element" in classes:
        return _wikipedia(element)
    if classes & {"MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_CHTML", "MathJax_Preview"}:
        return _mathjax2(element)
    if ("math" in classes and classes & {"inline", "display", "notranslate"}) or "language-math" in classes:
        return _math_class(element, "display" in classes or tag_of(element) in ("div", "pre"))
    if classes == {"math"} and not len(element) and _is_tex(element.text or ""):
        return _math_class(element, tag_of(element) == "div")
    if "ql-formula" in classes and element.get("data-value"):  # Quill, the editor
        return Formula(_unwrapped(element.get("data-value")), False, "data attribute")
    return None


def _is_tex(text: str) -> bool:
    """Return whether a text looks like LaTeX and not like a sentence about it."""
    return bool(_LATEX_LOOK.search(text)) and ("\\" in text or len(_PROSE.findall(text)) < 3)


def _script(element: Any) -> Formula | None:
    kind = (element.get("type") or "").lower()
    source = element.text or ""
    if kind.startswith("math/tex"):
        return Formula(_unwrapped(source), "mode=display" in kind.replace(" ", ""), "MathJax 2 script")
    if kind.startswith("math/mml"):
        return Formula(_parsed(source), 'display="block"' in source, "MathJax 2 script")
    return None


def _mathjax2(element: Any) -> Formula | None:
    """Return the rendering that MathJax 2 left in a saved page; its script, if it follows, has the source."""
    following = element.getnext()
    if following is not None and tag_of(following) == "script":
        return Formula("", False, "rendering of a script")
    source = element.get("data-mathml") or next(
        (e.get("data-mathml") for e in element.iter() if e.get("data-mathml")), ""
    )
    display = "Display" in (element.get("class") or "") or 'display="block"' in source
    if source:
        return Formula(_parsed(source), display, "data-mathml")
    math = next((inner for inner in element.iter() if tag_of(inner) == "math"), None)  # for screen readers
    return None if math is None else Formula(_source_of(math), display or math.get("display") == "block", "MathML")


def _katex(element: Any, display: bool) -> Formula | None:
    math = next((inner for inner in element.iter() if tag_of(inner) == "math"), None)
    if math is None:
        return None
    return Formula(_source_of(math), display or math.get("display") == "block", "KaTeX")


def _mathjax3(element: Any) -> Formula:
    display = element.get("display") in ("true", "block")
    for inner in element.iter():
        if source := inner.get("data-latex"):
            return Formula(_unwrapped(source), display, "MathJax data-latex")
        if tag_of(inner) == "math":
            return Formula(_source_of(inner), display, "MathJax 3")
    return Formula("", display, "MathJax 3")


def _math(element: Any) -> Formula:
    display = element.get("display") == "block" or element.get("mode") == "display"
    return Formula(_source_of(element), display, "MathML")


def _source_of(math: Any) -> str:
    """Return a `<math>` element's TeX: annotation, `data-latex`, `alttext` that is TeX, else converted MathML."""
    for inner in math.iter():
        if tag_of(inner) == "annotation" and "tex" in (inner.get("encoding") or "").lower():
            return _unwrapped("".join(inner.itertext()))
    if source := math.get("data-latex"):
        return _unwrapped(source)
    alternative = math.get("alttext") or ""
    if alternative and (_LATEX_LOOK.search(alternative) or not _structured(math)):
        return _unwrapped(alternative)
    return to_latex(math)


def _structured(math: Any) -> bool:
    return any(tag_of(inner) in _STRUCTURE for inner in math.iter())


def equation_table(table: Any) -> Formula | None:
    """Return the equations that LaTeXML lays out as a table, a cell for each side, as one alignment."""
    if "ltx_eqn_table" not in (table.get("class") or "").split():
        return None
    rows = []
    for row in table.iter("tr"):
        cells = [[math for math in cell.iter() if tag_of(math) == "math"] for cell in row.iter("td")]
        rows.append([" ".join(map(_cell, cell)) for cell in cells if cell])
    if sum(map(len, rows)) < 2 or not all(rows):
        return None
    if len(rows) == 1:
        return Formula(" ".join(rows[0]), True, "MathML")
    body = r" \\ ".join(" & ".join(row) for row in rows)
    return Formula(f"\\begin{{aligned}}{body}\\end{{aligned}}", True, "MathML")


def _cell(math: Any) -> str:
    return re.sub(r"^\\displaystyle(?![A-Za-z])\s*", "", _source_of(math))


def _wikipedia(element: Any) -> Formula:
    for inner in element.iter():
        if tag_of(inner) == "math":
            return Formula(_source_of(inner), inner.get("display") == "block", "Wikipedia")
        if tag_of(inner) == "img" and inner.get("alt"):
            return Formula(_unwrapped(inner.get("alt")), "display" in (inner.get("class") or ""), "Wikipedia")
    return Formula("", False, "Wikipedia")


def _image(element: Any) -> Formula | None:
    """Return an image's formula when its class, source or text says that it shows one."""
    text = element.get("alt") or element.get("title") or ""
    classes, source = element.get("class") or "", element.get("src") or ""
    display = "Dsp" in classes or "display" in classes or text.strip().startswith(("\\[", "\\begin{displaymath}"))
    if "Wirisformula" in classes and element.get("data-mathml"):
        return Formula(_parsed(element.get("data-mathml").translate(_WIRIS)), False, "data-mathml")
    if _MATH_SOURCE.search(source):
        latex = text if _LATEX_LOOK.search(text) else _query(source) or text
        return Formula(_unwrapped(latex), display, "image")
    if text and (_MATH_CLASS.search(classes) or _is_tex(text)):
        return Formula(_unwrapped(text), display, "image")
    return None


_WIRIS = str.maketrans("«»¨§", '<>"&')  # how the editor of many course pages writes markup in an attribute


def _query(source: str) -> str:
    """Return the TeX in the address of an image that a service draws: `…?latex=`, `…?\\frac{1}{2}`, `chl=`."""
    query = urlsplit(source).query if len(source) < 10_000 else ""
    named = dict(parse_qsl(query))
    return next((named[key] for key in ("latex", "chl", "tex", "eq", "math") if key in named), unquote(query))


def _data(element: Any) -> Formula | None:
    """Return the formula of a `data-` attribute; such an element shows a rendering or waits for a script."""
    for name in _TEX_ATTRIBUTES:
        source = element.get(name)
        if source and source.strip() and len(source) < 20_000:
            display = tag_of(element) == "div" or "display" in (element.get("class") or "")
            display = display or element.get("data-display") == "true" or element.get("data-math-style") == "display"
            return Formula(_unwrapped(source), display, "data attribute")
    if element.get("data-mathml"):
        return Formula(_parsed(element.get("data-mathml")), False, "data-mathml")
    if element.get("data-math-style"):
        return Formula(
            _unwrapped("".join(element.itertext())), element.get("data-math-style") == "display", "math class"
        )
    return None


def _math_class(element: Any, display: bool) -> Formula | None:
    """Return the TeX in `<span class="math inline">`, or what its `<em>` and `<sup>` amount to."""
    if any(
        tag_of(inner) in ("math", "script", "img") or "katex" in (inner.get("class") or "") for inner in element.iter()
    ):
        return None  # a wrapper; the formula is inside
    text = "".join(element.itertext()).strip()
    numbered = _NUMBERED.match(text)  # Sphinx puts an equation's number before it
    inside, delimited = strip_delimiters(text[numbered.end() :] if numbered else text)
    if delimited is not None:
        return Formula(_unwrapped(inside), delimited or display, "delimiters")
    if len(element) and not _LATEX_LOOK.search(text):
        from nemo_lab.curation.formulas.scripts import html_formula

        return Formula(html_formula(element), display, "HTML")
    return Formula(_unwrapped(text), display, "math class") if text else None


_NUMBERED = re.compile(r"\([\w.-]{1,12}\)[¶#\uf0c1]?\s*(?=\\\[)")


def _parsed(markup: str) -> str:
    """Return the LaTeX of MathML in a string."""
    import lxml.etree
    import lxml.html

    if len(markup) > 200_000:
        return ""
    try:
        fragment = lxml.html.fragment_fromstring(markup, create_parent="div")
    except (lxml.etree.LxmlError, ValueError):
        return ""
    math = next((inner for inner in fragment.iter() if tag_of(inner) == "math"), None)
    return "" if math is None else _source_of(math)


def _unwrapped(latex: str) -> str:
    r"""Strip delimiters, CDATA and Wikipedia's `{\displaystyle …}`."""
    latex = re.sub(r"^\s*(?:%\s*)?<!\[CDATA\[|(?:%\s*)?\]\]>\s*$", "", latex)
    latex = strip_delimiters(latex)[0]
    named = re.fullmatch(r"\\begin\{(displaymath|equation\*?|math)\}(.*)\\end\{\1\}", latex, re.DOTALL)
    latex = named[2].strip() if named else latex
    wrapped = re.fullmatch(r"\{\\(?:displaystyle|textstyle)(?![A-Za-z])\s*(.*)\}", latex, re.DOTALL)
    return wrapped[1].strip() if wrapped else latex


_BY_TAG: dict[str, Callable[[Any], Formula | None]] = {
    "script": _script,
    "mjx-container": _mathjax3,
    "math": _math,
    "img": _image,
}
