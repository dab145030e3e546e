"""KaTeX's rendering back to MathML, for pages that were rendered with `output: "html"` and carry no source.

KaTeX draws with nested `<span>`s whose classes say what each is (`mord`, `mfrac`, `msupsub`, `accent`, `op-limits`);
what stands above what is a `vlist` of rows, each with its height in its style. So structure can be read off, down
to alphabets. What is drawn as a picture is known by how its path begins; a formula with any other picture is
unreadable as a whole.
"""

import re
from itertools import pairwise
from typing import Any

from nemo_lab.curation.formulas.mathjax import PIECES
from nemo_lab.curation.formulas.tree import UnreadableError, mathml, tag_of

_DEPTH = 100  # spans in spans; deeper ones are hostile
# Layout, and what is no part of the formula; the MathML beside a rendering is read elsewhere.
_NOTHING = frozenset(("strut", "pstrut", "vlist-s", "nulldelimiter", "frac-line", "overline-line", "underline-line"))
_NOTHING |= {"hline", "arraycolsep", "mathml", "tag", "eqn-num", "vertical-separator", "newline"}
_STYLES = {
    **dict.fromkeys(("mathbf", "textbf"), "bold"),
    **dict.fromkeys(("mathbb", "textbb"), "double-struck"),
    **dict.fromkeys(("mathcal", "mathscr"), "script"),
    **dict.fromkeys(("mathsf", "mathboldsf"), "sans-serif"),
    **dict.fromkeys(("mathtt", "texttt"), "monospace"),
    **dict.fromkeys(("mathrm", "textrm"), "normal"),
    "boldsymbol": "bold-italic",
    "mathfrak": "fraktur",
}
_OPERATORS = frozenset(("mbin", "mrel", "mopen", "mclose", "mpunct", "op-symbol", "delimsizing", "minner"))
# How the paths of KaTeX's tall brackets and wide accents begin, and in pairs how those of one beginning differ.
_PICTURES = (
    (re.compile(r"M403 1759 V84 .*v1759 (?:v84 )?h347"), "["),
    (re.compile(r"M347 1759 V0 .*v1759 H0 v84"), "]"),
    (re.compile(r"M403 1759 V84 .*v602 (?:v84 )?h84"), "⌈"),
    (re.compile(r"M347 1759 V0 .*v602 (?:v84 )?h84"), "⌉"),
    (re.compile(r"M319 602 V0 .*v1715 h263"), "⌊"),
    (re.compile(r"M319 602 V0 .*v1799 H0"), "⌋"),
    (re.compile(r"M145 15 .*M367 15"), "∥"),
    (re.compile(r"M145 15 "), "|"),
    (re.compile(r"M863,9c"), "("),
    (re.compile(r"M76,0c"), ")"),
    (re.compile(r"M(?:529|1181) 0h"), "^"),
    (re.compile(r"M(?:200 55|344 55|786 59|786 58)"), "~"),
    (re.compile(r"M0 241v40h39"), "→"),
    (re.compile(r"M6 548l"), "⏞"),
    (re.compile(r"M0 6l6"), "⏟"),
    (re.compile(r"M377 20c0-5\.333"), "⃗"),
)
_EM = re.compile(r"(-?[\d.]+)em")
_NEGATED = "\ue020"  # the stroke of KaTeX's font through the relation behind it
_NEGATIONS = {"=": "≠", "∈": "∉"}


def mathml_of(rendering: Any) -> Any:
    """Return the `<math>` that a rendering draws.

    Raises:
        UnreadableError: part of it is a picture, or nothing is drawn.
    """
    math = mathml("math", _negated(_inside(rendering, 0)))
    if not "".join(math.itertext()).strip():
        raise UnreadableError("no text")
    return math


def _negated(nodes: list[Any]) -> list[Any]:
    """Join a stroke that stands alone to the relation behind it."""
    for stroke, relation in pairwise(nodes):
        if stroke.text == "\u0338" and relation.text:
            stroke.text, relation.text = None, relation.text + "\u0338"
    return nodes


def _classes(box: Any) -> frozenset[str]:
    """Return a box's classes; newer versions put their own name before those that other programs use too."""
    return frozenset(name.removeprefix("katex-") for name in (box.get("class") or "").split())


def _inside(box: Any, depth: int) -> list[Any]:
    """Return what a box's children draw, in order; the scripts in it belong to all that stands before them."""
    if depth > _DEPTH:
        raise UnreadableError("too deep")
    drawn: list[Any] = []
    scripted = False
    for child in box:
        named = _classes(child)
        if "msupsub" in named:
            if scripted:
                raise UnreadableError("scripts of scripts")
            scripted, drawn = True, [_scripted(_row(drawn), child, depth)]
        else:
            drawn += _drawn(child, named, depth + 1)
    return drawn


def _row(nodes: list[Any]) -> Any:
    return nodes[0] if len(nodes) == 1 else mathml("mrow", nodes)


def _drawn(box: Any, named: frozenset[str], depth: int) -> list[Any]:
    if named & _NOTHING:
        return []
    if tag_of(box) == "svg":
        return [mathml("mo", text=_picture(box))]
    for name, rule in _RULES.items():
        if name in named and (len(box) or name in _SINGLE):
            return [rule(box, depth)]
    return _inside(box, depth) if len(box) and "delimsizing" not in named else _leaf(box, named)


def _picture(box: Any) -> str:
    """Return the sign that an SVG shows."""
    path = next((inner.get("d") or "" for inner in box.iter() if tag_of(inner) == "path"), "")[:2000]
    sign = next((sign for look, sign in _PICTURES if look.match(path)), None)
    if sign is None:
        raise UnreadableError("a picture")
    return sign


def _leaf(box: Any, named: frozenset[str]) -> list[Any]:
    text = "".join("".join(box.itertext()).split("\u200b"))
    if not text.strip():
        return [mathml("mo", text=_picture(inner)) for inner in box.iter() if tag_of(inner) == "svg"][:1]
    if "mathnormal" in named:
        return [mathml("mi", text=letter) for letter in text]
    if all(letter in PIECES for letter in text):
        text = PIECES[text[0]]
    if any("\ue000" <= letter <= "\uf8ff" for letter in text.replace(_NEGATED, "")):
        raise UnreadableError("a glyph of the font's own")
    style = next((_STYLES[one] for one in named if one in _STYLES), "")
    return [mathml(_kind(text, named), text=text, **({"mathvariant": style} if style else {}))]


def _kind(text: str, named: frozenset[str]) -> str:
    if text.replace(".", "").isdigit():
        return "mn"
    return "mo" if named & _OPERATORS else "mi"


def _rows(box: Any) -> list[tuple[float, Any]]:
    """Return (height above the line, row) of a vlist, highest first; empty rows only measure."""
    vlist = next((inner for inner in box.iter("span") if "vlist" in _classes(inner) and len(inner)), None)
    if vlist is None:
        raise UnreadableError("no rows")
    rows = [(-_top(row) - _em(row, "pstrut"), row) for row in vlist if len(row)]
    if not rows:
        raise UnreadableError("empty rows")
    return sorted(rows, key=lambda row: -row[0])


def _top(row: Any) -> float:
    found = re.search(r"(?:^|;)\s*top:\s*(-?[\d.]+)em", row.get("style") or "")
    return _number(found[1]) if found else 0.0


def _em(row: Any, name: str) -> float:
    """Return the height of the strut in a row."""
    found = next((_EM.search(child.get("style") or "") for child in row if name in _classes(child)), None)
    return _number(found[1]) if found else 0.0


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UnreadableError(f"a length of {text}") from None


def _scripted(base: Any, box: Any, depth: int) -> Any:
    rows = _rows(box)
    scripts = [_row(_inside(row, depth + 1)) for _, row in rows]
    if len(scripts) == 2:
        return mathml("msubsup", [base, scripts[1], scripts[0]])
    return mathml("msup" if rows[0][0] > 0 else "msub", [base, scripts[0]])


def _fraction(box: Any, depth: int) -> Any:
    rows = _rows(box)
    parts = [_row(_inside(row, depth + 1)) for _, row in rows if not _holds(row, "frac-line")]
    if len(parts) != 2:
        raise UnreadableError("a fraction")
    return mathml("mfrac", parts, **({} if len(rows) > 2 else {"linethickness": "0"}))


def _holds(row: Any, name: str) -> bool:
    return any(name in _classes(child) for child in row)


def _radical(box: Any, depth: int) -> Any:
    degree = next((child for child in box if "root" in _classes(child)), None)
    body = next((child for child in box if "vlist-t" in _classes(child)), None)
    if body is None:
        raise UnreadableError("a root")
    inside = [row for _, row in _rows(body) if not _holds(row, "hide-tail")]
    content = mathml("mrow", [node for row in inside for node in _inside(row, depth + 1)])
    if degree is None:
        return mathml("msqrt", [content])
    return mathml("mroot", [content, _row(_inside(degree, depth + 1))])


def _accent(box: Any, depth: int) -> Any:
    rows = [row for _, row in _rows(box)]
    if len(rows) != 2:
        raise UnreadableError("an accent")
    under = "accentunder" in _classes(box)
    mark, base = reversed(rows) if under else rows
    if not under and _holds(base, "accent-body"):
        mark, base = base, mark
    return mathml("munder" if under else "mover", [_row(_inside(base, depth + 1)), mathml("mo", text=_mark(mark))])


def _mark(row: Any) -> str:
    """Return the sign of an accent."""
    text = "".join("".join(row.itertext()).split("\u200b")).strip()
    return text or _picture(row)


def _line(box: Any, depth: int) -> Any:
    over = "overline" in _classes(box)
    inside = [node for _, row in _rows(box) for node in _inside(row, depth + 1)]
    return mathml("mover" if over else "munder", [mathml("mrow", inside), mathml("mo", text="¯" if over else "_")])


def _limits(box: Any, depth: int) -> Any:
    rows = _rows(box)
    if len(rows) < 2 or len(rows) > 3:
        raise UnreadableError("limits")
    parts = [_row(_inside(row, depth + 1)) for _, row in rows]
    at = next((at for at, (_, row) in enumerate(rows) if any("mop" in _classes(inner) for inner in row)), -1)
    at = min(range(len(rows)), key=lambda row: abs(rows[row][0])) if at < 0 else at
    if len(parts) == 3:
        return mathml("munderover", [parts[1], parts[2], parts[0]])
    return mathml("munder" if at == 0 else "mover", [parts[at], parts[1 - at]])


def _stacked(box: Any, depth: int) -> Any:
    """Return what has a brace or a text over or under it; of an arrow with a text, the arrow is the base."""
    rows = [row for _, row in _rows(box)]
    if len(rows) != 2:
        raise UnreadableError("a stack")
    above, below = (_row(_drawn_row(row, depth)) for row in rows)
    over = "mover" in _classes(box) or ("x-arrow" in _classes(box) and "svg-align" in _classes(rows[1]))
    return mathml("mover", [below, above]) if over else mathml("munder", [above, below])


def _drawn_row(row: Any, depth: int) -> list[Any]:
    if "svg-align" in _classes(row):
        return [mathml("mo", text=_picture(row))]
    return _inside(row, depth + 1)


def _loose(box: Any, depth: int) -> Any:
    """Return rows that no structure calls for: a box, a stroke through, something raised."""
    rows = [row for _, row in _rows(box) if not _holds(row, "hline")]
    frames = [row for row in rows if _holds(row, "fbox")]
    strokes = [row for row in rows if any(tag_of(inner) == "line" for inner in row.iter())]
    inside = [row for row in rows if row not in frames and row not in strokes]
    if len(inside) != 1:
        raise UnreadableError("rows")
    content = _inside(inside[0], depth + 1)
    if frames:
        return mathml("menclose", content, notation="box")
    return mathml("menclose", content, notation="updiagonalstrike") if strokes else mathml("mrow", content)


def _table(box: Any, depth: int) -> Any:
    columns = [[_row(_inside(row, depth + 1)) for _, row in _rows(child)] for child in box if _is_column(child)]
    if not columns or len(set(map(len, columns))) != 1:
        raise UnreadableError("a table")
    rows = [mathml("mtr", [mathml("mtd", [cell]) for cell in cells]) for cells in zip(*columns, strict=True)]
    right = any("col-align-r" in _classes(child) for child in box)
    return mathml("mtable", rows, **({"columnalign": "right left"} if right else {}))


def _is_column(box: Any) -> bool:
    return any(name.startswith("col-align-") for name in _classes(box))


def _text(box: Any, depth: int) -> Any:
    return mathml("mtext", text="".join(box.itertext()).replace("\u200b", ""))


def _space(box: Any, depth: int) -> Any:
    if len(box):  # the empty base of a script takes the class of the blank before it
        return _row(_inside(box, depth + 1))
    found = _EM.search(box.get("style") or "")
    wide = found is not None and _number(found[1]) >= 0.8
    return mathml("mspace", width=f"{found[1]}em" if wide and found else "")


def _relation(box: Any, depth: int) -> Any:
    """Return a relation of several glyphs: one with a stroke through it, or what it is written with."""
    text = "".join("".join(box.itertext()).split("\u200b")).strip()
    if text.startswith(_NEGATED):
        return mathml("mo", text=_NEGATIONS.get(text[1:], text[1:] + "\u0338"))
    if text == "∈/":
        return mathml("mo", text="∉")
    return _row(_inside(box, depth + 1)) if len(box) else _row(_leaf(box, _classes(box)))


def _named(box: Any, depth: int) -> Any:
    """Return an operator: its name in letters, or the sign in it."""
    letters = "".join(box.itertext()).replace("\u200b", "").strip()
    if letters.isascii() and letters.isalpha() and not any("msupsub" in _classes(inner) for inner in box.iter("span")):
        return mathml("mi", text=letters, **({"mathvariant": "normal"} if len(letters) == 1 else {}))
    return _row(_inside(box, depth + 1)) if len(box) else _row(_leaf(box, _classes(box) | {"op-symbol"}))


_SINGLE = frozenset(("mop", "mrel", "text", "mspace"))
_RULES = {
    "mfrac": _fraction,
    "sqrt": _radical,
    "accent": _accent,
    "overline": _line,
    "underline": _line,
    "op-limits": _limits,
    "mtable": _table,
    "text": _text,
    "mspace": _space,
    "mover": _stacked,
    "munder": _stacked,
    "x-arrow": _stacked,
    "mrel": _relation,
    "mop": _named,
    "vlist-t": _loose,
}
