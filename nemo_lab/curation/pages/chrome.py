"""Navigation, sidebars, footers and permalinks: parts of a page that its markup itself calls so.

Only what says its purpose is removed here: HTML5's `<nav>`, `<footer>` and `<aside>`, ARIA roles, and classes or
ids that hold such a word. Lists and blocks that are links and nothing else go as well. A page whose author
misuses a word must not be lost: no part goes that holds more than `SHARE` of the main part, or of the page where no
main part is marked, and the main part never goes nor anything that holds it. An id may be the anchor of a title,
`related-functions` of "Related functions": a word that stands in the part's own heading says nothing.

Beside the main part a word is enough. In it, a word may as well be the subject (`shared-memory`) or the layout
(the `sidebar` of a textbook), so what the part holds decides: formulas, blocks of code, panels of tabs and the
page's title stay, and so does a part of more text than links; where only furniture has such a name, if it is long.
"""

import re
from functools import lru_cache
from itertools import islice, takewhile
from typing import Any

from nemo_lab.curation.formulas.tree import removed, tag_of
from nemo_lab.curation.pages import math_signs

SHARE = 0.4
_REST = 200  # characters that a page has besides a long menu
_LITTLE, _LABEL = 30, 15  # characters that furniture says beside its links, and more for each link or control
_MUCH = 200  # characters that no furniture says without a link or a control
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
    "no-?print",
    "mw-cite-backlink",
    r"bread-?crumbs?",
    r"(?<!card-)(?<!panel-)footer\w*",
    r"site-?header",
    r"mastheads?",
    r"cookies?(?:(?=$|\s)|-?(?:banner|notice|consent|bar|policy|law|info|message|popup|settings))",
    r"advert\w*",
    "ads?",
    "pagination",
    "pager",
    r"prev-?next",
    r"skip-?links?",
    r"edit-?section",
    r"jump-?to-?nav",
    r"comment-?form",
    "newsletter",
    "subscribe",
    "login",
    r"sponsor\w*",
    "copyright",
    r"print-?footer",
    "mw-editsection",
    "catlinks",
    r"(?:share|social)-?(?:bar|box|buttons?|icons?|links?|list|media|menu|nav|options|post|this|tools?|widgets?)",
    r"related-?(?:articles?|blogs?|entries|items?|links?|news|pages?|posts?|products?|questions?|stor(?:y|ies)|videos?)",
    r"search-?(?:bar|box|button|field|form|input|results|toggle|wrapper)",
    r"(?:side-?)?nav-?bar",
)
_SUBJECTS = (  # may be what a part is about, or where it stands
    r"related\w*",
    r"share\w*",
    r"social\w*",
    r"search\w*",
    r"cookies?\w*",
    r"page-?header",
    r"tabs\d?",
    "tablist",
    r"\w*sidebar\w*",
    r"menu\w*",
    r"nav(?:bar|box\w*|igation|links?|path|row|s)?",
    "toc",
)
_PLACES = frozenset(("sidebar", "menu", "nav", "toc"))  # where no main part is marked these words are enough
_WORDS = re.compile(rf"(?:^|[\s_-])(?:{'|'.join((*_NAMES, *_SUBJECTS))})(?=$|[\s_-])", re.IGNORECASE)
_FURNITURE = re.compile(rf"(?:^|[\s_-])(?:{'|'.join(_NAMES)})(?=$|[\s_-])", re.IGNORECASE)
_SHARED = re.compile(r"(?:^|[\s_-])(?:share|social)", re.IGNORECASE)
_PANEL = re.compile(
    r"(?:^|\s|-)(?:tab(?:s|bed)?[-_]*(?:content|panels?|panes?|block|body)|tab-?item|tabpanels?)(?:$|[\s_-])",
    re.IGNORECASE,
)
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
_CALLED = _TAGS | _LINK_LISTS | {"header"}  # others are furniture by what their attributes say
_CONTENT = frozenset(("pre", "math", "script", "img", "h1", "h2"))
_BLOCKS = frozenset(("pre", "listing", "xmp"))


def drop_chrome(root: Any) -> list[Any]:
    """Remove navigation and the like in place and return the parts that went."""
    mains = _main_parts(root)
    kept = {above for main in mains for above in (main, *main.iterancestors())}
    limit = SHARE * max(1, sum(map(_length, mains or [root])))
    inside = {element for main in mains for element in main.iter()}
    titled = any(next(main.iter("h1"), None) is not None for main in mains)
    skip, dropped = 0, []
    for element in list(root.iter()):
        skip -= 1
        tag = tag_of(element)
        if skip >= 0 or not (tag in _CALLED or element.keys()) or not tag:
            continue
        if element in kept or element.getparent() is None:
            continue
        free = bool(mains) and element not in inside  # what stands beside the main part may be longer than it
        banner = free and tag == "header" and _is_banner(element, titled)
        if not banner and not _is_chrome(element, tag, element in inside, free):
            continue
        if free or tag == "a" or _length(element) <= limit or _is_long_menu(element, tag, root):
            skip = sum(1 for _ in element.iter()) - 1
            dropped.append(removed(element))
    return dropped


def is_panel(element: Any) -> bool:
    """Return whether the element is the panel of a tab, which waits for its turn to be seen."""
    return element.get("role") == "tabpanel" or _is_panel_class(element.get("class") or "")


@lru_cache(4096)
def _is_panel_class(named: str) -> bool:
    return _PANEL.search(named) is not None


def _main_parts(root: Any) -> list[Any]:
    """Return the element that the page marks as its main part, or all its articles, or nothing."""
    long = [one for one in root.iter("main", "article", "div", "section") if _is_marked(one) and _length(one) >= 200]
    best = [one for one in long if tag_of(one) == "main" or one.get("role") == "main"][:1]
    return best or [one for one in long if not any(above in long for above in one.iterancestors())]


def _is_marked(element: Any) -> bool:
    return tag_of(element) in ("main", "article") or element.get("role") == "main"


def _is_chrome(element: Any, tag: str, in_main: bool, free: bool) -> bool:
    """Return whether it is furniture; in the main part asides are footnotes, and lists of links are content."""
    if tag == "a":
        return _is_sign(element)
    if tag in ("body", "html", "main", "article"):
        return False
    if in_main:
        is_aside = tag == "aside" or element.get("role") == "complementary"
        return not is_aside and _says_so(element, tag) and not _is_content(element, tag, in_main)
    if not _says_so(element, tag) and not (tag in _LINK_LISTS and _only_links(element)):
        return False
    return free or not _is_content(element, tag, in_main)


def _is_content(element: Any, tag: str, in_main: bool) -> bool:
    """Return whether a part that is called furniture is none, by what it holds."""
    if any(map(is_panel, element.iter())) or _holds_title(element) or next(element.iter(*_BLOCKS), None) is not None:
        return True
    if tag == "footer" and tag_of(element.getparent()) in ("blockquote", "figure"):
        return True  # who said it
    linked = sum(map(_length, element.iter("a")))
    bare = _length(element) - linked
    if bare <= linked:
        return False
    if math_signs.in_element(element):
        return True
    if tag in _TAGS or element.get("role") in _ROLES or _is_cards(element):
        return False
    if not _may_be_subject(element, in_main):
        named = f"{element.get('class') or ''} {element.get('id') or ''}"
        if _SHARED.search(named) and bare >= _MUCH + _padding(element):
            return True  # a wrapper of the article that is named after its buttons
        return in_main and bare >= _MUCH and not _padding(element)
    return bare >= _LITTLE + _padding(element) or _is_part_of_such(element) or _is_tabs(element)


def _is_tabs(element: Any) -> bool:
    """Return whether it is called tabs and holds more than their labels."""
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return "tab" in named.lower() and next(element.iter("p", "table", "dl"), None) is not None


def _may_be_subject(element: Any, in_main: bool) -> bool:
    """Return whether the words that call it furniture may say what it is about."""
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    if _FURNITURE.search(named):
        return False
    return in_main or not any(word in named.lower() for word in _PLACES)


def _is_part_of_such(element: Any) -> bool:
    """Return whether it stands in content that has its word, as the title of a textbook's sidebar does."""
    found = _WORDS.search(element.get("class") or "")
    word = found[0].strip(" _-").lower() if found else ""
    around = takewhile(lambda above: tag_of(above) not in ("main", "article", "body"), element.iterancestors())
    return bool(word) and any(word in (above.get("class") or "").lower() for above in around)


def _padding(element: Any) -> int:
    """Return how much text the labels of an element's controls and the signs of its links may be."""
    return _LABEL * sum(1 for _ in element.iter("a", "button", "input", "select"))


def _is_cards(element: Any) -> bool:
    """Return whether it shows other pages, a heading that is a link for each."""
    return sum(next(head.iter("a"), None) is not None for head in element.iter("h2", "h3", "h4", "h5", "h6")) > 1


def _holds_title(element: Any) -> bool:
    """Return whether the page's only `<h1>` is in it."""
    titles = list(islice(element.getroottree().getroot().iter("h1"), 2))
    return len(titles) == 1 and element in titles[0].iterancestors()


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
    if _is_furniture_class(element.get("class") or ""):
        return True
    found = _WORDS.search(element.get("id") or "")
    return found is not None and not _in_heading(found[0].strip(" _-"), element)


@lru_cache(4096)  # a page has few classes and asks for them thousands of times
def _is_furniture_class(named: str) -> bool:
    return _WORDS.search(named) is not None


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
