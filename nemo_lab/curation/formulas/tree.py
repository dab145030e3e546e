"""What every reader of markup asks of a node of lxml's tree, and how readers of renderings write MathML."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any


class UnreadableError(ValueError):
    """A rendering of which some part cannot be read; its formula is lost, not guessed."""


def tag_of(element: Any) -> str:
    """Return an element's name in lower case without its namespace; empty for comments."""
    return _bare(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(4096)  # a page has few names and asks for them thousands of times
def _bare(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2].lower()


def mathml(name: str, children: Iterable[Any] = (), text: str = "", **attributes: str) -> Any:
    """Return a new MathML element with children or a text."""
    from lxml import etree

    element = etree.Element(name, attributes)
    element.text = text or None
    element.extend(list(children))
    return element
