"""What every reader of markup asks of a node of lxml's tree, and how readers of renderings write MathML."""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

_WINDOW, _NESTED = 40, 6  # ancestors that are looked at, and how many of them may be of formulas
_OF_FORMULAS = re.compile(r"tex|math|mj[xp]|stem|svg", re.IGNORECASE)


class UnreadableError(ValueError):
    """A rendering of which some part cannot be read; its formula is lost, not guessed."""


def tag_of(element: Any) -> str:
    """Return an element's name in lower case without its namespace; empty for comments."""
    return _bare(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(4096)  # a page has few names and asks for them thousands of times
def _bare(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def classed(element: Any) -> frozenset[str]:
    """Return an element's classes."""
    return frozenset((element.get("class") or "").split())


def is_nested(element: Any) -> bool:
    """Return whether many elements of formulas stand round this one, which only a hostile page does.

    A wrapper is searched down to its leaves, so wrappers in wrappers would cost the square of their number.
    """
    around = 0
    for above in islice(element.iterancestors(), _WINDOW):
        around += bool(_OF_FORMULAS.search(above.get("class") or tag_of(above)))
        if around > _NESTED:
            return True
    return False


def removed(element: Any) -> Any:
    """Take an element out of its tree, its tail left behind, and return it."""
    parent, previous, tail = element.getparent(), element.getprevious(), element.tail
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)
    return element


def mathml(name: str, children: Iterable[Any] = (), text: str = "", **attributes: str) -> Any:
    """Return a new MathML element with children or a text.

    Raises:
        UnreadableError: the text has a control character.
    """
    from lxml import etree

    element = etree.Element(name, attributes)
    try:
        element.text = text or None
    except ValueError:
        raise UnreadableError("a control character") from None
    element.extend(list(children))
    return element
