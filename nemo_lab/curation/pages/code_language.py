"""Which programming language a page says that a block of code is in.

Highlighters say it in a class (`language-python`, `highlight-source-c++`, `brush: js`, `sourceCode python`,
`hljs python`) or in an attribute (`data-lang`, `data-language`, `lang`), on the block, on the `<code>` in it or on
what stands round it. A class without a prefix is a language where Pygments knows one of that name.
"""

import re
from functools import cache, lru_cache
from typing import Any

from nemo_lab.curation.formulas.tree import tag_of

_ATTRIBUTES = (
    "data-language",
    "data-lang",
    "data-code-language",
    "data-enlighter-language",
    "data-code-block-lang",
    "data-code-wrap",
    "data-canonical-lang",
    "data-syntax",
    "syntax",
)
_PREFIX = re.compile(
    r"(?:\blang(?:uage)?[-:]|\bhighlight-(?:source|text|lang)-|\bbrush:?\s*|\bsrc-|\bhl-"
    r"|\bdata type-|\benlighter-l-|\bsourceCode\s+)([A-Za-z][\w+#.-]*)"
)
_SPHINX = re.compile(r"(?:^|\s)highlight-([A-Za-z][\w+#.-]*)")
_HIGHLIGHTED = re.compile(
    r"(?:^|[\s_-])(?:hljs|highlight|chroma|shiki|geshi|codehilite|prettyprint|sourceCode|code\w*|syntax\w*|src)(?=$|[\s_-])"
)
_NAME = re.compile(r"[A-Za-z][\w+#.-]*")
_NO_LANGUAGE = re.compile(
    r"default|none|no-?highlight|(?:plain-?)?te?xt|plain|notranslate|highlight\w*|hljs|source-?code|literal-block|auto|undefined"
    r"|output|id|label|name|(?:number-?lines|line-?numbers?|number-?source)\w*|cell-code|(?:code|number|lines?|wrap|copy|has|no)(?:-[\w-]*)?"
    r"|[a-z]{2}-[a-z]{2}"
)
_UP = 6  # elements round a block that may name its language; tables put three between


def language_of(element: Any) -> str:
    """Return what the page calls the block's language (on it, in it or round it), or an empty string."""
    for one in _inside(element):
        if name := _on_block(one):
            return name
    for distance, one in enumerate(element.iterancestors(), 1):
        name = _named(one)
        if name and (distance <= 2 or name in known_languages()):
            return name
        if "crayon-syntax" in (one.get("class") or "") and (name := _in_bar(one)):
            return name
        if distance == _UP or tag_of(one) in ("body", "article", "main", "section"):
            return ""
    return ""


@cache
def known_languages() -> frozenset[str]:
    """Return the names by which Pygments knows languages."""
    from pygments.lexers import get_all_lexers

    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


def _inside(element: Any) -> list[Any]:
    """Return the block and the elements that begin with it: `<pre>`, its `<code>`."""
    found = [element]
    for _ in range(2):
        first = next(found[-1].iter("code"), None) if tag_of(found[-1]) == "pre" else None
        first = next((child for child in found[-1] if tag_of(child)), None) if first is None else first
        if first is None:
            break
        found.append(first)
    return found


def _in_bar(box: Any) -> str:
    """Return the language that Crayon's bar over a block says; its classes say none."""
    bars = (inner for inner in box.iter("span") if "crayon-language" in (inner.get("class") or ""))
    name = _language("".join(next(bars, box.makeelement("span")).itertext()))
    return name if name in known_languages() else ""


def _on_block(element: Any) -> str:
    """Return what a block or its `<code>` says, with the attribute that elsewhere is a natural language."""
    if name := _named(element):
        return name
    if tag_of(element) not in ("pre", "code"):
        return ""
    return _bare(f"{element.get('lang') or ''} {element.get('class') or ''}")


def _named(element: Any) -> str:
    """Return the language in an element's attributes or class."""
    said = dict(element.items())
    for attribute in _ATTRIBUTES:
        if attribute in said and (name := _language(said[attribute])):
            return name
    return _in_class(said.get("class", ""), said.get("data-syntaxhighlighter-params", "")) if said else ""


@lru_cache(4096)  # a page asks for the same few classes all the time
def _in_class(classes: str, parameters: str) -> str:
    """Return the language in a class, or in what an old highlighter is told."""
    for found in _PREFIX.finditer(f"{classes} {parameters}"):
        if name := _language(found[1]):
            return name
    sphinx = _SPHINX.search(classes)
    if sphinx and (name := _language(sphinx[1])) and (name in known_languages() or "notranslate" in classes):
        return name
    return _bare(classes) if _HIGHLIGHTED.search(classes) else ""


def _language(said: str) -> str:
    """Return a language as a fence names it; of a name with hyphens that nobody knows, its first part."""
    found = _NAME.match(said.strip().lower())
    name = found[0].rstrip(".-") if found else ""
    if "-" in name and name not in known_languages():
        first = name.split("-")[0]
        name = first if first in known_languages() else name
    return "" if _NO_LANGUAGE.fullmatch(name) else name


def _bare(classes: str) -> str:
    """Return the first class that is the name of a language."""
    names = (name for name in classes.lower().split() if name in known_languages())
    return next(filter(None, map(_language, names)), "")
