"""Navigation, sidebars, footers and permalinks: parts of a page that its markup itself calls so.

Only what says its purpose is removed here: HTML5's `<nav>`, `<footer>` and `<aside>`, ARIA roles, and classes or
ids that hold such a word. Lists and blocks that are links and nothing else go as well. A page whose author
misuses a word must not be lost: no part goes that holds more than `SHARE` of the main part, or of the page where no
main part is marked, and the main part never goes nor anything that holds it. An id may be the anchor of a title,
`related-functions` of "Related functions": a word that stands in the part's own heading says nothing.
"""

import re
from typing import Any

from nemo_lab.curation.formulas.tree import tag_of

SHARE = 0.4
_REST = 200  # characters that a page has besides a long menu
_ROLES = frozenset(
    (
        "navigation",
        "banner",
        "contentinfo",
        "search",
        "complementary",
        "menu",
        "menubar",
        "toolbar",
        "tablist",
    )
)
_TAGS = frozenset(("nav", "footer", "aside"))
_NAMES = (
    r"nav(?:bar|box\w*|igation|links?|path|row|s)?",
    "no-?print",
    "mw-cite-backlink",
    r"menu\w*",
    r"\w*sidebar\w*",
    r"bread-?crumbs?",
    r"footer\w*",
    r"site-?header",
    r"page-?header",
    r"mastheads?",
    r"cookies?\w*",
    r"social\w*",
    r"share\w*",
    r"advert\w*",
    "ads?",
    "pagination",
    "pager",
    r"related\w*",
    r"prev-?next",
    r"skip-?links?",
    r"search\w*",
    r"edit-?section",
    r"jump-?to-?nav",
    "toc",
    r"comment-?form",
    "newsletter",
    "subscribe",
    "login",
    r"sponsor\w*",
    "copyright",
    r"print-?footer",
    "mw-editsection",
    "catlinks",
    r"tabs\d?",
    "tablist",
)
_WORDS = re.compile(rf"(?:^|[\s_-])(?:{'|'.join(_NAMES)})(?=$|[\s_-])", re.IGNORECASE)
_PERMALINK = re.compile(
    r"(?:^|\s)(?:headerlink|anchorjs-link|header-anchor|permalink|viewcode-link|toc-backref-link|copybtn|hash-link"
    r"|anchor-link|footnote-back\w*|(?:mw-)?(?:jump|skip)-?(?:to-?\w+-?)?link|skip-?to-?content)(?:$|\s)"
)
_SIGN = re.compile(
    r"\s*(?:[#¶§↩↑⏎⇑^\u200b🔗\uf0c1][\ufe0e\ufe0f]?|skip to [\w ]{1,30}"
    r"|jump to (?:content|navigation|search|recipe))?\s*",
    re.IGNORECASE,
)
_CANDIDATES = frozenset(("div", "section", "header", "ul", "ol", "table", "p", "td", "span", "form", "dl"))
_LINK_LISTS = frozenset(("ul", "ol", "table", "dl", "div", "p"))
_CONTENT = frozenset(("pre", "math", "script", "img", "h1", "h2"))


def drop_chrome(root: Any) -> int:
    """Remove navigation and the like in place and return how many parts went."""
    main = _main_part(root)
    kept = set() if main is None else {main, *main.iterancestors()}
    limit = SHARE * max(1, _length(root if main is None else main))
    inside = set() if main is None else set(main.iter())
    dropped, skip = 0, 0
    titled = main is not None and next(main.iter("h1"), None) is not None
    for element in list(root.iter()):
        skip -= 1
        tag = tag_of(element)
        if skip >= 0 or not tag or element in kept or element.getparent() is None:
            continue
        free = main is not None and element not in inside  # what stands beside the main part may be longer than it
        banner = free and tag == "header" and _is_banner(element, titled)
        if not banner and not _is_chrome(element, tag, element in inside):
            continue
        if free or tag == "a" or _length(element) <= limit or _is_long_menu(element, tag, root):
            skip = sum(1 for _ in element.iter()) - 1
            dropped += _remove(element)
    return dropped


def _main_part(root: Any) -> Any | None:
    """Return the element that the page marks as its main part, or None."""
    for element in root.iter("main", "article", "div", "section"):
        marked = tag_of(element) in ("main", "article") or element.get("role") == "main"
        if marked and _length(element) >= 200:
            return element
    return None


def _is_chrome(element: Any, tag: str, in_main: bool) -> bool:
    """Return whether it is furniture; in the main part asides are footnotes, and lists of links are content."""
    if tag == "a":
        return _is_sign(element)
    if tag in ("body", "html", "main", "article"):
        return False
    if in_main:
        return tag != "aside" and _says_so(element, tag)
    return _says_so(element, tag) or (tag in _LINK_LISTS and _only_links(element))


def _is_sign(link: Any) -> bool:
    """Return whether a link leads to a place in the page and says no more than that: `#`, `¶`, `Skip to content`."""
    if _PERMALINK.search(link.get("class") or ""):
        parent = link.getparent()
        return _length(link) <= 1 or parent is None or _length(parent) > _length(link)  # or it is all of a heading
    if not (link.get("href") or "").startswith("#"):
        return False
    text = "".join(link.itertext())
    return 0 < len(text) < 50 and _SIGN.fullmatch(text) is not None


def _is_long_menu(element: Any, tag: str, root: Any) -> bool:
    """Return whether it is called a menu and is links only, and there is a page besides it, however long it is."""
    return _says_so(element, tag) and _only_links(element) and _length(root) - _length(element) >= _REST


def _is_banner(header: Any, titled: bool) -> bool:
    """Return whether a header beside the main part is the site's: the page's title is in the main part or not in it."""
    return titled or next(header.iter("h1"), None) is None


def _says_so(element: Any, tag: str) -> bool:
    if tag in _TAGS or element.get("role") in _ROLES:
        return True
    if tag not in _CANDIDATES:
        return False
    if _WORDS.search(element.get("class") or ""):
        return True
    found = _WORDS.search(element.get("id") or "")
    return found is not None and not _in_heading(found[0].strip(" _-"), element)


def _in_heading(word: str, element: Any) -> bool:
    """Return whether the element's first heading has the word, as the title has whose anchor an id is."""
    heading = next(element.iter("h1", "h2", "h3", "h4", "h5", "h6"), None)
    return heading is not None and word.lower() in "".join(heading.itertext()).lower()


def _only_links(element: Any) -> bool:
    """Return whether a block is at least three links and hardly anything else, code and formulas least of all."""
    links = list(element.iter("a"))
    if len(links) < 3 or any(True for _ in element.iter(*_CONTENT)):
        return False
    return sum(map(_length, links)) >= 0.85 * _length(element)


def _length(element: Any) -> int:
    """Return how many characters of text are in it, blanks and scripts not counted."""
    import lxml.etree

    text = lxml.etree.tostring(element, encoding="unicode", method="text", with_tail=False)
    hidden = sum(len("".join((inner.text or "").split())) for inner in element.iter("script", "style"))
    return len("".join(text.split())) - hidden


def _remove(element: Any) -> int:
    parent, previous, tail = element.getparent(), element.getprevious(), element.tail
    if tail and previous is not None:
        previous.tail = (previous.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
    element.tail = None
    parent.remove(element)
    return 1
