"""reStructuredText, as Sphinx uses it, to plain text: the Python manual.

docutils would need Sphinx and its extensions to read these files, and its own text writer re-wraps. What a
reader sees is mostly what stands in the source: we drop the roles' names, the underlines, targets, comments
and indices, keep signatures, notes and code. Written for the sources of Python's documentation.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_DROPPED = {
    "index",
    "module",
    "moduleauthor",
    "sectionauthor",
    "codeauthor",
    "highlight",
    "currentmodule",
    "toctree",
    "contents",
    "default-domain",
    "image",
    "figure",
    "audit-event-table",
    "include",
    "tabularcolumns",
    "only",
    "testsetup",
    "testcleanup",
    "raw",
    "rubric",
    "role",
    "default-role",
    "availability",
    "program",
    "miscnews",
}
_SAID = {
    "note": "Note:",
    "warning": "Warning:",
    "seealso": "See also:",
    "tip": "Tip:",
    "hint": "Hint:",
    "important": "Important:",
    "caution": "Caution:",
    "versionadded": "New in version",
    "deprecated": "Deprecated:",
    "versionchanged": "Changed in version",
    "impl-detail": "CPython implementation detail:",
}
_DIRECTIVE = re.compile(r"(\s*)\.\. ([A-Za-z][\w:-]*?)::(?:\s+(.*))?$")
_COMMENT = re.compile(r"(\s*)\.\.(\s|$)")
_OPTION = re.compile(r"\s+:[\w-]+:(\s|$)")
_RULE = re.compile(r"\s*([=\-~^\"'#*+`.:_%])\1{2,}\s*$")
_BROKEN = re.compile(r"(:[\w:+-]+:`[^`\n]*|`[^`\n]+)\n\s*([^`\n]*`(?:__?)?)")  # inline markup over a line's end
_INLINE = (
    (re.compile(r":[\w:+-]+:`[~!]?([^`<]+?)\s*<[^`>]*>`"), r"\1"),
    (re.compile(r":[\w:+-]+:`!?~([^`]*?)`"), lambda match: match[1].rsplit(".", 1)[-1]),
    (re.compile(r":[\w:+-]+:`!?([^`]*)`"), r"\1"),
    (re.compile(r"``(.+?)``"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`__?"), r"\1"),
    (re.compile(r"`([^`]+)`__?"), r"\1"),
    (re.compile(r"(?<![\w*])\*{1,2}(\S(?:[^*]*?\S)?)\*{1,2}(?![\w*])"), r"\1"),
    (re.compile(r"\|(?:release|version|today)\|"), ""),
    (re.compile(r"\\(.)"), r"\1"),
)


def python_manual(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the pages of Python's documentation: library, tutorial, how-tos, reference and the rest."""
    for name, content in members(archives[0], "*/_sources/*.rst.txt"):
        yield name.split("/_sources/")[1].removesuffix(".rst.txt"), plain(content.decode("utf-8", "replace"))


def plain(text: str) -> str:
    """Return reStructuredText as a reader would see it; literal blocks and doctests stay untouched."""
    lines: list[str] = []
    skip = literal = -1  # indentation that ends a dropped directive, a literal block; -1: not in one
    for line in _BROKEN.sub(_one_line, text.expandtabs()).splitlines():
        indent = len(line) - len(line.lstrip())
        if skip >= 0 and (not line.strip() or indent > skip):
            continue
        skip = -1
        if literal >= 0 and (not line.strip() or indent > literal):
            lines.append(line.rstrip())
            continue
        literal = -1
        shown, skip, literal = _line(line, indent)
        if shown is not None:
            lines.append(shown)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _one_line(match: re.Match[str]) -> str:
    is_markup = match[1].startswith(":") or match[2].endswith("_")
    return f"{match[1]} {match[2]}" if is_markup else match[0]


def _line(line: str, indent: int) -> tuple[str | None, int, int]:
    """Return what is shown of one line, and the indentation of the block it drops or keeps literally."""
    directive = _DIRECTIVE.match(line)
    if directive:
        return _directive(directive[2].rsplit(":", 1)[-1], directive[3] or "", indent)
    if _COMMENT.match(line):
        return None, indent, -1
    if _RULE.match(line) or _OPTION.match(line):
        return None, -1, -1
    starts_literal = line.rstrip().endswith("::")
    if line.strip() == "::":
        return None, -1, indent
    shown = line.rstrip()[:-1] if starts_literal else line.rstrip()
    return _inline(shown), -1, indent if starts_literal else -1


def _directive(name: str, argument: str, indent: int) -> tuple[str | None, int, int]:
    blank = " " * indent
    if name in _DROPPED:
        return None, indent, -1
    if name in ("code-block", "sourcecode", "productionlist", "parsed-literal", "doctest", "testcode"):
        return None, -1, indent
    if name in _SAID:
        return f"{blank}{_SAID[name]} {_inline(argument)}".rstrip(), -1, -1
    return (f"{blank}{_inline(argument)}" if argument else None), -1, -1


def _inline(line: str) -> str:
    if line.lstrip().startswith(">>>"):
        return line
    for pattern, shown in _INLINE:
        line = pattern.sub(shown, line)  # type: ignore[arg-type]
    return line
