"""One block of code, every markup: real blocks of manuals in the forms in which web pages hold code.

What `format_matrix` does for formulas, with templates that follow what the named generators write. Each page holds
five blocks in one form between paragraphs of prose; which blocks are set aside is decided by their pages.
"""

import html
import re
from collections.abc import Callable, Sequence

from nemo_lab.studies.math_extraction.manuals import KnownPage, python_tree

_A_PAGE = 5  # blocks of a page
_PROSE = (
    "<p>The part of the program that follows is short, and what it does can be seen when it is run with a small "
    "input; the text behind it says which of the lines matter for what comes next.</p>"
)


def _lines(block: str) -> list[str]:
    return [html.escape(line) for line in block.split("\n")]


def _hard_blanks(line: str) -> str:
    """Return the line with blanks that a browser shows: leading ones, and runs."""
    return re.sub(r"^ +| {2,}", lambda run: "&nbsp;" * len(run[0]), line)


def _numbered(block: str) -> str:
    """Two cells, numbers and code, as Pygments writes it."""
    lines = _lines(block)
    numbers = "\n".join(f'<span class="normal">{number}</span>' for number in range(1, len(lines) + 1))
    code = "\n".join(lines)
    return (
        '<div class="highlight"><table class="highlighttable"><tr><td class="linenos"><div class="linenodiv"><pre>'
        f'{numbers}</pre></div></td><td class="code"><div><pre>{code}</pre></div></td></tr></table></div>'
    )


def _rows(block: str) -> str:
    """A row a line, its number in an attribute, as GitHub writes it."""
    rows = "".join(
        f'<tr><td class="blob-num" data-line-number="{number}"></td><td class="blob-code">{line}</td></tr>'
        for number, line in enumerate(_lines(block), 1)
    )
    return f'<table class="highlight tab-size" data-tab-size="8">{rows}</table>'


FORMS: dict[str, Callable[[str], str]] = {
    "pre": lambda block: f"<pre>{html.escape(block)}</pre>",
    "pre, code": lambda block: f'<pre><code class="language-python">{html.escape(block)}</code></pre>',
    "span a line": lambda block: (
        "<pre><code>" + "\n".join(f'<span class="line">{line}</span>' for line in _lines(block)) + "</code></pre>"
    ),
    "div a line": lambda block: (
        "<pre><code>" + "".join(f'<div class="token-line">{line}<br></div>' for line in _lines(block)) + "</code></pre>"
    ),
    "numbered table": _numbered,
    "row a line": _rows,
    "br and nbsp": lambda block: '<div class="code">' + "<br>".join(map(_hard_blanks, _lines(block))) + "</div>",
}


def code_pages(pages: Sequence[KnownPage], most: int) -> list[KnownPage]:
    """Return pages of at most `most` of the pages' Python blocks in every form; each page's `manual` is its form.

    Blocks have at least two lines; those with indented ones come first.
    """
    blocks = dict.fromkeys(
        block for page in pages if page.python for block in page.code if "\n" in block and python_tree(block)
    )
    chosen = sorted(blocks, key=lambda block: "\n " not in block)[:most]
    made = []
    for form, write in FORMS.items():
        for start in range(0, len(chosen), _A_PAGE):
            part = chosen[start : start + _A_PAGE]
            body = _PROSE + "".join(f"{write(block)}{_PROSE}" for block in part)
            text = f"<!DOCTYPE html><html><head><title>Notes</title></head><body><h1>Notes</h1>{body}</body></html>"
            made.append(KnownPage(form, f"{form} {start // _A_PAGE}", text.encode(), code=part, python=True))
    return made
