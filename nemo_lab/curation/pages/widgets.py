"""What pages say in controls: options of a quiz in labels, titles in buttons, panels that open, cells with code.

A renderer knows nothing of forms that are not filled in, and the pre-pass removes buttons, labels and what is
hidden. But a `<label>` beside a radio button is an answer of the quiz, the `<button>` in a heading is the heading,
and the panel that a button opens is text that a reader gets to see. A program in an
editor is code. Those become plain elements here; labels of
search boxes and logins, buttons that copy or open a menu, and what nothing in the page opens stay as they are.
"""

import re
from collections.abc import Iterator
from typing import Any

from nemo_lab.curation.formulas.tree import tag_of
from nemo_lab.curation.pages import math_signs
from nemo_lab.curation.pages.chrome import SHARE, is_panel
from nemo_lab.curation.pages.code_language import language_of

_TITLES = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt", "legend"))
_CHOICES = frozenset(("radio", "checkbox"))
_PERSONAL = frozenset(("email", "password", "search", "tel", "url"))
_SWITCH = re.compile(
    r"toggle|toggler|drawer|menu|\bnav(?!content)|dropdown|theme|dark-?mode|burger|overlay|modal|search|switch|consent|cookie|remember",
    re.IGNORECASE,
)
_OPENER = re.compile(r"accordion|collapsible|\bfaq|question|disclosure|spoiler|\boption|\bchoice", re.IGNORECASE)
_OPENED = re.compile(
    r"accordion|collaps|spoiler|solution|answer|hint|\bfaq|disclosure|toggle-?content|\bexpand\w*-content|NavContent"
    r"|(?:^|\s)(?:(?:my)?slides?|future|past)(?:$|\s)",
    re.IGNORECASE,
)
_HIDDEN = 500  # hidden elements that may be the page; a hostile one has any number
_LITTLE = 500  # characters of a page; a shorter one may hide more than it shows
_NOT_SHOWN = re.compile(r"(?:display:\s*none|visibility:\s*hidden)[^;]*;?", re.IGNORECASE)
_QUOTED = re.compile(r"""['"]#?([\w:.-]+)['"]""")
_ORDER = re.compile(
    r"(?:copy|copied|edit|link|share|menu|toggle|close|open|permalink)|(?:show|hide|view|read|expand|collapse)(?:more|less|all|$)",
    re.IGNORECASE,
)
_NAMES = ("class", "id", "for", "name", "role")


def open_widgets(root: Any) -> None:
    """Make labels, buttons and hidden panels that are content plain elements, in place."""
    fields = {one.get("id"): one for one in root.iter("input", "select", "textarea") if one.get("id")}
    for element in list(root.iter("label", "button", "textarea", "script", "template")):
        tag = tag_of(element)
        if (tag == "label" and _is_content_label(element, fields)) or (tag == "button" and _is_content_button(element)):
            element.tag = "span"
        elif tag in ("textarea", "script") and _is_editor(element, tag):
            element.tag = "pre"
        elif tag == "template" and (element.get("shadowrootmode") or element.get("shadowroot")):
            element.tag = "div"
    hidden = root.xpath("//*[@hidden or contains(@style, 'none') or contains(@style, 'hidden')]")
    opened = set(_opened(root)) if hidden else set()
    for element in hidden:
        _unhide(element, opened)
    _show_waiting(root, hidden[:_HIDDEN])


def _show_waiting(root: Any, hidden: list[Any]) -> None:
    """Show what is hidden only until a script has run: all of the page's text, or what is invisible in many pieces."""
    hidden = [one for one in hidden if not _SWITCH.search(f"{one.get('class') or ''} {one.get('id') or ''}")]
    enough = SHARE * max(_LITTLE, _letters(root)) if hidden else 0
    lengths: dict[Any, int] = {}
    for one in hidden:  # what is in another one is counted there
        lengths[one] = 0 if any(above in lengths for above in one.iterancestors()) else _letters(one)
    invisible = [one for one in hidden if "visibility" in (one.get("style") or "")]
    together = sum(lengths[one] for one in invisible) >= enough
    for element in hidden:
        if lengths[element] >= enough or (together and element in invisible):
            _show(element)


def _letters(element: Any) -> int:
    """Return how many characters of text are in it, blanks and scripts not counted."""
    texts = element.xpath(".//text()[not(parent::script or parent::style or parent::title)]")
    return sum(len("".join(text.split())) for text in texts)


def _show(element: Any) -> None:
    element.attrib.pop("hidden", None)
    element.set("style", _NOT_SHOWN.sub("", element.get("style") or ""))


def _opened(root: Any) -> Iterator[str]:
    """Yield the ids of what the page's controls open."""
    for names in root.xpath("//@aria-controls | //@data-target | //@data-bs-target"):
        yield from (one.lstrip("#") for one in names.split())
    for action in root.xpath("//@onclick | //@href[starts-with(., 'javascript:')]"):
        yield from _QUOTED.findall(action[:500])


def _unhide(element: Any, opened: set[str]) -> None:
    """Show what a reader can open: panels, what a control names, and what the browser's search would find."""
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    if tag_of(element) == "tr":  # a table that opens hides its rows
        named += next((f" {above.get('class') or ''}" for above in element.iterancestors("table")), "")
    can_open = is_panel(element) or _OPENED.search(named) or element.get("id") in opened
    if element.get("hidden") == "until-found" or (can_open and not _SWITCH.search(named)):
        _show(element)


def _is_editor(element: Any, tag: str) -> bool:
    """Return whether a program stands in it that a reader may change and run, as in a textbook's cells."""
    if tag == "script":
        cell = element.getparent().get("class") or "" if element.getparent() is not None else ""
        return "text/x-sage" in (element.get("type") or "") or ("sage" in cell and not element.get("src"))
    is_copy = "crayon-plain" in (element.get("class") or "")  # of the block that is shown beside it
    return not is_copy and bool(language_of(element)) and (element.text or "").strip() != ""


def _is_content_label(label: Any, fields: dict[str, Any]) -> bool:
    """Return whether a label is an option, a question or plain text, and does not name the field of a form."""
    control = _control(label, fields)
    if _is_switch(label) or (control is not None and _is_switch(control)) or _in_personal_form(label):
        return False
    if control is None or (control.get("type") or "").lower() in _CHOICES:
        return True
    text = "".join(label.itertext())
    return "?" in text or math_signs.in_element(label) > 0 or next(label.iter("pre", "code"), None) is not None


def _control(label: Any, fields: dict[str, Any]) -> Any | None:
    """Return the field that a label belongs to: the one it names, holds or stands beside."""
    if label.get("for") in fields:
        return fields[label.get("for")]
    inside = next(label.iter("input", "select", "textarea"), None)
    if inside is not None:
        return inside
    beside = (label.getprevious(), label.getnext())
    return next((one for one in beside if one is not None and tag_of(one) in ("input", "select", "textarea")), None)


def _is_switch(element: Any) -> bool:
    """Return whether an element is called one that opens a menu or sets a preference."""
    if element.get("role") == "button":
        return True
    return any(_SWITCH.search(element.get(name) or "") for name in _NAMES)


def _in_personal_form(label: Any) -> bool:
    """Return whether the form asks who the reader is or what to search for."""
    form = next(label.iterancestors("form"), None)
    if form is None:
        return False
    if form.get("role") == "search":
        return True
    return any((one.get("type") or "").lower() in _PERSONAL for one in form.iter("input"))


def _is_content_button(button: Any) -> bool:
    """Return whether a button is a title, an option or a formula, and not something to press."""
    text = "".join("".join(button.itertext()).split())
    title = next(filter(_is_title, button.iterancestors()), None)
    if title is not None:
        return 2 * len(text) >= len("".join("".join(title.itertext()).split())) and not _is_order(text)
    named = f"{button.get('class') or ''} {button.get('id') or ''}"
    if not text or button.get("role") == "tab" or _SWITCH.search(named):
        return False
    opens = button.get("aria-expanded") is not None and " ".join(button.itertext()).strip().count(" ") > 1
    return bool(_OPENER.search(named)) or (opens and not _is_order(text)) or math_signs.in_element(button) > 0


def _is_title(element: Any) -> bool:
    return tag_of(element) in _TITLES or element.get("role") == "heading"


def _is_order(text: str) -> bool:
    """Return whether a button's text is a sign or tells to press it: `#`, `Copy item path`, `Show more`."""
    return len(text) < 3 or _ORDER.match(text) is not None
