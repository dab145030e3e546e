r"""What an extracted text kept of a page whose formulas, code and content are known.

A formula is recovered when the text has a span between delimiters with the same canonical LaTeX, or the formula's
own source verbatim (blanks and Markdown's backslashes aside), which is what extractors do that copy `\(…\)` or an
image's text. Each of a page's formulas is looked for as often as it occurs. Code is recovered when its lines stand
together and in order, and it is Python still when those lines, with their indentation, give the same syntax tree.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_lab.curation.formulas.latex import parses
from nemo_lab.studies.math_extraction.manuals import KnownPage, python_tree
from nemo_lab.studies.math_extraction.same_formula import normal_form

_SPAN = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+(?:\n[^$\n]+)*)\$|\\\\?\((.+?)\\\\?\)|\\\\?\[(.+?)\\\\?\]", re.DOTALL)
_ESCAPES = re.compile(r"\\([_*\[\]<>`#+.!~-])")
_WORDS = re.compile(r"\w+")
_TOKENS = re.compile(r"\w+|[=<>≤≥≠≈±×÷+/^−∑∏∫√∞∂∈∪∩→]")  # a content line with another sign is another line


@dataclass(frozen=True)
class PageScores:
    """What one extractor kept of one page; counts, so that pages add up.

    Attributes:
        formulas, recovered: of the page, and found again.
        spans, parsing: formulas between delimiters in the text, and those that are complete.
        python, python_kept: blocks that Python parses, and those that give the same tree after extraction.
        lines, indented: indented lines of code blocks, and those whose indentation is the same.
        content, content_kept, chrome, chrome_gone: lines of text.
    """

    formulas: int
    recovered: int
    spans: int
    parsing: int
    python: int
    python_kept: int
    lines: int
    indented: int
    content: int
    content_kept: int
    chrome: int
    chrome_gone: int

    def __add__(self, other: "PageScores") -> "PageScores":
        return PageScores(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


NONE = PageScores(*(0,) * 12)


def score_page(page: KnownPage, text: str) -> PageScores:
    """Compare an extracted text with what is known of its page."""
    spans = spans_of(text)
    blocks = [block for block in page.code if page.python and python_tree(block)]
    indents = [indentation(block, text) for block in page.code]
    content, chrome = _present(page.content, text, _TOKENS), _present(page.chrome, text, _WORDS)
    return PageScores(
        formulas=len(page.formulas),
        recovered=recovered(page.formulas, text, spans),
        spans=len(spans),
        parsing=sum(map(parses, spans)),
        python=len(blocks),
        python_kept=sum(keeps_python(block, text) for block in blocks),
        lines=sum(total for total, _ in indents),
        indented=sum(kept for _, kept in indents),
        content=len(content),
        content_kept=sum(content),
        chrome=len(chrome),
        chrome_gone=len(chrome) - sum(chrome),
    )


def spans_of(text: str) -> list[str]:
    """Return the formulas between delimiters of any kind, outside fenced code."""
    outside = re.sub(r"(?ms)^(`{3,}).*?^\1\s*$", "", text)
    return ["".join(groups).strip() for groups in _SPAN.findall(outside)]


def recovered(formulas: Sequence[str], text: str, spans: Sequence[str]) -> int:
    """Return how many of the formulas the text has, each as often as it occurs."""
    plain = _ESCAPES.sub(r"\1", text)
    available = Counter(map(normal_form, spans)) | Counter(map(normal_form, spans_of(plain)))
    bare, unescaped = _squeezed(text), _squeezed(plain.replace("\\\\", "\\"))
    taken: Counter[str] = Counter()  # by form: a span that counted may not count again as plain text
    for formula in formulas:
        form = normal_form(formula)
        if available[form] > 0:
            available[form] -= 1
            taken[form] += 1
            continue
        source = _squeezed(formula)
        if len(source) > 2 and max(bare.count(source), unescaped.count(source)) > taken[form]:
            taken[form] += 1
    return taken.total()


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def keeps_python(block: str, text: str) -> bool:
    """Return whether the block's lines stand in the text and parse to the same tree; empty lines count on no side."""
    found = lines_in(block, text)
    tree = python_tree("\n".join(line for line in block.split("\n") if line.strip()))
    return found is not None and tree != "" and python_tree(textwrap.dedent("\n".join(found))) == tree


def lines_in(block: str, text: str) -> list[str] | None:
    """Return the text's lines that are the block's, with their indentation; None when they do not stand together."""
    wanted = [line.strip() for line in block.split("\n") if line.strip()]
    lines = [line for line in text.split("\n") if line.strip()]
    bare = [line.strip() for line in lines]
    for at in range(len(bare) - len(wanted) + 1) if wanted else ():
        if bare[at] == wanted[0] and bare[at : at + len(wanted)] == wanted:
            return [line.replace("\u00a0", " ") for line in lines[at : at + len(wanted)]]
    return None


def indentation(block: str, text: str) -> tuple[int, int]:
    """Return how many of the block's lines are indented, and how many are so by as much in the text."""
    source = [line.expandtabs(8).rstrip() for line in block.split("\n") if line.strip()]
    base = min(map(_margin, source), default=0)
    indented = sum(_margin(line) > base for line in source)
    found = lines_in(block, text)
    if found is None or not indented:
        return indented, 0
    other = min(map(_margin, found))
    pairs = zip(source, found, strict=True)
    return indented, sum(_margin(a) > base and _margin(a) - base == _margin(b) - other for a, b in pairs)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _present(lines: Sequence[str], text: str, tokens: re.Pattern[str]) -> list[bool]:
    """Return for each line that has tokens whether they stand in the text in this order, nothing between them."""
    whole = f" {' '.join(tokens.findall(text.lower()))} "
    wanted = [" ".join(tokens.findall(line.lower())) for line in lines]
    return [f" {line} " in whole for line in wanted if line]


def boilerplate_f1(total: PageScores) -> float:
    """Return the F1 of telling chrome from content: chrome that went is right, content that went is wrong."""
    wrong, missed = total.content - total.content_kept, total.chrome - total.chrome_gone
    return 2 * total.chrome_gone / max(1, 2 * total.chrome_gone + wrong + missed)


def share(part: int, whole: int) -> float:
    """Return part / whole; NaN when there is nothing."""
    return part / whole if whole else float("nan")
