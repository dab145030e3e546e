"""The extractors that notebook 02 compares: jusText, and trafilatura beside it."""

from collections import Counter
from collections.abc import Iterable

from nemo_lab.corpora.readers.html import visible_text
from nemo_lab.curation.pages.justext import Extractor, by_justext
from nemo_lab.curation.pages.page import Page


def by_trafilatura(html: bytes) -> str:
    """Return what trafilatura extracts with its defaults (comments and tables included); '' when it finds nothing."""
    import trafilatura

    return str(trafilatura.extract(html) or "")


EXTRACTORS: dict[str, Extractor] = {
    "trafilatura": by_trafilatura,
    "jusText": by_justext,
    "all visible text": visible_text,
}


def extract_all(pages: Iterable[Page], extractor: Extractor) -> tuple[list[str], Counter[str]]:
    """Return one text a page ('' where nothing was found) and the reasons of pages that could not be read."""
    texts: list[str] = []
    failed: Counter[str] = Counter()
    for page in pages:
        try:
            texts.append(extractor(page.content))
        except Exception as error:  # extractors raise what their parsers raise; the page is counted, not lost
            failed[type(error).__name__] += 1
            texts.append("")
    return texts, failed
