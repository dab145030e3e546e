"""The pass over a page's tree before lynx sees it: formulas and code held back, chrome and active content out.

One walk in document order. An element that is a formula or a block of code gives its place to a word
(`placeholders`), tables of data become lines, `<sup>` and `<sub>` become `^{…}` and `_{…}`. What could run,
load or submit (scripts, frames, forms, images, styles) is removed, so that the renderer gets a page that refers
to nothing outside itself. Navigation is removed when the markup says that it is navigation.

Relative to the paper: it renders pages as they are and lets Phi-4 translate what lynx prints. This pass does the
part of that work that needs no language model, and it recovers what lynx does not print at all.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from nemo_lab.curation.formulas import images, nodes, scripts
from nemo_lab.curation.formulas.delimiters import Delimiters, declared, hold_text_math, is_open
from nemo_lab.curation.formulas.formula import Formula
from nemo_lab.curation.formulas.latex import LONGEST
from nemo_lab.curation.formulas.renderings import COPY
from nemo_lab.curation.formulas.tree import tag_of
from nemo_lab.curation.formulas.word import uncommented
from nemo_lab.curation.pages import code_blocks, code_language, math_signs, tables
from nemo_lab.curation.pages.chrome import drop_chrome, is_panel
from nemo_lab.curation.pages.math_signs import Evidence
from nemo_lab.curation.pages.placeholders import CODE, DISPLAY, INLINE, Shelf
from nemo_lab.curation.pages.tabs import label_panels
from nemo_lab.curation.pages.tags import ACTIVE, CODE_TAGS, SILENT, STRUCK, YOUNGER
from nemo_lab.curation.pages.widgets import open_widgets
from nemo_lab.errors import LabError

_RAISED = re.compile(r"(?:[A-Za-z]{2}|[®™]|[\[(].*)?", re.DOTALL)
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.IGNORECASE)
_TAG = 50_000  # characters of one tag, addresses of data not counted
_LONG_TAG = re.compile(rf"<[A-Za-z][^<>]{{{_TAG}}}")
_LONG_VALUE = re.compile(r"""=\s*(?:"[^"<]{20000,}"|'[^'<]{20000,}')""")  # a program's state; no formula is so long
_DATA = re.compile(r"data:[\w.+/;=,-]{100,}")
# Characters that no XML has: the parser lets them in, and the tree then refuses to hold them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\ufffe\uffff]")
_CONTROL_REFERENCE = re.compile(
    r"\x0c|&#0*(?:[0-8]|1[124-9]|2\d|3[01]|6553[45])(?!\d);?|&#[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]|[fF]{3}[eEfF])(?![0-9a-fA-F]);?"
)
_END = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)  # browsers show what follows it; the parser would not keep it
_BLANK = re.compile(r"\s+")
_VOID = frozenset(("source", "track"))
_LINES = 200  # of one formula
UNREADABLE = "[formula]"  # stands in the text where a formula was that could not be read
DEPTH = 200  # nested elements; the content of deeper ones is kept, flat


class PageError(LabError):
    """A page that cannot be read as HTML; says why in a few words."""


@dataclass
class Prepared:
    """A page for the renderer, with what was held back and what was found.

    Attributes:
        html: well-formed markup of the page's body, referring to nothing.
        shelf: formulas and code by the words that stand for them.
        title: the page's title.
        math_nodes, code_blocks: how many the page has; `forms` counts formulas by markup.
        delimiters: what the page's own scripts look for round formulas.
        evidence: signs of mathematics in the raw page, those of removed parts not counted.
        in_furniture: formulas and blocks of code in parts that were removed as furniture or are never seen.
    """

    html: str
    shelf: Shelf
    title: str = ""
    math_nodes: int = 0
    code_blocks: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    delimiters: Delimiters = field(default_factory=Delimiters)
    evidence: Evidence = field(default_factory=Evidence)
    in_furniture: int = 0

    def set_aside(self, part: Any) -> None:
        """Count the formulas and blocks of code of a part that is not in the text."""
        formulas = math_signs.in_element(part)
        self.evidence = replace(self.evidence, formulas=max(0, self.evidence.formulas - formulas))
        self.in_furniture += formulas + sum(1 for _ in part.iter("pre", "listing", "xmp"))


def prepare(page: str) -> Prepared:
    """Return the page for the renderer.

    Raises:
        PageError: there is no HTML in it.
    """
    root = _tree(uncommented(page))
    prepared = Prepared("", Shelf.for_page(page), title=_title(root), delimiters=declared(root))
    prepared.evidence = math_signs.count(page)
    images.drop_copies(root)
    label_panels(root)
    for part in drop_chrome(root):
        if part.tag != "a":
            prepared.set_aside(part)
    open_widgets(root)
    delimited = _delimited(root, prepared.delimiters)
    skip = 0
    for element in list(root.iter()):
        if skip:
            skip -= 1
            continue
        tag = tag_of(element)
        size = _handle(element, tag, prepared) if tag else _drop(element)
        if not size and element in delimited:
            _hold_text(element, tag, prepared)
        skip = max(0, size - 1)
    _flatten(root, prepared.shelf)
    prepared.html = _markup(root)
    return prepared


def _tree(page: str) -> Any:
    import lxml.etree

    page = _END.sub("", _CONTROL_REFERENCE.sub(" ", _CONTROL.sub("", page)))
    page = re.sub(r"^\s*<\?xml[^>]*\?>", "", page, count=1)
    if _LONG_TAG.search(page):  # the parser's time grows with the square of the attributes
        page = _LONG_VALUE.sub('=""', _DATA.sub("data:", page))
        if _LONG_TAG.search(page):
            raise PageError(f"a tag of more than {_TAG:,} characters")
    parser = lxml.etree.HTMLParser(huge_tree=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = lxml.etree.fromstring(page, parser)
    except (lxml.etree.LxmlError, ValueError, UnicodeError, AssertionError) as error:
        raise PageError(f"not readable as HTML ({type(error).__name__})") from error
    if root is None:
        raise PageError("not readable as HTML (no element)")
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise PageError("elements nest deeper than the parser goes")  # it would drop their content silently
    return root


def _title(root: Any) -> str:
    title = next(iter(root.iter("title")), None)
    return _BLANK.sub(" ", "".join(title.itertext())).strip()[:500] if title is not None else ""


def _handle(element: Any, tag: str, prepared: Prepared) -> int:
    """Do what this element asks for; return how many elements of the walk are gone with it, none if it stays."""
    formula = nodes.formula_of(element, tag)
    if formula is not None:
        return _hold_formula(element, formula, prepared)
    if tag in _VOID and len(element):  # the parser has put into it what stands behind it
        element.tag = "span"
        return 1
    if tag in ACTIVE or (element.keys() and (_is_hidden(element) or code_blocks.is_numbers(element))):
        if tag not in SILENT:
            prepared.set_aside(element)
        return _drop(element)
    if code_blocks.is_block(element, tag):
        return _hold_code(element, element, prepared)
    if tag == "table" and (inner := code_blocks.table_of_code(element)) is not None:
        return _hold_code(element, inner, prepared)
    if tag == "table" and (equations := nodes.equation_table(element)) is not None:
        return _hold_formula(element, equations, prepared)
    if tag in ("sup", "sub") and not _holds_formula(element):
        if scripts.is_script(element):
            return _replace(element, scripts.script_text(element, tag))
        if tag == "sub" or _RAISED.fullmatch("".join(element.itertext()).strip()):
            element.tag = "span"  # an ordinal, a trade mark or a reference, which the renderer would write as a power
    elif tag == "span" and (element.get("class") or "").startswith("ltx_note"):
        _open_note(element)
    elif tag in STRUCK:
        element.tag = "span"  # the renderer would write [DEL: … :DEL]
    elif tag in YOUNGER:
        element.tag = "div"  # blocks that the renderer does not know: it would glue their words together
    return 0


def _delimited(root: Any, delimiters: Delimiters) -> set[Any]:
    """Return the elements in whose text, or behind whose children, formulas between delimiters may stand."""
    signs = {f"sign{number}": sign for number, sign in enumerate(sorted(delimiters.first))}
    has_one = " or ".join(f"contains(., ${name})" for name in signs)
    texts = root.xpath(f"//text()[{has_one}]", **signs)
    owners = ((text.getparent(), text.is_tail) for text in texts)
    return {owner.getparent() if is_tail else owner for owner, is_tail in owners}


def _open_note(element: Any) -> None:
    """Put a LaTeXML footnote, which stands in its sentence with its mark thrice, between parentheses."""
    for inner in list(element.iter("sup", "span")):
        named = (inner.get("class") or "").split()
        if inner is not element and ("ltx_note_mark" in named or "ltx_tag_note" in named):
            inner.text = ""
            del inner[:]
    if "ltx_note_content" in element.get("class").split():
        element.text = f" ({(element.text or '').lstrip()}"
        element.tail = f") {(element.tail or '').lstrip()}"


def _is_hidden(element: Any) -> bool:
    """Return whether a reader cannot get to see the element; the panel of a tab waits for its turn."""
    hidden = element.get("hidden") is not None or _HIDDEN.search(element.get("style") or "")
    return (bool(hidden) and not is_panel(element)) or (element.get("aria-hidden") == "true" and _is_ornament(element))


def _is_ornament(element: Any) -> bool:
    """Return whether what is kept from screen readers is an icon or the numbers of lines; other text may be content."""
    return tag_of(element) == "i" or "".join("".join(element.itertext()).split()).isdigit()


def _holds_formula(element: Any) -> bool:
    return any(
        tag_of(e) in ("math", "img", "script", "mjx-container") or e.get("class") for e in element.iterdescendants()
    )


def _hold_formula(element: Any, formula: Formula, prepared: Prepared) -> int:
    if formula.form == COPY:
        return _drop(element)
    prepared.math_nodes += 1
    prepared.forms[formula.form] += 1
    if not formula.latex.strip() or len(formula.latex) > LONGEST:
        return _replace(element, UNREADABLE)
    word = prepared.shelf.keep(DISPLAY if formula.display else INLINE, formula.latex)
    return _replace(element, word, block=formula.display)


def _hold_code(element: Any, block: Any, prepared: Prepared) -> int:
    text = code_blocks.block_text(block)
    prepared.code_blocks += bool(text) or code_blocks.has_words(block)
    if not text:
        return _drop(element)
    language = code_language.language_of(block) or code_language.language_of(element)
    _drop_label(element, language)
    return _replace(element, prepared.shelf.keep(CODE, text, language), block=True)


def _drop_label(element: Any, language: str) -> None:
    """Empty what stands over a block and only names its language, as its fence will."""
    label = element.getprevious()
    if label is None or tag_of(label) not in ("span", "div") or (element.getparent().text or "").strip():
        return
    words = "".join(label.itertext()).lower().split()
    if words and len(words) <= 3 and language and not set(words) - {language, "copy", "code"}:
        label.text = ""
        del label[:]


def _hold_text(element: Any, tag: str, prepared: Prepared) -> None:
    """Hold back formulas between delimiters in the element's own text and in its children's tails."""

    def keep(latex: str, display: bool) -> str:
        prepared.math_nodes += 1
        prepared.forms["delimiters"] += 1
        if not latex.strip():
            return UNREADABLE
        word = prepared.shelf.keep(DISPLAY if display else INLINE, latex)
        return f"\n{word}\n" if display else word

    if _in_code(element, tag):
        return
    for owner, name in [(element, "text"), *((child, "tail") for child in element)]:
        text = getattr(owner, name)
        if text:
            if is_open(text):
                text = _joined(text, next(iter(element), None) if name == "text" else owner.getnext())
            setattr(owner, name, hold_text_math(text, keep, prepared.delimiters))


def _joined(text: str, following: Any) -> str:
    """Return an open formula with its further lines, whose authors put `<br>` between them; those are taken out."""
    for _ in range(_LINES):
        if following is None or tag_of(following) != "br" or len(text) > LONGEST or not is_open(text):
            break
        line, text = following, f"{text}\n{following.tail or ''}"
        following, line.tail = line.getnext(), None
        line.getparent().remove(line)
    return text


def _in_code(element: Any, tag: str) -> bool:
    return tag in CODE_TAGS or any(tag_of(above) in CODE_TAGS for above in element.iterancestors())


def _size(element: Any) -> int:
    return sum(1 for _ in element.iter())


def _drop(element: Any) -> int:
    return _replace(element, " " if tag_of(element) not in ("script", "style", "") else "")


def _replace(element: Any, text: str, block: bool = False) -> int:
    """Put text in the element's place (as a paragraph of its own if `block`); return how many elements went."""
    size, parent = _size(element), element.getparent()
    if parent is None:  # the root: nothing to put text into
        element.text = text
        del element[:]
        return size
    if block:
        tail = element.tail
        element.clear()
        element.tag, element.text, element.tail = "div", text, tail
        return size
    previous = element.getprevious()
    whole = text + (element.tail or "")
    if previous is None:
        parent.text = (parent.text or "") + whole
    else:
        previous.tail = (previous.tail or "") + whole
    element.tail = None
    parent.remove(element)
    return size


def _flatten(root: Any, shelf: Shelf) -> None:
    """Write tables of data as lines, and take out elements that nest too deep, keeping their text."""
    for table in list(root.iter("table")):
        rows = tables.rows_of(table) if table.getparent() is not None else None
        if rows:
            tail = table.tail
            table.clear()
            table.tag, table.tail = "div", tail
            for row in map(shelf.inline, rows):
                line = table.makeelement("div")
                line.text = row
                table.append(line)
    for element in root.xpath("*" + "/*" * DEPTH):
        text, tail = " ".join(element.itertext()), element.tail
        for child in list(element):
            element.remove(child)
        element.text, element.tail = text, tail


def _markup(root: Any) -> str:
    import lxml.html

    body = next(iter(root.iter("body")), root)
    body.tail = None
    return str(lxml.html.tostring(body, encoding="unicode", method="html"))
