r"""MathML to LaTeX, for pages whose formulas carry no TeX of their own.

Presentation MathML says how a formula looks, which is what LaTeX says too, so each element has one rule below.
Where the source was TeX, common structures are recognised and written as TeX would: brackets round a table are
a matrix, a bar over a letter is an accent, a fraction without a bar between parentheses is a binomial. Content
MathML (`<apply>`), which says what a formula means, is not read: it is rare on the web and comes with a presentation
form. Where it stands alone the formula is given up, for its parts in a row would be another formula.

Elements may be namespaced, upper case (lxml's HTML parser) or broken. What is unknown gives its children's
LaTeX, nesting is followed to a depth and no exception leaves this module.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from nemo_lab.curation.formulas.marks import (
    ACCENTS,
    ESCAPED,
    FENCES,
    RELATION,
    STYLES,
    UNDER,
    WIDE,
    enclosed,
    is_operator,
    joined,
    letters,
    limits,
    scripts,
    styled,
)
from nemo_lab.curation.formulas.symbols import FUNCTIONS
from nemo_lab.curation.formulas.tree import tag_of

_SPELLED = re.compile(r"(?:\\mathrm\{[A-Za-z]\}){2,}")
_DEPTH = 60  # elements; deeper ones are malformed or hostile, their text is kept flat


def to_latex(math: Any) -> str:
    """Return the LaTeX of a `<math>` element (lxml), without delimiters; empty when there is nothing in it to read."""
    try:
        return _SPELLED.sub(_one_word, " ".join(_convert(math, 0).split()))
    except _ContentError:
        return ""


class _ContentError(Exception):
    """Content MathML stands where presentation was looked for."""


def _content(element: Any, depth: int) -> str:
    raise _ContentError


def _one_word(letters: re.Match[str]) -> str:
    """Return upright letters, one element each, as the word that they are."""
    return f"\\mathrm{{{letters[0].replace('}', '').replace(chr(92) + 'mathrm{', '')}}}"


def _convert(element: Any, depth: int) -> str:
    if depth > _DEPTH:
        return letters("".join(element.itertext()))
    rule = _RULES.get(tag_of(element), _row)
    return rule(element, depth + 1)


def _children(element: Any) -> list[Any]:
    return [child for child in element if tag_of(child)]


def _parts(element: Any, depth: int, count: int) -> list[str]:
    """Return the first `count` children's LaTeX; missing ones are empty."""
    parts = [_convert(child, depth) for child in _children(element)[:count]]
    return parts + [""] * (count - len(parts))


def _row(element: Any, depth: int) -> str:
    """Join the children, but write a fenced table or a fenced fraction without bar as one thing."""
    if tag_of(element).startswith("annotation"):
        return ""
    children = _children(element)
    if not children:
        return letters(_text(element))
    return joined(_fenced_table(children, depth) or _binomial(children, depth) or _each(children, depth))


def _each(children: list[Any], depth: int) -> list[str]:
    return [_convert(child, depth) for child in children]


def _fenced_table(children: list[Any], depth: int) -> list[str] | None:
    """Return `pmatrix`, `cases` and their like for bracket, table, bracket anywhere in the row."""
    for at, child in enumerate(children):
        if tag_of(child) != "mtable" or not at or tag_of(children[at - 1]) != "mo":
            continue
        after = children[at + 1] if at + 1 < len(children) and tag_of(children[at + 1]) == "mo" else None
        closing = _text(after) if after is not None else ""
        name = FENCES.get(_text(children[at - 1]) + closing)
        name = name or ("cases" if _text(children[at - 1]) == "{" and not closing else None)
        if name:
            rest = children[at + 2 :] if after is not None else children[at + 1 :]
            return [*_each(children[: at - 1], depth), _table(child, depth, name), *_each(rest, depth)]
    return None


def _binomial(children: list[Any], depth: int) -> list[str] | None:
    for at in range(1, len(children) - 1):
        middle = children[at]
        flat = tag_of(middle) == "mfrac" and _zero(middle.get("linethickness"))
        if flat and (_text(children[at - 1]), _text(children[at + 1])) == ("(", ")"):
            above, below = _parts(middle, depth, 2)
            binomial = f"\\binom{{{above}}}{{{below}}}"
            return [*_each(children[: at - 1], depth), binomial, *_each(children[at + 2 :], depth)]
    return None


def _zero(thickness: str | None) -> bool:
    return bool(thickness) and str(thickness).strip("0.pxemth") == "" and "0" in str(thickness)


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _identifier(element: Any, depth: int) -> str:
    text = _text(element)
    style = STYLES.get(element.get("mathvariant", ""))
    if style:
        return styled(style, letters(text))
    if text in FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\operatorname{{{text}}}"
    upright = element.get("mathvariant") == "normal" and text.isascii() and text.isalpha()
    return f"\\mathrm{{{text}}}" if upright else letters(text)


def _number(element: Any, depth: int) -> str:
    style = STYLES.get(element.get("mathvariant", ""))
    return styled(style, letters(_text(element))) if style else letters(_text(element))


def _operator(element: Any, depth: int) -> str:
    text = _text(element)
    if text in FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\operatorname{{{text}}}"
    return letters(text)


def _words(element: Any, depth: int) -> str:
    text = "".join(element.itertext()).replace("\u00a0", " ")
    escaped = "".join(ESCAPED.get(letter, letter) for letter in text)
    return f"\\text{{{escaped}}}" if text.strip() else ("\\ " if text else "")


def _space(element: Any, depth: int) -> str:
    width = element.get("width", "")
    number = width.removesuffix("em")
    try:
        ems = float(number) if width.endswith("em") else 0.0
    except ValueError:
        return ""
    return r"\qquad " if ems >= 2 else r"\quad " if ems >= 0.8 else r"\;" if ems >= 0.25 else r"\," if ems > 0.1 else ""


def _fraction(element: Any, depth: int) -> str:
    above, below = _parts(element, depth, 2)
    if _zero(element.get("linethickness")):
        return f"{{{above} \\atop {below}}}"
    return f"\\frac{{{above}}}{{{below}}}"


def _root(element: Any, depth: int) -> str:
    inside, degree = _parts(element, depth, 2)
    return f"\\sqrt[{degree}]{{{inside}}}"


def _square_root(element: Any, depth: int) -> str:
    return f"\\sqrt{{{_row(element, depth)}}}"


def _sub(element: Any, depth: int) -> str:
    base, lower = _parts(element, depth, 2)
    return scripts(base or "{}", lower, "")  # or it would be a script of what stands before


def _sup(element: Any, depth: int) -> str:
    base, upper = _parts(element, depth, 2)
    return scripts(base or "{}", "", upper)


def _subsup(element: Any, depth: int) -> str:
    base, lower, upper = _parts(element, depth, 3)
    return scripts(base or "{}", lower, upper)


def _over(element: Any, depth: int) -> str:
    base, mark = _parts(element, depth, 2)
    children = _children(element)
    accent = ACCENTS.get(_text(children[1])) if len(children) > 1 else None
    if accent and (not is_operator(base) or base.startswith("\\operatorname")):
        wide = len(base) > 1 and (base[0] != "\\" or base.startswith("\\operatorname"))
        return f"\\{WIDE.get(accent, accent) if wide else accent}{{{base}}}"
    return limits(base, "", mark)


def _under(element: Any, depth: int) -> str:
    base, mark = _parts(element, depth, 2)
    children = _children(element)
    accent = UNDER.get(_text(children[1])) if len(children) > 1 else None
    return f"\\{accent}{{{base}}}" if accent and not is_operator(base) else limits(base, mark, "")


def _underover(element: Any, depth: int) -> str:
    return limits(*_parts(element, depth, 3))


def _fence(element: Any, depth: int) -> str:
    children = _children(element)
    left, right = element.get("open", "("), element.get("close", ")")
    name = FENCES.get(left + right)
    if name and len(children) == 1 and tag_of(children[0]) == "mtable":
        return _table(children[0], depth, name)
    commas = element.get("separators", ",").strip()[:1]
    inside = commas.join(_each(children, depth))
    return joined([f"\\left{letters(left) or '.'}", f" {inside}", f"\\right{letters(right) or '.'}"])


def _table(element: Any, depth: int, name: str = "") -> str:
    rows = [list(_cells(row, depth)) for row in _children(element) if tag_of(row) in ("mtr", "mlabeledtr")]
    rows = rows if name else _filled_columns(rows)
    if not name and len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]  # a display that was laid out as a table
    name = name or ("aligned" if _is_alignment(element, rows) else "matrix")
    body = r" \\ ".join(" & ".join(row) for row in rows)
    return f"\\begin{{{name}}}{body}\\end{{{name}}}"


def _filled_columns(rows: list[list[str]]) -> list[list[str]]:
    """Return a table without the empty columns at its edges, which centre a display."""
    while any(rows) and all(not row[0] for row in rows if row):
        rows = [row[1:] for row in rows]
    while len(set(map(len, rows))) == 1 and any(rows) and all(not row[-1] for row in rows):
        rows = [row[:-1] for row in rows]
    return rows


def _is_alignment(table: Any, rows: list[list[str]]) -> bool:
    """Return whether a table is rows of equations: right-aligned, or relations at the head of second columns."""
    relations = sum(bool(RELATION.match(row[1]) if len(row) > 1 else RELATION.search("".join(row))) for row in rows)
    first = next((cell for row in table for cell in row), None)
    declared = "right" in table.get("columnalign", "") or (
        first is not None and "right" in first.get("columnalign", "")
    )
    return declared or relations > len(rows) / 2


def _cells(row: Any, depth: int) -> Iterator[str]:
    cells = _children(row)
    for cell in cells[1:] if tag_of(row) == "mlabeledtr" else cells:
        yield _row(cell, depth + 1)


def _prescripts(element: Any, depth: int) -> str:
    """Return `<mmultiscripts>`: scripts behind the base, then those before it."""
    children = _children(element)
    names = [tag_of(child) for child in children]
    split = names.index("mprescripts") if "mprescripts" in names else len(children)
    after, before = children[1:split], children[split + 1 :]
    base = _convert(children[0], depth) if children else ""
    front = "".join("{}" + scripts("", *_pair(before[at : at + 2], depth)) for at in range(0, len(before), 2))
    for at in range(0, len(after), 2):
        base = scripts(base, *_pair(after[at : at + 2], depth))
    return front + base


def _pair(scripts: list[Any], depth: int) -> tuple[str, str]:
    parts = ["" if tag_of(one) == "none" else _convert(one, depth) for one in scripts]
    return parts[0], parts[1] if len(parts) > 1 else ""


def _enclosed(element: Any, depth: int) -> str:
    return enclosed(_row(element, depth), element.get("notation", "longdiv"))


def _phantom(element: Any, depth: int) -> str:
    return f"\\phantom{{{_row(element, depth)}}}"


def _style(element: Any, depth: int) -> str:
    """Return `<mstyle>`; pandoc and others put an alphabet round its letters."""
    inside = _row(element, depth)
    style = "mathrm" if element.get("mathvariant") == "normal" else STYLES.get(element.get("mathvariant", ""))
    return styled(style, inside) if style and inside else inside


def _first(element: Any, depth: int) -> str:
    """Return `<semantics>` by its first child, the presentation."""
    children = _children(element)
    return _convert(children[0], depth) if children else letters(_text(element))


def _nothing(element: Any, depth: int) -> str:
    return ""


_RULES: dict[str, Callable[[Any, int], str]] = {
    "mi": _identifier,
    "mn": _number,
    "mo": _operator,
    "ms": _words,
    "mtext": _words,
    "mspace": _space,
    "mfrac": _fraction,
    "mroot": _root,
    "msqrt": _square_root,
    "msub": _sub,
    "msup": _sup,
    "msubsup": _subsup,
    "mover": _over,
    "munder": _under,
    "munderover": _underover,
    "mfenced": _fence,
    "mtable": _table,
    "mmultiscripts": _prescripts,
    "menclose": _enclosed,
    "mphantom": _phantom,
    "mstyle": _style,
    "semantics": _first,
    "annotation": _nothing,
    "annotation-xml": _nothing,
    "apply": _content,
    "bind": _content,
    "none": _nothing,
    "mprescripts": _nothing,
}
