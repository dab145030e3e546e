"""The rules cleaner: what Phi-4 does in the paper, as far as rules can do it.

The paper's task for its language model has four parts: drop what is not content, write all mathematics as LaTeX,
keep code, and repair the text. The pre-pass has done the second and third. Rules do the first, line by line,
and of the fourth only what cannot change a meaning (broken characters, blanks). They rewrite no sentence, which
is a limit and a guarantee. Inline formulas stay in `$…$` and display formulas in `$$…$$`: the paper's single `$`
for both loses the difference.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nemo_lab.errors import check_text

_LABELS = (
    "previous",
    "next",
    "prev",
    "up",
    "home",
    "index",
    "top",
    "contents?",
    "table of contents",
    "back to top",
    "skip to (?:main )?content",
    "modules?",
    "search",
    "main page",
    "(?:show|view|page) source",
    "edit(?: this page| on github)?",
    "permalink",
    "print",
    "share(?: this)?",
    "tweet",
    "log ?in",
    "sign (?:in|up)",
    "register",
    "subscribe",
    "menu",
    "toggle [a-z ]{1,40}",
    "hide [a-z ]{0,30}sidebar",
    "reply",
    "report",
    "like",
    r"comments?(?: \(\d+\))?",
    "leave a (?:reply|comment)",
    "read more",
    "continue reading",
    "download(?: pdf)?",
    "cite",
    "link to this (?:heading|definition)",
    "navigation",
    "quick search",
    "this page",
    "on this page",
    "related topics",
    "documentation overview",
    "(?:previous|next) topic",
    "more",
    "all",
    "close",
    "help",
    "about",
    "contact(?: us)?",
    "navigation menu",
    "ask question",
    r"add a comment ?\|?",
    "sorted by:?",
    "print recipe",
    r"\d+ likes?",
    "privacy(?: policy)?",
    "terms(?: of (?:use|service))?",
    r"\[?mathjax (?:on|off)\]?",
    r"\[source\]",
    "cop(?:y|ied) (?:code|link|snippet|to clipboard)!?",
    "copied!",
)
_ARROWS = "(?:«|»|‹|›|←|→|<<|>>|:|¶)?"
_LINK_LINE = re.compile(rf"{_ARROWS}\s*(?:{'|'.join(_LABELS)})\s*{_ARROWS}", re.IGNORECASE)
_PHRASES = (  # a line with one of them is none of the text
    "all rights reserved",
    "created using sphinx",
    "built with sphinx",
    "this site uses cookies",
    "this website uses cookies",
    "this page uses cookies",
    "we use cookies",
    "enable javascript",
    "javascript is disabled",
    "javascript is required",
    "your browser does not",
    "accept cookies",
    "accept all cookies",
    "follow us on",
    "subscribe to our",
    "please turn javascript",
    "enter search terms",
    "your email address will not be",
)
_NOTICES = (  # from the line's first character
    r"\W*(?:©|\(c\)|copyright)\s.{0,80}$",
    r"\W*(?:page |documentation )?generated (?:by|on|at|with|using)\b.{0,80}$",
    r".*powered by\b.{0,40}$",
    r"\W*last (?:updated|modified|edited)(?: on)?\b.{0,60}$",
    r"\W*(?:posted|published|submitted|written) (?:by|on|in)\b.{0,80}$",
    r"(?:in|out) ?\[[\d* ]{0,5}\]:?$",
    r"(?:asked|viewed|modified|answered|edited) ?\d[\w, ]{0,20}(?:times|ago)$",
    "from wikipedia, the free encyclopedia$",
    r"page \d+ of \d+\b.{0,40}$",
    "all times are gmt",
    "view raw .{0,80} hosted with . by github$",
    r"(?:next|prev|previous|up): .{1,80}?(?:, |\[)(?:up|previous|prev|top|index|contents)\b.{0,100}$",
)
_NOTICE = re.compile("|".join(_NOTICES))
_MARKERS = re.compile(
    r"\[(?:edit|hide|show|citation needed|source|img|image|link|button|\d+\.(?:png|gif|svg|jpg))\]|¶(?=\s*$)",
    re.IGNORECASE,
)
_BARS = re.compile(r"^[\s\W_]*$")
_FENCE = re.compile(r"^(`{3,})")
_HEADING = re.compile(r"[A-Za-z0-9$]")


@dataclass(frozen=True)
class Cleaned:
    """A cleaned text and how many lines went."""

    text: str
    dropped_lines: int


def clean(text: str) -> Cleaned:
    """Return rendered text without boilerplate lines and with even blanks; code blocks are left as they are."""
    check_text("text", text)
    kept: list[str] = []
    dropped = 0
    seen: dict[str, int] = {}
    lines = text.split("\n")
    for line, in_code in _with_code(lines):
        if in_code:
            kept.append(line)
            continue
        line = _MARKERS.sub("", line).replace("\u200b", "")
        stripped = re.sub(r"[ \t\u00a0]+", " ", line).strip()
        if stripped and (is_boilerplate(stripped) or _repeated(stripped, seen)):
            dropped += 1
            continue
        kept.append(_indent(line) + stripped if stripped else "")
    return Cleaned(_paragraphs(kept), dropped)


def is_boilerplate(line: str) -> bool:
    """Return whether a line is furniture: a link's label alone, a notice, a rule of dashes, a path of links."""
    if "$" in line:
        return False
    bare = line.lstrip("*+-•o# ").strip()
    if not bare or _BARS.match(bare):
        return True
    if len(bare) <= 40 and _LINK_LINE.fullmatch(bare):
        return True
    return len(bare) <= 200 and (_is_notice(bare.lower()) or _is_link_path(bare))


def _is_notice(line: str) -> bool:
    return any(phrase in line for phrase in _PHRASES) or _NOTICE.match(line) is not None


def _is_link_path(line: str) -> bool:
    """Return whether a line is short labels between bars or arrows: `Home » Docs » Page`, `next | previous | index`."""
    parts = [part.strip() for part in re.split(r"[|»›·•]|\s-\s(?=next|prev|index|top)", line)]
    if len(parts) < 3 or max(map(len, parts)) > 40:
        return False
    labels = sum(bool(_LINK_LINE.fullmatch(part)) for part in parts if part)
    return labels >= 2 or "»" in line


def _repeated(line: str, seen: dict[str, int]) -> bool:
    """Return whether this short line of words has come three times before, as page furniture does."""
    if len(line) > 60 or "|" in line or not _HEADING.search(line) or line.startswith(("*", "+", "-", "(", "{", "$")):
        return False
    seen[line] = seen.get(line, 0) + 1
    return seen[line] > 8


def _with_code(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each line and whether it belongs to a fenced block (its fences included)."""
    fence = ""
    for line in lines:
        if fence:
            yield line, True
            if line == fence:
                fence = ""
            continue
        opened = _FENCE.match(line)
        fence = opened[1] if opened else ""
        yield line, bool(opened)


def _indent(line: str) -> str:
    """Return the indentation that marks list levels in lynx's output, without its page margin of three."""
    found = re.match(r"[ ]*", line)
    width = len(found[0]) if found else 0
    is_item = line.lstrip().startswith(("* ", "+ ", "o ", "# ", "- "))
    return " " * max(0, width - 3) if is_item else ""


def even_paragraphs(text: str) -> str:
    """Return the text with at most one blank line in a row outside code blocks, and none around."""
    return _paragraphs(text.split("\n"))


def _paragraphs(lines: list[str]) -> str:
    out: list[str] = []
    for line, in_code in _with_code(lines):
        if line or in_code or (out and out[-1] != ""):
            out.append(line)
    return "\n".join(out).strip("\n")
