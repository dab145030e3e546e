"""Blocks of code in a page, with their indentation: `<pre>`, highlighters' tables, and `<br>` with `&nbsp;`.

Indentation is meaning in Python and YAML, and it is what most extractors lose. A block's text is taken from the
page's tree, before any rendering: line breaks and blanks as written, `<br>` as a line break, non-breaking blanks
as blanks, line numbers and copy buttons left out.
"""

import re
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any

from nemo_lab.curation.formulas.nodes import formula_of
from nemo_lab.curation.formulas.tree import classed, tag_of

_NUMBERS = re.compile(
    r"(?:^|[\s_-])(?:linenos?|line-?numbers?|lineno(?!table)\w*|gutter|rouge-gutter|copybtn|copy-?button|hljs-ln-numbers|blob-num|ttc)(?=$|[\s_-])"
    r"|(?:^|\s)(?:ln|lnt|hljs-ln-n|crayon-nums|codemirror-gutter\S*)(?=$|\s)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:^|[\s_-])(?:code\w*|highlight\w*|hljs|blob|source-?code|programlisting|listing|syntax\w*|FileContents)(?=$|[\s_-])"
)
# Words that may name something else as well: what they are on is left out where it holds numbers only.
_MAYBE_NUMBERS = re.compile(
    r"lines?-?_?(?:no|nr|num|index|id)|row-?num|linenum|(?:^|[\s_-])(?:(?:user-)?select-none|no-?select|unselectable)(?=$|[\s_-])",
    re.IGNORECASE,
)
_NO_SELECTION = re.compile(r"user-select:\s*none", re.IGNORECASE)
_NUMBER_ATTRIBUTE = re.compile("data-line|data-ln|aria-hidden|unselectable")
_ONLY_NUMBERS = re.compile(r"[\d\s.:|\u00a0]*")
_COPY = re.compile(r"(?:content |code )?cop(?:y|ied)!?(?: (?:code|snippet|to clipboard))?!?", re.IGNORECASE)
_ANNOTATION = re.compile(r"(?:^|\s)(?:code-annotation-anchor|conum|sr-only|visually-hidden|token-line-number)(?=$|\s)")
_WORDS = "def|for|if|elif|else|while|return|import|from|class|print|end|begin|var|let"
_CODE_LOOK = re.compile(rf"[={{}}()\[\];]|^(?:>>>|\.\.\.|\$) |^\s*(?:{_WORDS})\b|:\s*$|^\s*(?:#|//)")
_LINE = re.compile(r"(?:^|[\s_-])line(?=$|[\s\d])")
_LISTED = re.compile(r"(?:^|[\s_-])(?:dp-\w+|geshi|linenums|code\w*|syntax\w*|source-?code|hljs)(?=$|[\s_-])")
_HIGHLIGHTED = re.compile(r"(?:^|\s)(?:hljs|lang(?:uage)?-\w+|code-?block|prettyprint)(?=$|[\s-])")
_BLOCKS = frozenset(("div", "p", "tr", "li", "table", "ul", "ol", "section"))


def is_block(element: Any, tag: str) -> bool:
    """Return whether the element is a block of code: preformatted, or indented lines with `<br>` that look so."""
    if tag == "pre" or tag in ("listing", "xmp"):
        return True
    if tag in ("div", "ol") and _lines_of(element):
        return True
    if tag not in ("div", "p", "td", "code", "blockquote", "font", "tt"):
        return False
    if tag == "code" and _HIGHLIGHTED.search(element.get("class") or ""):
        return "\n" in "".join(element.itertext()).strip()
    style = element.get("style") or ""
    if "white-space" in style and re.search(r"white-space:\s*pre(?!-line)", style):
        return "\n" in "".join(element.itertext()).strip()
    return _broken_lines(element)


def _lines_of(element: Any) -> list[Any]:
    """Return the elements that hold a block's lines: a `<div class="line">` each, or the items of a list of code."""
    if "CodeMirror-code" in (element.get("class") or ""):
        return [line for line in element.iter("pre") if "CodeMirror-line" in (line.get("class") or "")]
    first = next((child.get("class") or "" for child in element if tag_of(child)), "")
    if tag_of(element) == "div" and not _LINE.search(first) and not _NUMBERS.search(first):
        return []
    parts = [child for child in element if tag_of(child) and not _is_beside_code(child)]
    if not parts or (element.text or "").strip():
        return []
    if tag_of(element) == "ol":
        around = [element, element.getparent()]
        named = any(_LISTED.search(one.get("class") or "") for one in around if one is not None)
        return parts if named and all(tag_of(part) == "li" for part in parts) else []
    for part in parts:
        if tag_of(part) != "div" or not _LINE.search(part.get("class") or "") or (part.tail or "").strip():
            return []
    if "line-block" in (element.get("class") or ""):
        return []  # verse in reStructuredText
    looks = sum(bool(_CODE_LOOK.search("".join(part.itertext()))) for part in parts)
    return parts if 2 * looks >= len(parts) or "fragment" in (element.get("class") or "") else []


def _broken_lines(element: Any) -> bool:
    """Return whether `<br>` separates lines, some of them indented, that are called code or mostly look like it."""
    breaks = 0
    for child in element:
        name = tag_of(child)
        breaks += name == "br"
        if name in _BLOCKS or name == "pre":
            return False
    if not breaks:
        return False
    lines = [line for line in block_text(element).split("\n") if line.strip()]
    named = bool(_NAMED.search(element.get("class") or "")) or (bool(lines) and lines[0].startswith(">>> "))
    looks = sum(bool(_CODE_LOOK.search(line)) for line in lines) >= 0.6 * len(lines)
    if named:
        return looks or any(line.startswith(" ") for line in lines)
    return breaks > 1 and looks and any(line.startswith("  ") for line in lines)


def block_text(element: Any) -> str:
    """Return the block's lines: no blank lines around, no blanks at line ends, indentation as it was."""
    preformatted = tag_of(element) in ("pre", "listing", "xmp") or "white-space" in (element.get("style") or "")
    preformatted = preformatted or (tag_of(element) == "code" and next(element.iter("br"), None) is None)
    pieces: list[str] = []
    if tag_of(element) == "table":
        _collect_lines(_code_cells(element), pieces)
    elif lines_of := _lines_of(element):
        _collect_lines(lines_of, pieces)
    else:
        _collect(_program_in(element), pieces, preformatted, 0)
    text = "".join(pieces).replace("\u00a0", " ").replace("\r\n", "\n").replace("\r", "\n").replace("\u200b", "")
    lines = [line.rstrip() for line in text.expandtabs(8).split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def _program_in(element: Any) -> Any:
    """Return the one `<code>` of a block whose bar, with the language's name, stands inside it; else the block."""
    programs = list(islice(element.iter("code"), 2)) if tag_of(element) == "pre" else []
    if len(programs) != 1:
        return element
    code = programs[0]
    for around in takewhile(lambda above: above is not element.getparent(), code.iterancestors()):
        beside = [child for child in around if child is not code and tag_of(child) and code not in child.iter()]
        loose = [around.text, *(child.tail for child in around)]
        if any((text or "").strip() for text in loose) or not all(map(_is_bar, beside)):
            return element
    return code


def _is_bar(element: Any) -> bool:
    """Return whether a box beside a program says hardly anything."""
    text = "".join(element.itertext()).strip()
    return not text or (tag_of(element) in ("div", "ul") and len(text) < 60 and "\n" not in text)


def has_words(element: Any) -> bool:
    """Return whether something stands in a block besides numbers and the labels of buttons."""
    buttons = "".join("".join(button.itertext()) for button in element.iter("button", "script", "style", "textarea"))
    text = "".join(element.itertext())
    return len(text.strip()) > len(buttons.strip()) and not _ONLY_NUMBERS.fullmatch(text)


def is_numbers(element: Any) -> bool:
    """Return whether an element outside a block holds the numbers of its lines."""
    named = element.get("class") or ""
    return bool(named and _NUMBERS.search(named)) and _ONLY_NUMBERS.fullmatch("".join(element.itertext())) is not None


def _collect_lines(parts: list[Any], pieces: list[str]) -> None:
    """Take each part as one line, whether or not it ends one itself."""
    for part in parts:
        line: list[str] = []
        _collect(part, line, True, 0)
        pieces.append("".join(line).strip("\r\n") + "\n")
    if all(piece[0] in "\u00a0\n" for piece in pieces):  # the blank behind each line's number, which has gone
        pieces[:] = [piece.removeprefix("\u00a0") for piece in pieces]


def _collect(element: Any, pieces: list[str], preformatted: bool, depth: int) -> None:
    pieces.append(_shown(element.text, preformatted))
    for child in element:
        tag = tag_of(child)
        if tag == "br":
            pieces.append("\n")
        elif tag and (latex := _drawn_formula(child, tag)):
            pieces.append(latex)
        elif tag and not _is_beside_code(child):
            own_line = tag in _BLOCKS and bool(pieces)
            _break(pieces, own_line)
            _collect(child, pieces, preformatted, depth + 1) if depth < 50 else pieces.append("".join(child.itertext()))
            _break(pieces, own_line or _ends_line(child))
        pieces.append(_shown(child.tail, preformatted))


def _is_beside_code(element: Any) -> bool:
    """Return whether an element in a block is the number of a line, a button or a note's mark, and no code."""
    tag = tag_of(element)
    if tag in ("button", "script", "style", "clipboard-copy") or (tag == "b" and _is_callout(element)):
        return True
    attributes = element.keys()
    if not attributes:
        return False
    is_beside, maybe, can_copy = _beside_by_class(element.get("class") or "")
    if is_beside:
        return True
    if attributes != ["class"]:
        maybe = maybe or any(map(_NUMBER_ATTRIBUTE.match, attributes))
        maybe = maybe or _NO_SELECTION.search(element.get("style") or "") is not None
        can_copy = can_copy or element.get("role") == "button"
    if maybe and tag != "ol" and _ONLY_NUMBERS.fullmatch("".join(element.itertext())):
        return True
    return can_copy and _COPY.fullmatch("".join(element.itertext()).strip()) is not None


@lru_cache(4096)  # highlighted code has a class on each word, the same few thousands of times
def _beside_by_class(named: str) -> tuple[bool, bool, bool]:
    """Return whether a class says that it is no code, that it may be the number of a line, or a button to copy."""
    is_beside = _NUMBERS.search(named) is not None or _ANNOTATION.search(named) is not None
    return is_beside, _MAYBE_NUMBERS.search(named) is not None, "cop" in named or "clip" in named


def _drawn_formula(element: Any, tag: str) -> str:
    """Return the TeX of a formula that is drawn in a block, as the contests' input formats have them."""
    if tag not in ("math", "mjx-container") and not (tag == "span" and classed(element) & {"katex", "katex-display"}):
        return ""
    formula = formula_of(element, tag)
    return formula.latex if formula else ""


def _is_callout(element: Any) -> bool:
    """Return whether it is the number that Asciidoctor prints where the icon of a remark cannot be shown."""
    before = element.getprevious()
    return before is not None and "conum" in (before.get("class") or "")


def _ends_line(element: Any) -> bool:
    """Return whether the element is a line that its style alone keeps apart from the next one."""
    if not _is_line(element) or "\n" in (element.tail or ""):
        return False
    following = element.getnext()
    return following is not None and _is_line(following)


def _is_line(element: Any) -> bool:
    if tag_of(element) == "code" and tag_of(element.getparent()) == "pre":
        return True
    return _is_line_class(element.get("class") or "") or element.get("data-line") is not None


@lru_cache(4096)
def _is_line_class(named: str) -> bool:
    return _LINE.search(named) is not None


def _break(pieces: list[str], wanted: bool) -> None:
    """End the line if it has begun."""
    last = next((piece for piece in reversed(pieces) if piece), "\n") if wanted else "\n"
    pieces.append("" if last.endswith("\n") else "\n")


def _shown(text: str | None, preformatted: bool) -> str:
    """Collapse blanks where a browser would; non-breaking ones are kept."""
    if not text:
        return ""
    if preformatted:
        return text
    return re.sub(r"[ \t\r\n\f]+", lambda blanks: "" if "\n" in blanks[0] else " ", text)


def table_of_code(element: Any) -> Any | None:
    """Return what holds the code of a highlighter's table, or None.

    That is the `<pre>` beside the one with line numbers, or the table itself when each of its rows is a line.
    """
    named = element.get("class") or ""
    if re.search(r"highlighttable|rouge-table|syntaxhighlighter|code-?table", named):
        blocks = [inner for inner in element.iter() if tag_of(inner) == "pre"]
        if blocks and all(tag_of(inner) != "table" for inner in list(element.iter())[1:]):
            return blocks[-1]
    if (beside := _beside_numbers(element)) is not None:
        return beside
    cells = _code_cells(element)
    rows = sum(1 for _ in element.iter("tr"))
    if len(cells) < 2 or len(cells) != rows:
        return None
    named = all(_NAMED.search(f"{named} {cell.get('class') or ''}") for cell in cells)
    numbered = sum(1 for _ in element.iter("td")) == 2 * rows and all(map(_is_all_code, cells))
    return element if named or numbered else None


def _is_all_code(cell: Any) -> bool:
    """Return whether a cell holds code, or nothing."""
    code = next(cell.iter("pre", "code"), None)
    text = "".join("".join(cell.itertext()).split())
    return not text or (code is not None and "".join("".join(code.itertext()).split()) == text)


def _beside_numbers(table: Any) -> Any | None:
    """Return the block in the second of two cells, where the first holds numbers only."""
    cells = list(islice(table.iter("td"), 3))
    if len(cells) != 2 or not re.fullmatch(r"[\d\s]+", "".join(cells[0].itertext())):
        return None
    blocks = (inner for inner in cells[1].iter("pre", "div") if is_block(inner, tag_of(inner)))
    return next(blocks, None)


def _code_cells(table: Any) -> list[Any]:
    """Return the cells of a table that hold no line numbers."""
    cells = [cell for cell in table.iter("td") if not _is_beside_code(cell)]
    firsts, rows = cells[::2], sum(1 for _ in table.iter("tr"))
    counted = ["".join(cell.itertext()).strip() for cell in firsts]
    start = int(counted[0]) if counted and counted[0].isdecimal() and len(counted[0]) < 7 else None
    if start is not None and len(cells) == 2 * rows and counted == [str(start + at) for at in range(rows)]:
        return cells[1::2]
    return cells
