r"""One formula, every markup: 200 formulas of two manuals, rendered by KaTeX, MathJax, Temml, pandoc and LaTeXML.

Web pages carry the same TeX in many forms. To know what an extractor makes of each, the same formulas have to be
written in all of them, by the tools that write the web. `format_matrix.parquet` holds what these tools wrote
(`tests/studies/math_extraction/make_format_matrix.py` made it: KaTeX 0.19.1, MathJax 4.1.3, Temml 0.13.5, pandoc 2.17,
LaTeXML 0.8.7; the TeX is from the manuals of SymPy and mpmath, BSD licence). Forms that are one template round the TeX
(scripts, delimiters, images, attributes) are written here. Formulas are set aside by a hash of their TeX.
"""

import html
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from nemo_lab.studies.math_extraction.manuals import KnownPage, is_aside

_FILE = Path(__file__).with_name("format_matrix.parquet")
_A_PAGE = 10  # formulas of a page
_SENTENCES = (
    "Let us first recall the definition that the following sections are built on, namely {}, and see what it says.",
    "From the assumption it follows at once that {} holds, which is what we wanted to show in this part of the text.",
    "The reader should note that {} is only one of several equivalent ways of writing down the same relation.",
    "In the next step we make use of {}, because it allows us to reduce the general case to the one that is known.",
    "For the sake of completeness we also give {}, although it will not be needed in the rest of this chapter.",
)


def _template(inline: str, display: str) -> Callable[[str, bool], str]:
    return lambda tex, shown: (display if shown else inline).replace("TEX", tex)


TEMPLATES: dict[str, Callable[[str, bool], str]] = {
    "MathJax 2 script": _template(
        '<script type="math/tex">TEX</script>', '<script type="math/tex; mode=display">TEX</script>'
    ),
    "delimiters": lambda tex, shown: _template(r"\(TEX\)", r"\[TEX\]")(html.escape(tex), shown),
    "dollars": lambda tex, shown: _template("$TEX$", "$$TEX$$")(html.escape(tex), shown),
    "image": lambda tex, shown: f'<img class="math" src="math/1.png" alt="{html.escape(tex)}">',
    "data attribute": lambda tex, shown: f'<span class="formula" data-math="{html.escape(tex)}"></span>',
}


@cache
def _rows() -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    return list(pq.read_table(_FILE).to_pylist())


def forms() -> list[str]:
    """Return the names of all forms, those of tools first."""
    return [*dict.fromkeys(row["form"] for row in _rows()), *TEMPLATES]


def rendered(form: str) -> list[tuple[str, str]]:
    """Return (TeX, HTML) of every formula that this form's tool could write."""
    if form in TEMPLATES:
        formulas = dict.fromkeys((row["tex"], row["display"]) for row in _rows())
        return [(tex, TEMPLATES[form](tex, shown)) for tex, shown in formulas]
    return [(row["tex"], row["html"]) for row in _rows() if row["form"] == form]


def matrix_pages(aside: bool, most: int = 10_000) -> list[KnownPage]:
    """Return pages of ten formulas each, at most so many of a form; each page's `manual` is its form."""
    return [page for form in forms() for page in islice(_pages(form, aside), most)]


def _pages(form: str, aside: bool) -> Iterator[KnownPage]:
    chosen = [(tex, markup) for tex, markup in rendered(form) if is_aside(tex) == aside]
    for start in range(0, len(chosen), _A_PAGE):
        part = chosen[start : start + _A_PAGE]
        paragraphs = [
            f"<p>{_SENTENCES[at % len(_SENTENCES)].format(markup)}</p>" for at, (_, markup) in enumerate(part)
        ]
        head = "<!DOCTYPE html><html><head><title>Notes</title></head>"
        page = f"{head}<body><h1>Notes</h1>{''.join(paragraphs)}</body></html>"
        yield KnownPage(form, f"{form} {start // _A_PAGE}", page.encode(), formulas=[tex for tex, _ in part])
