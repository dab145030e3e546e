"""MathJax's own renderings back to MathML: CommonHTML and SVG of versions 2 to 4 without a copy of the source.

Both name each box by the MathML element that it draws (`<mjx-msup>`, `data-mml-node="msup"`, `class="mjx-msup"`)
and each glyph by its code (`class="mjx-c1D465"`, `data-c="1D465"`), so the formula can be read off. What a box
adds for its layout (rows, tables, struts) is passed through; which child is what, a slot's name says (`mjx-num`,
`mjx-under`), or in SVG its height. A glyph without a code makes the whole formula unreadable.
"""

import re
from collections.abc import Iterator
from typing import Any

from nemo_lab.curation.formulas.tree import UnreadableError, mathml, tag_of

_DEPTH = 60  # boxes in boxes; deeper ones are hostile
_TOKENS = frozenset(("mi", "mn", "mo", "mtext", "ms"))
_SCRIPTED = {
    "msub": ("msub", "msup", "msubsup"),
    "msup": ("msub", "msup", "msubsup"),
    "msubsup": ("msub", "msup", "msubsup"),
    "munder": ("munder", "mover", "munderover"),
    "mover": ("munder", "mover", "munderover"),
    "munderover": ("munder", "mover", "munderover"),
}
_ROWS = frozenset(
    ("math", "mrow", "texatom", "mstyle", "mpadded", "mphantom", "menclose", "mtd", "semantics", "inferredmrow")
)
_NODES = _TOKENS | _ROWS | _SCRIPTED.keys() | {"mfrac", "msqrt", "mroot", "mtable", "mtr", "mlabeledtr", "mspace"}
_UNREADABLE = frozenset(("merror", "mmultiscripts", "maction", "mglyph", "annotation-xml"))
_SLOTS = {
    "base": "base",
    "op": "base",
    "sub": "lower",
    "under": "lower",
    "sup": "upper",
    "over": "upper",
    "script": "script",
    "num": "upper",
    "numerator": "upper",
    "den": "lower",
    "denominator": "lower",
    "root": "root",
    "surd": "surd",
}
# Brackets that are put together from pieces; the horizontal braces are pieces too.
PIECES = {
    **dict.fromkeys("⎛⎜⎝", "("),
    **dict.fromkeys("⎞⎟⎠", ")"),
    **dict.fromkeys("⎡⎢⎣", "["),
    **dict.fromkeys("⎤⎥⎦", "]"),
    **dict.fromkeys("⎧⎨⎩⎪", "{"),
    **dict.fromkeys("⎫⎬⎭", "}"),
    **dict.fromkeys("∣⏐", "|"),
    "∥": "∥",
}
_LONG = frozenset("¯‾–—⏞⏟")
_BRACES = {
    "\ue150": "⏞",
    "\ue152": "⏟",
    **dict.fromkeys("\ue151\ue153\ue154\ue155\ue156", ""),
}  # by the piece that comes first
_FONT = re.compile(r"(?:TEX|NCM)-[A-Z]+")
_CODE = re.compile(r"(?:^|\s)mjx-c([0-9A-F]{2,6})(?=$|\s)")
_SHIFT = re.compile(r"translate\(\s*(-?[\d.]+)(?:[\s,]+(-?[\d.]+))?")
_FONTS = {
    "mjx-cal": "script",
    "MJXc-TeX-cal-R": "script",
    "MJXc-TeX-cal-B": "script",
    "MJXc-TeX-main-B": "bold",
    "MJXc-TeX-math-BI": "bold-italic",
    "MJXc-TeX-frak-R": "fraktur",
    "MJXc-TeX-script-R": "script",
    "MJXc-TeX-sans-R": "sans-serif",
    "MJXc-TeX-type-R": "monospace",
    **dict.fromkeys(("TEX-C", "TEX-CB", "TEX-SC", "NCM-C", "NCM-CB"), "script"),
    **dict.fromkeys(("TEX-FR", "TEX-FRB"), "fraktur"),
    "TEX-B": "bold",
    "TEX-T": "monospace",
    "TEX-N": "normal",
    "mjx-n": "normal",
    "MJXc-TeX-main-R": "normal",
}


def mathml_of(rendering: Any) -> Any:
    """Return the `<math>` that a rendering draws.

    Raises:
        UnreadableError: a glyph or a box is not known, or nothing is drawn.
    """
    math = mathml("math", _nodes_in(rendering, 0))
    if not "".join(math.itertext()).strip():
        raise UnreadableError("no glyph")
    _mark_upright(math, next(rendering.iter("path"), None) is not None)
    return math


def _mark_upright(math: Any, drawn: bool) -> None:
    """Call plain letters upright where others are of an italic alphabet; older SVG has one code for both.

    A capital that is only drawn may as well be calligraphic, and stays as it is.
    """
    letters = [letter for letter in math.iter("mi") if not letter.get("mathvariant")]
    if any("\U0001d434" <= (letter.text or "") <= "\U0001d467" for letter in letters):
        for letter in letters:
            if (letter.text or "").isascii() and not (drawn and (letter.text or "").isupper()):
                letter.set("mathvariant", "normal")


def name_of(box: Any) -> str:
    """Return which element of MathML or part of its layout a box draws; empty for what has no name."""
    tag = tag_of(box)
    if tag.startswith("mjx-"):
        return tag[4:]
    if named := box.get("data-mml-node"):
        return str(named).lower()
    first = next((one for one in (box.get("class") or "").split() if one.startswith("mjx-")), "")
    return first[4:] if tag == "span" else ""


def _nodes_in(box: Any, depth: int) -> list[Any]:
    """Return the MathML of all nodes in a box, through the layout between them."""
    return [_converted(node, depth + 1) for slot, node in _parts(box) if slot not in ("surd", "root")]


def _parts(box: Any, inside: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (slot, box) of the nearest named boxes below; a node that is in no slot has an empty one."""
    waiting = list(reversed(box))
    while waiting:
        child = waiting.pop()
        name = name_of(child)
        if name in _UNREADABLE:
            raise UnreadableError(name)
        if name in _SLOTS:
            yield _SLOTS[name], child
        elif name in _NODES and not (inside == "munderover" and name in ("munder", "mover") and _has_base(child)):
            yield "", child
        elif name != "assistive-mml":
            waiting += reversed(child)


def _has_base(box: Any) -> bool:
    """Return whether a box only lays out what belongs to the box round it: its base stands in it."""
    first = next(iter(box), None)
    return first is not None and name_of(first) in ("row", "base", "over")


def _converted(box: Any, depth: int) -> Any:
    name = name_of(box)
    if depth > _DEPTH:
        raise UnreadableError("too deep")
    if name in _TOKENS:
        return _token(box, name)
    if name in _SCRIPTED:
        return _scripted(box, name, depth)
    if name == "mfrac":
        return _fraction(box, depth)
    if name in ("msqrt", "mroot"):
        return _radical(box, depth)
    if name == "mspace":
        return mathml("mspace", width=_width(box))
    return _row(box, name, depth)


def _row(box: Any, name: str, depth: int) -> Any:
    if name == "menclose":
        return mathml("menclose", _nodes_in(box, depth), notation=_notation(box))
    kept = name if name in ("mtable", "mtr", "mlabeledtr", "mtd", "mphantom") else "mrow"
    return mathml(kept, _nodes_in(box, depth))


def _scripted(box: Any, name: str, depth: int) -> Any:
    slots: dict[str, list[Any]] = {"base": [], "lower": [], "upper": [], "": []}
    for slot, node in _parts(box, name):
        if slot == "script":
            _share_script(node, name, slots)
        else:
            slots.setdefault(slot, []).append(node)
    if not slots["base"]:
        slots["base"], slots[""] = slots[""][:1], slots[""][1:]
    _share_by_height(slots, name)
    base, lower, upper = (_one(slots[slot], depth) for slot in ("base", "lower", "upper"))
    marks = [part for part in (lower, upper) if part is not None and name in ("munder", "mover", "munderover")]
    if base is None or not all("".join(mark.itertext()).strip() for mark in marks):
        raise UnreadableError(name)
    family = _SCRIPTED["msub" if box.get("limits") == "false" else name]
    if lower is None or upper is None:
        return mathml(family[upper is not None], [base, *(part for part in (lower, upper) if part is not None)])
    return mathml(family[2], [base, lower, upper])


def _share_script(script: Any, name: str, slots: dict[str, list[Any]]) -> None:
    """Share the one or two scripts in a `<mjx-script>`, which has the upper one first."""
    nodes = [node for _, node in _parts(script)]
    upper = len(nodes) > 1 or name in ("msup", "mover")
    slots["upper"] += nodes[:1] if upper else []
    slots["lower"] += nodes[1:] if upper else nodes


def _share_by_height(slots: dict[str, list[Any]], name: str) -> None:
    """Share what stands in no slot, as in SVG, by the name of the box, or by which stands higher."""
    loose = sorted(slots[""], key=_height)
    if len(loose) == 1:
        slots[
            "upper"
            if name in ("msup", "mover") or (name[-4:] in ("over", "bsup") and _height(loose[0]) > 0)
            else "lower"
        ] += loose
    elif loose:
        slots["lower"] += loose[:1]
        slots["upper"] += loose[1:]


def _height(box: Any) -> float:
    """Return how high SVG puts a box above its parent's line."""
    found = _SHIFT.search(box.get("transform") or "")
    try:
        return float(found[2] or 0) if found else 0.0
    except ValueError:
        return 0.0


def _one(boxes: list[Any], depth: int) -> Any:
    """Return what a slot holds as one element; None when there is no such slot."""
    if not boxes:
        return None
    nodes = [
        node
        for box in boxes
        for node in ([_converted(box, depth + 1)] if name_of(box) in _NODES else _nodes_in(box, depth))
    ]
    return nodes[0] if len(nodes) == 1 else mathml("mrow", nodes)


def _fraction(box: Any, depth: int) -> Any:
    found = list(_parts(box))
    upper = [node for slot, node in found if slot == "upper"]
    lower = [node for slot, node in found if slot == "lower"]
    loose = sorted((node for slot, node in found if not slot), key=_height)
    above, below = _one(upper or loose[1:], depth), _one(lower or loose[:1], depth)
    if above is None or below is None:
        raise UnreadableError("mfrac")
    return mathml("mfrac", [above, below], **({} if _has_bar(box) else {"linethickness": "0"}))


def _has_bar(box: Any) -> bool:
    """Return whether a fraction's own layout, not that of its parts, draws a bar."""
    waiting = list(box)
    while waiting:
        child = waiting.pop()
        name = name_of(child)
        if name == "line" or tag_of(child) == "rect":
            return True
        if name not in _NODES and name not in ("num", "den", "numerator", "denominator"):
            waiting += child
    return False


def _radical(box: Any, depth: int) -> Any:
    found = list(_parts(box))
    roots = [node for slot, node in found if slot == "root"]
    surds = [node for slot, node in found if slot == "surd" or (name_of(node) == "mo" and node.getparent() is box)]
    inside = [node for slot, node in found if node not in surds and slot != "root"]
    if name_of(box) == "mroot" and not roots:  # SVG draws the degree beside the sign
        roots = [node for node in inside if node.getparent() is box]
        inside = [node for node in inside if node not in roots]
    content = mathml("mrow", [_converted(node, depth + 1) for node in inside])
    degree = _one(roots, depth)
    return mathml("msqrt", [content]) if degree is None else mathml("mroot", [content, degree])


def _token(box: Any, name: str) -> Any:
    text = "".join(_glyphs(box))
    if name == "mo" and text[:1] in _LONG:
        text = text[0]  # a line or a brace, drawn bit by bit
    if name == "mo" and text and all(piece in PIECES for piece in text):
        text = PIECES[text[0]]
    font = _font(box)
    plain = font == "normal" and name != "mi"
    return mathml(name, text=text, **({"mathvariant": font} if font and not plain else {}))


def _font(box: Any) -> str:
    names = [name for inner in box.iter() for name in (inner.get("class") or "").split()]
    links = [inner.get("xlink:href") or inner.get("href") or "" for inner in box.iter("use")]
    names += [found[0] for link in links if (found := _FONT.search(link))]
    if "MJXc-TeX-ams-R" in names and "".join(_glyphs(box)).isalpha():
        return "double-struck"
    return next((_FONTS[one] for one in reversed(names) if one in _FONTS), "")


def _glyphs(box: Any) -> Iterator[str]:
    """Yield a token's characters, from codes of glyphs or as they are written."""
    waiting = list(reversed(box))
    while waiting:
        child = waiting.pop()
        code = child.get("data-c") or (_CODE.search(child.get("class") or "") or ["", ""])[1]
        if code:
            yield _character(code)
        elif tag_of(child) in ("path", "use", "mjx-c"):
            raise UnreadableError("a glyph without a code")
        elif tag_of(child) in ("mjx-utext", "text") or "mjx-char" in (child.get("class") or "").split():
            yield "".join(map(_known, "".join(child.itertext()).strip("\u200b")))
        else:
            waiting += reversed(child)


def _character(code: str) -> str:
    try:
        return _known(chr(int(code, 16)))
    except (ValueError, OverflowError):
        raise UnreadableError(f"glyph {code}") from None


def _known(character: str) -> str:
    """Return a character, the brace that its piece begins, or nothing for a brace's other pieces."""
    if "\ue000" <= character <= "\uf8ff" and character not in _BRACES:
        raise UnreadableError(f"glyph {ord(character):X} of the font's own")
    return _BRACES.get(character, character)


def _width(box: Any) -> str:
    found = re.search(r"(?:width|margin-(?:left|right)):\s*([\d.]+em)", box.get("style") or "")
    return found[1] if found else ""


def _notation(box: Any) -> str:
    """Return what is drawn round a `<menclose>`: strokes have names, lines are borders."""
    drawn = {name_of(inner) for inner in box.iter()}
    if drawn & {"ustrike", "dstrike", "hstrike", "vstrike"}:
        names = {
            "ustrike": "updiagonalstrike",
            "dstrike": "downdiagonalstrike",
            "hstrike": "horizontalstrike",
            "vstrike": "verticalstrike",
        }
        return " ".join(long for short, long in names.items() if short in drawn)
    style = " ".join(child.get("style") or "" for child in box)
    return " ".join(side for side in ("top", "bottom", "left", "right") if f"border-{side}" in style) or "box"
