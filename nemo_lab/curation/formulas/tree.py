"""What every reader of markup asks of a node of lxml's tree: its name without namespace."""

from functools import lru_cache
from typing import Any


def tag_of(element: Any) -> str:
    """Return an element's name in lower case without its namespace; empty for comments."""
    return _bare(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(4096)  # a page has few names and asks for them thousands of times
def _bare(tag: str) -> str:
    return tag.rpartition("}")[2].rpartition(":")[2].lower()
