r"""Where a page keeps its formulas, and the LaTeX of each: the pre-pass's knowledge of markup.

Lynx prints MathML as raw tags, leaves out MathJax's scripts and `data-` attributes and writes `b<sup>n+1</sup>`
as `b^n+1` (measured, section 2 of notebook 01). Each form below is a function from an element to its formula;
`formula_of` asks them in an order in which a formula that is there twice (KaTeX, Wikipedia, MathJax 3 show one
and carry another for screen readers) is taken once, and from its TeX source where the page has that. An element
that is a formula and cannot be read gives a formula without LaTeX: it is counted, and marked in the text.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from nemo_lab.curation.formulas import word
from nemo_lab.curation.formulas.asciimath import asciimath_to_latex
from nemo_lab.curation.formulas.formula import (
    LATEX_LOOK,
    Formula,
    body_of,
    is_symbols,
    is_tex,
    parsed,
    read,
    source_of,
    unwrapped,
)
from nemo_lab.curation.formulas.images import CLASS, image_formula
from nemo_lab.curation.formulas.latex import strip_delimiters
from nemo_lab.curation.formulas.renderings import mathjax3, rendered, svg_formula
from nemo_lab.curation.formulas.tree import UnreadableError, classed, is_nested, tag_of

_TEX_ATTRIBUTES = (
    "data-latex",
    "data-tex",
    "data-math",
    "data-katex",
    "data-formula",
    "data-equation",
    "data-equation-content",
    "data-raw-text",
    "data-expr",
    "data-tex-source",
    "data-original-tex",
    "data-latex-source",
    "data-katex-source",
    "data-mathtex",
)
_JSON_ATTRIBUTES = ("data-attrs", "data-module", "data-props")
_JSON_KEYS = ("persistentExpression", "latex", "katex", "tex")
_NAMED = re.compile(r"math|katex|temml|mjx|mjpage|mwe-|(?:la)?tex(?!t)|formula|equation|eqn?\b", re.IGNORECASE)
_DELIMITER = re.compile(
    r"\$|\\[(\[]|\\begin\{(?:equation|align|gather|multline|eqnarray)|\\(?:documentclass|usepackage)"
)
_LONGEST_ATTRIBUTE = 20_000
_WRITTEN = frozenset(
    [
        "mathjax",
        "tex-math",
        "la-tex",
        "d-math",
        "dt-math",
        "math-field",
        "math-span",
        "math-div",
        "math-jax",
        "stem",
        "asciimath",
        "latex",
        "tex",
        "katex",
        "eq",
        "eqn",
    ]
)


_WORDS_TOO = frozenset(("latex", "tex", "katex", "eq", "eqn"))  # some sites mark up the word, or a whole text


def formula_of(element: Any, tag: str) -> Formula | None:
    """Return the formula that this element stands for, or None when it is not one."""
    if tag in _BY_TAG:
        return _BY_TAG[tag](element)
    if tag == "pre" and (found := _fenced(element)):
        return found
    if tag in _WRITTEN:
        return None if is_nested(element) else _written(element)
    attributes = element.keys()
    if not attributes:
        return None
    if _is_named(element.get("class") or "") and not is_nested(element):
        classes = classed(element)
        found = rendered(element, classes) or _by_class(element, classes)
        if found:
            return found
    return _data(element) if any(name.startswith("data-") for name in attributes) else None


@lru_cache(4096)  # a page has few classes and asks for them thousands of times
def _is_named(classes: str) -> bool:
    return _NAMED.search(classes) is not None


def _fenced(block: Any) -> Formula | None:
    """Return the formula of a block of Markdown whose language is `math`, which a script has not drawn yet."""
    program = block[0] if len(block) == 1 and tag_of(block[0]) == "code" else block
    if block.get("lang") != "math" and not classed(program) & {"language-math", "lang-math", "math-display"}:
        return None
    return _math_class(program, True)


def _by_class(element: Any, classes: frozenset[str]) -> Formula | None:
    if ("math" in classes and classes & _LAYOUTS) or "language-math" in classes:
        return _math_class(element, bool(classes & {"display", "math-display"}) or tag_of(element) in ("div", "pre"))
    if classes == {"math"} and not len(element):
        text = element.text or ""
        return _math_class(element, tag_of(element) == "div") if is_tex(text) or _is_short(text) else None
    if not len(element) and "$" in (element.text or "") and _is_delimited(element):
        return _math_class(element, False)  # of Stack Exchange, kramdown: any text between their dollars is a formula
    if "texhtml" in classes and all(tag_of(inner) in _SIMPLE for inner in element.iter()):
        return _math_class(element, False)  # Wikipedia's formulas in plain HTML
    if not len(element) and "\\" in (element.text or "") and _is_bare_tex(element):
        return Formula(unwrapped(element.text), tag_of(element) == "div", "math class")
    if "asciimath" in classes and not len(element):
        return _ascii(element.text or "", tag_of(element) == "div")
    if "ql-formula" in classes and element.get("data-value"):  # Quill, the editor
        return Formula(unwrapped(element.get("data-value")), False, "data attribute")
    return None


def _is_delimited(element: Any) -> bool:
    """Return whether an element that is called a formula is all between delimiters."""
    inside, display = strip_delimiters(element.text or "")
    return display is not None and "$" not in inside and CLASS.search(element.get("class")) is not None


def _is_bare_tex(element: Any) -> bool:
    """Return whether an element that is called a formula is nothing but TeX, without delimiters or a program."""
    named = tag_of(element) in ("span", "div", "p") and CLASS.search(element.get("class")) is not None
    return named and is_tex(element.text) and is_symbols(element.text) and not _DELIMITER.search(element.text)


def _is_short(text: str) -> bool:
    """Return whether a text is a few signs, as `n - 1` is, and no word."""
    return is_symbols(text) and len(text) < 40 and not re.search(r"[A-Za-z]{3}", text)


def _script(element: Any) -> Formula | None:
    kind = (element.get("type") or "").lower()
    source = element.text or ""
    if kind.startswith("math/tex"):
        return Formula(unwrapped(source), "mode=display" in kind.replace(" ", ""), "MathJax 2 script")
    if kind.startswith("math/mml"):
        return Formula(parsed(source), 'display="block"' in source, "MathJax 2 script")
    if kind.startswith("math/asciimath"):
        return _ascii(source, "mode=display" in kind.replace(" ", ""))
    return None


def _ascii(source: str, display: bool) -> Formula:
    """Return a formula written in AsciiMath, between its delimiters or without."""
    source = source.strip()
    for sign in ("`", "#", "$$", "$", "\\$"):
        if source.startswith(sign) and source.endswith(sign) and len(source) > 2 * len(sign):
            source = source[len(sign) : -len(sign)]
            break
    try:
        return Formula(asciimath_to_latex(source), display, "AsciiMath")
    except UnreadableError:
        return Formula("", display, "AsciiMath")


def _written(element: Any) -> Formula | None:
    """Return the formula that an element of a site's own is there for; some write AsciiMath."""
    if any(
        tag_of(inner) in ("math", "mjx-container", "script") or "katex" in classed(inner) for inner in element.iter()
    ):
        return None  # drawn already
    text, tag = "".join(element.itertext()).strip(), tag_of(element)
    display = element.get("block") is not None or tag in ("math-div", "eqn")
    if tag in _WORDS_TOO and not is_tex(text) and not is_symbols(text):
        return None
    if tag in ("mathjax", "stem", "asciimath") and "\\" not in text:
        return _ascii(text, display)
    inside, delimited = strip_delimiters(body_of(text))
    return Formula(unwrapped(inside), display or bool(delimited), "math element") if text else None


def _math(element: Any) -> Formula:
    display = element.get("display") == "block" or element.get("mode") == "display"
    return Formula(source_of(element), display, "MathML")


def _word(element: Any) -> Formula:
    above = element.getparent()
    display = above is not None and tag_of(above) == "omathpara"
    return Formula(read(word.mathml_of, element), display, "Word")


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
    return re.sub(r"^\\displaystyle(?![A-Za-z])\s*", "", source_of(math))


def _data(element: Any) -> Formula | None:
    """Return the formula of a `data-` attribute; such an element shows a rendering or waits for a script."""
    for name in _TEX_ATTRIBUTES:
        source = element.get(name)
        if source and source.strip() and len(source) < _LONGEST_ATTRIBUTE:
            return Formula(unwrapped(source), _shows_display(element), "data attribute")
    if element.get("data-mathml"):
        return Formula(parsed(element.get("data-mathml")), False, "data-mathml")
    if element.get("data-math-style"):
        display = element.get("data-math-style") == "display"
        return Formula(unwrapped("".join(element.itertext())), display, "math class")
    return _in_json(element)


def _shows_display(element: Any) -> bool:
    named = tag_of(element) == "div" or "display" in (element.get("class") or "") or element.get("data-eeimg") == "2"
    return named or element.get("data-display") == "true" or element.get("data-math-style") == "display"


def _in_json(element: Any) -> Formula | None:
    """Return the formula in the properties that an editor wrote as JSON into an attribute."""
    for name in _JSON_ATTRIBUTES:
        text = element.get(name) or ""
        if not any(f'"{key}"' in text for key in _JSON_KEYS) or len(text) > _LONGEST_ATTRIBUTE:
            continue
        try:
            source = _value(json.loads(text))
        except (ValueError, RecursionError):
            return Formula("", True, "data attribute")
        if source:
            return Formula(unwrapped(source), tag_of(element) not in ("span", "a"), "data attribute")
    return None


def _value(properties: Any) -> str:
    """Return the first formula among properties and the properties in these."""
    for held in (properties, *(properties.values() if isinstance(properties, dict) else ())):
        if isinstance(held, dict):
            found = next((held[key] for key in _JSON_KEYS if isinstance(held.get(key), str)), "")
            if found:
                return str(found)
    return ""


def _math_class(element: Any, display: bool) -> Formula | None:
    """Return the TeX in `<span class="math inline">`, or what its `<em>` and `<sup>` amount to."""
    if any(tag_of(inner) in _RENDERED or "katex" in (inner.get("class") or "") for inner in element.iter()):
        return None  # a wrapper; the formula is inside
    text = "".join(element.itertext()).strip()
    numbered = _NUMBERED.match(text)  # Sphinx puts an equation's number before it
    inside, delimited = strip_delimiters(text[numbered.end() :] if numbered else text)
    if delimited is not None:
        return Formula(unwrapped(inside), delimited or display, "delimiters")
    if len(element) and not LATEX_LOOK.search(text):
        from nemo_lab.curation.formulas.scripts import html_formula

        return Formula(html_formula(element), display, "HTML")
    return Formula(unwrapped(text), display, "math class") if text else None


_LAYOUTS = frozenset(("inline", "display", "notranslate", "math-inline", "math-display"))
_NUMBERED = re.compile(r"\([\w.-]{1,12}\)[¶#\uf0c1]?\s*(?=\\\[)")
_SIMPLE = frozenset(("span", "i", "em", "var", "b", "strong", "sup", "sub"))
_RENDERED = frozenset(("math", "script", "img", "svg", "mjx-container", "mjx-math", "omath"))

_BY_TAG: dict[str, Callable[[Any], Formula | None]] = {
    "script": _script,
    "mjx-container": mathjax3,
    "mjx-math": mathjax3,
    "math": _math,
    "img": image_formula,
    "svg": svg_formula,
    "omath": _word,
}
