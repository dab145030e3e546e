"""Pages to text: decode, route by type, hold back formulas and code, render, clean, put back, and count losses.

`extract` takes several pages because lynx is started once for all of them; each page's result is the same as if
it had come alone, and each page that fails does so for itself, with a reason.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nemo_lab.curation.pages import cleaning, decoding, lynx, prepass
from nemo_lab.curation.pages.lynx import Limits, RenderError
from nemo_lab.curation.pages.page import Page
from nemo_lab.curation.pages.placeholders import CODE
from nemo_lab.errors import LabError


@dataclass(frozen=True)
class Losses:
    """What a page had and what its text has.

    Attributes:
        math_nodes, math_spans: formulas that were found in the page, and those in its text.
        code_blocks, code_kept: the same for blocks of code.
        boilerplate_lines: lines removed as furniture after rendering.
        forms: formulas by the markup they came in.
        in_furniture: formulas and blocks of code in parts removed as furniture, or never shown.
        math_signs: about how many formulas the raw page shows signs of, counted by other means than `math_nodes`.
        suspected: whether that is far more than the text has, so that formulas may be lost uncounted.
    """

    math_nodes: int = 0
    math_spans: int = 0
    code_blocks: int = 0
    code_kept: int = 0
    boilerplate_lines: int = 0
    forms: dict[str, int] = field(default_factory=dict)
    in_furniture: int = 0
    math_signs: int = 0
    suspected: bool = False

    def sentence(self) -> str:
        """Return the report of a page in one line."""
        said = (
            f"formulas {self.math_spans} of {self.math_nodes}, code blocks {self.code_kept} of {self.code_blocks}, "
            f"{self.boilerplate_lines} lines of boilerplate removed"
        )
        if self.in_furniture:
            said += f", formulas and code in furniture or hidden {self.in_furniture}"
        if self.suspected:
            said += f", formulas suspected lost (the raw page shows signs of {self.math_signs or 'mathematics'})"
        return said


@dataclass(frozen=True)
class Extraction:
    """A page's text; `kind` is html, notebook or text."""

    text: str
    kind: str
    title: str = ""
    losses: Losses = field(default_factory=Losses)


@dataclass(frozen=True)
class Failure:
    """Why a page has no text."""

    reason: str


class TimeUp(Exception):
    """A page took too long before or after rendering."""


def extract(pages: Sequence[Page], limits: Limits | None = None) -> list[Extraction | Failure]:
    """Return each page's text or the reason why it has none, in the pages' order.

    Raises:
        LabError: something that is no list of `Page`.
    """
    limits = limits or Limits()
    if not isinstance(pages, Sequence) or not all(isinstance(page, Page) for page in pages):
        raise LabError(f"pages are {pages!r:.60}, expected a list of Page; `extract_html` takes one page's content.")
    results: list[Extraction | Failure | prepass.Prepared] = [_prepared(page, limits) for page in pages]
    waiting = [number for number, result in enumerate(results) if isinstance(result, prepass.Prepared)]
    markup = [result.html for result in results if isinstance(result, prepass.Prepared)]
    for number, rendered in zip(waiting, lynx.render(markup, limits), strict=True):
        results[number] = _finished(results[number], rendered, limits)
    return [result for result in results if not isinstance(result, prepass.Prepared)]


def extract_html(html: str | bytes) -> Extraction:
    """Return the text of one HTML page.

    Raises:
        LabError: no page, or one that cannot be read or rendered; says why.
    """
    if not isinstance(html, str | bytes):
        raise LabError(f"html is {html!r:.60}, expected the content of a page as bytes or text; read the file first.")
    content = html.encode("utf-8", "replace") if isinstance(html, str) else html
    (result,) = extract([Page(content, "", "", "text/html")])
    if isinstance(result, Failure):
        raise LabError(f"The page has no text: {result.reason}; look at what it is.")
    return result


def _prepared(page: Page, limits: Limits) -> Extraction | Failure | prepass.Prepared:
    """Decode and route; HTML comes back prepared for the renderer, the other kinds finished."""
    try:
        with time_limit(limits.seconds):
            text = decoding.decode(page.content, page.charset)
            kind = decoding.kind_of(text, page.content_type)
            if kind == decoding.HTML:
                return prepass.prepare(text)
            text = decoding.notebook_text(text) if kind == decoding.NOTEBOOK else text.replace("\r\n", "\n")
            cleaned = cleaning.clean(text)
            return Extraction(cleaned.text, kind, losses=Losses(boilerplate_lines=cleaned.dropped_lines))
    except TimeUp:
        return Failure(f"took more than {limits.seconds:g} s before rendering")
    except Exception as error:  # whatever a page makes a parser raise costs this page and has to be told
        return Failure(_reason(error))


def _finished(
    page: Extraction | Failure | prepass.Prepared, rendered: str | RenderError, limits: Limits
) -> Extraction | Failure:
    """Clean the rendered text, put formulas and code back, and count."""
    if isinstance(rendered, RenderError):
        return Failure(str(rendered))
    assert isinstance(page, prepass.Prepared)
    try:
        with time_limit(limits.seconds):
            return _restored(page, rendered)
    except TimeUp:
        return Failure(f"took more than {limits.seconds:g} s after rendering")
    except Exception as error:
        return Failure(_reason(error))


def _reason(error: Exception) -> str:
    """Return why a page is given up: our own sentence, or what kind of fault it met."""
    if isinstance(error, LabError) and str(error):
        return str(error)
    return f"extraction failed ({type(error).__name__}: {str(error)[:200]})"


def _restored(page: prepass.Prepared, rendered: str) -> Extraction:
    cleaned = cleaning.clean(rendered)
    text, back = page.shelf.restore(cleaned.text)
    code = sum(held.kind == CODE for held in back)
    losses = Losses(
        page.math_nodes,
        len(back) - code,
        page.code_blocks,
        code,
        cleaned.dropped_lines,
        dict(sorted(page.forms.items())),
        page.in_furniture,
        page.evidence.formulas,
        page.evidence.disagrees(len(back) - code, text),
    )
    return Extraction(cleaning.even_paragraphs(text), decoding.HTML, page.title, losses)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeUp in the block after so many seconds; only in a main thread, where signals arrive."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    over = False

    def stop(*_: object) -> None:
        nonlocal over
        over = True
        raise TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    # Again and again: what is raised inside a finaliser is dropped by Python, and a library may catch it.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds / 10)
    try:
        yield
    except Exception:
        if not over:
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if over:
        raise TimeUp
