"""Word's formulas (OMML, `<m:oMath>`) to MathML: documents saved as web pages, and what is pasted from them.

Word writes its own markup beside a picture of each formula, in a comment that only old browsers read, with `<span>`
and `<i>` between the parts of the formula. Names and defaults are those of ECMA-376, part 1, section 22.1; an HTML
parser has made them lower case.
"""

import re
from collections.abc import Callable
from typing import Any

from nemo_lab.curation.formulas.tree import UnreadableError, mathml, tag_of

_DEPTH = 60
_PIECES = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]|\S")
_ALPHABETS = {"double-struck": "double-struck", "script": "script", "fraktur": "fraktur", "sans-serif": "sans-serif"}
_STYLES = {"p": "normal", "b": "bold", "bi": "bold-italic"}
_CONDITION = re.compile(r"<!(?:--)?\s*\[\s*(?:if\s+(?P<test>[^\]<>]{1,80})|endif)\s*\](?:--)?>", re.IGNORECASE)


def uncommented(page: str) -> str:
    """Return the page with formulas out of Word's conditional comments and without the pictures that stand for them."""
    if "msequation" not in page.lower():
        return page
    pieces: list[str] = []
    inside: list[str] = []  # the conditions that are open here
    start = hidden = 0
    for mark in _CONDITION.finditer(page):
        pieces.append("" if hidden else page[start : mark.start()])
        start = mark.end()
        kind = _condition(mark["test"]) if mark["test"] else inside.pop() if inside else "other"
        hidden += (kind == "picture") * (1 if mark["test"] else -1)
        pieces.append(mark[0] if kind == "other" and not hidden else "")
        inside += [kind] if mark["test"] else []
    return page if inside else "".join([*pieces, page[start:]])


def _condition(test: str) -> str:
    """Return what a condition holds: a formula, the picture that others see, or anything else."""
    if "msequation" not in test.lower():
        return "other"
    return "picture" if test.strip().startswith("!") else "formula"


def mathml_of(formula: Any) -> Any:
    """Return the `<math>` of an `<m:oMath>` element.

    Raises:
        UnreadableError: it nests too deep or holds nothing.
    """
    math = mathml("math", _inside(formula, 0))
    if not "".join(math.itertext()).strip():
        raise UnreadableError("an empty formula")
    return math


def _inside(box: Any, depth: int) -> list[Any]:
    """Return the MathML of all that is in a part of a formula, through markup of text between its parts."""
    if depth > _DEPTH:
        raise UnreadableError("too deep")
    nodes: list[Any] = []
    for child in box:
        name = tag_of(child)
        if name in _RULES:
            nodes.append(_RULES[name](child, depth + 1))
        elif name == "r":
            nodes += _run(child)
        elif name and not name.endswith("pr"):
            nodes += _inside(child, depth + 1)
    return nodes


def _part(box: Any, name: str, depth: int) -> Any:
    """Return a named part of a structure as one element; one that is missing is an empty row."""
    part = _named(box, name)
    nodes = [] if part is None else _inside(part, depth + 1)
    return nodes[0] if len(nodes) == 1 else mathml("mrow", nodes)


def _named(box: Any, name: str) -> Any:
    """Return the first part of that name, through markup of text."""
    waiting = list(reversed(box))
    while waiting:
        child = waiting.pop()
        if tag_of(child) == name:
            return child
        if tag_of(child) in ("span", "i", "b", "em", "strong", "font"):
            waiting += reversed(child)
    return None


def _value(box: Any, name: str, default: str) -> str:
    """Return a property: the value of the element of that name in the structure's `…Pr`."""
    properties = next((child for child in box if tag_of(child).endswith("pr")), None)
    found = None if properties is None else next((inner for inner in properties.iter() if tag_of(inner) == name), None)
    if found is None:
        return default
    return next((value for key, value in found.items() if key.endswith("val")), "")


def _run(run: Any) -> list[Any]:
    """Return letters, numbers and signs of a run, one element each; upright letters are one word."""
    text = "".join(run.itertext())
    if _value(run, "nor", "absent") not in ("absent", "0", "off"):
        return [mathml("mtext", text=text)]
    style = _ALPHABETS.get(_value(run, "scr", ""), _STYLES.get(_value(run, "sty", ""), ""))
    variant = {"mathvariant": style} if style else {}
    if style == "normal" and len(text.strip()) > 1 and text.strip().isalpha():
        return [mathml("mi", text=text.strip())]
    return [mathml(_kind(piece), text=piece, **(variant if piece.isalnum() else {})) for piece in _PIECES.findall(text)]


def _kind(piece: str) -> str:
    return "mn" if piece[0].isdigit() else "mi" if piece.isalpha() else "mo"


def _fraction(box: Any, depth: int) -> Any:
    parts = [_part(box, "num", depth), _part(box, "den", depth)]
    kind = _value(box, "type", "bar").lower()
    if kind == "lin":
        return mathml("mrow", [parts[0], mathml("mo", text="/"), parts[1]])
    return mathml("mfrac", parts, **({"linethickness": "0"} if kind == "nobar" else {}))


def _scripted(name: str, *parts: str) -> Callable[[Any, int], Any]:
    return lambda box, depth: mathml(name, [_part(box, part, depth) for part in parts])


def _before(box: Any, depth: int) -> Any:
    base, lower, upper = (_part(box, part, depth) for part in ("e", "sub", "sup"))
    return mathml("mmultiscripts", [base, mathml("mprescripts"), lower, upper])


def _radical(box: Any, depth: int) -> Any:
    inside, degree = _part(box, "e", depth), _part(box, "deg", depth)
    hidden = _value(box, "deghide", "0") in ("1", "on", "true", "")
    return (
        mathml("msqrt", [inside])
        if hidden or (not len(degree) and not degree.text)
        else mathml("mroot", [inside, degree])
    )


def _operator(box: Any, depth: int) -> Any:
    """Return a sum or an integral with what it is over, its limits and its body."""
    sign = mathml("mo", text=_value(box, "chr", "∫"))
    lower, upper = _part(box, "sub", depth), _part(box, "sup", depth)
    return mathml("mrow", [mathml("munderover", [sign, lower, upper]), _part(box, "e", depth)])


def _brackets(box: Any, depth: int) -> Any:
    parts = [_one(child, depth) for child in box if tag_of(child) == "e"]
    parts = parts or [_part(box, "e", depth)]
    between = _value(box, "sepchr", "|")
    inside = [parts[0], *(node for part in parts[1:] for node in (mathml("mo", text=between), part))]
    left, right = _value(box, "begchr", "("), _value(box, "endchr", ")")
    return mathml("mrow", [mathml("mo", text=left), *inside, *([mathml("mo", text=right)] if right else [])])


def _one(box: Any, depth: int) -> Any:
    nodes = _inside(box, depth + 1)
    return nodes[0] if len(nodes) == 1 else mathml("mrow", nodes)


def _function(box: Any, depth: int) -> Any:
    return mathml("mrow", [_part(box, "fname", depth), _part(box, "e", depth)])


def _accent(box: Any, depth: int) -> Any:
    return mathml("mover", [_part(box, "e", depth), mathml("mo", text=_value(box, "chr", "\u0302"))])


def _bar(box: Any, depth: int) -> Any:
    over = _value(box, "pos", "bot") == "top"
    return mathml("mover" if over else "munder", [_part(box, "e", depth), mathml("mo", text="¯")])


def _grouped(box: Any, depth: int) -> Any:
    over = _value(box, "pos", "bot") == "top"
    sign = _value(box, "chr", "⏞" if over else "⏟")
    return mathml("mover" if over else "munder", [_part(box, "e", depth), mathml("mo", text=sign)])


def _boxed(box: Any, depth: int) -> Any:
    return mathml("menclose", [_part(box, "e", depth)], notation="box")


def _lines(box: Any, depth: int) -> Any:
    cells = [_one(child, depth) for child in box.iterchildren() if tag_of(child) == "e"]
    return mathml("mtable", [mathml("mtr", [mathml("mtd", [cell])]) for cell in cells])


def _matrix(box: Any, depth: int) -> Any:
    rows = [child for child in box if tag_of(child) == "mr"]
    cells = [[_one(cell, depth) for cell in row if tag_of(cell) == "e"] for row in rows]
    return mathml("mtable", [mathml("mtr", [mathml("mtd", [cell]) for cell in row]) for row in cells])


_RULES: dict[str, Callable[[Any, int], Any]] = {
    "f": _fraction,
    "ssup": _scripted("msup", "e", "sup"),
    "ssub": _scripted("msub", "e", "sub"),
    "ssubsup": _scripted("msubsup", "e", "sub", "sup"),
    "spre": _before,
    "rad": _radical,
    "nary": _operator,
    "d": _brackets,
    "func": _function,
    "acc": _accent,
    "bar": _bar,
    "limlow": _scripted("munder", "e", "lim"),
    "limupp": _scripted("mover", "e", "lim"),
    "groupchr": _grouped,
    "borderbox": _boxed,
    "eqarr": _lines,
    "m": _matrix,
}
