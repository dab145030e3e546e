"""The extractors that a user would otherwise pick, with the options that keep the most mathematics and code.

Each takes a page's bytes and returns text; versions are those of the environment (`version` tells). Two controls
stand beside them: the plain text of the page's tree, and our pipeline with its parts taken away one by one.
"""

from collections.abc import Callable
from importlib import metadata
from typing import Any

from nemo_lab.corpora.readers.html import visible_text
from nemo_lab.curation.pages import lynx
from nemo_lab.curation.pages.extraction import Extraction, extract
from nemo_lab.curation.pages.page import Page

Extractor = Callable[[bytes], str]


def ours(html: bytes) -> str:
    """Pre-pass, lynx and rules; an empty text where the page fails."""
    (result,) = extract([Page(html, "", "", "text/html")])
    return result.text if isinstance(result, Extraction) else ""


def lynx_alone(html: bytes) -> str:
    """lynx with the paper's flags and nothing before or behind it, as the paper's language model gets it."""
    (result,) = lynx.render([html.decode("utf-8", "replace")])
    return result if isinstance(result, str) else ""


def plain_text(html: bytes) -> str:
    """All text of the page's tree: the control that knows nothing of formulas, code or boilerplate."""
    return visible_text(html)


def by_trafilatura(html: bytes) -> str:
    """trafilatura as Markdown, with images, tables, links' text and formatting, in favour of recall."""
    import trafilatura

    kept: dict[str, Any] = {
        "include_images": True,
        "include_tables": True,
        "include_formatting": True,
        "favor_recall": True,
    }
    return trafilatura.extract(html.decode("utf-8", "replace"), output_format="markdown", **kept) or ""


def by_resiliparse(html: bytes) -> str:
    """Resiliparse's main content with formatting and alternative texts."""
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(
        html.decode("utf-8", "replace"), main_content=True, preserve_formatting=True, alt_texts=True
    )
    return text


def by_justext(html: bytes) -> str:
    """jusText's paragraphs without boilerplate, by English stop words."""
    import justext

    paragraphs: list[Any] = justext.justext(html.decode("utf-8", "replace"), justext.get_stoplist("English"))
    return "\n\n".join(paragraph.text for paragraph in paragraphs if not paragraph.is_boilerplate)


def by_html2text(html: bytes) -> str:
    """html2text without wrapping, links as text, images as their texts."""
    import html2text

    reader = html2text.HTML2Text(bodywidth=0)
    reader.ignore_links, reader.images_to_alt, reader.unicode_snob = True, True, True
    return str(reader.handle(html.decode("utf-8", "replace")))


def by_inscriptis(html: bytes) -> str:
    """inscriptis with its strict style sheet and images' captions."""
    from inscriptis import get_text
    from inscriptis.css_profiles import STRICT_CSS_PROFILE
    from inscriptis.model.config import ParserConfig

    return get_text(html.decode("utf-8", "replace"), ParserConfig(css=STRICT_CSS_PROFILE, display_images=True))


PEERS: dict[str, Extractor] = {
    "trafilatura": by_trafilatura,
    "Resiliparse": by_resiliparse,
    "jusText": by_justext,
    "html2text": by_html2text,
    "inscriptis": by_inscriptis,
}
EXTRACTORS: dict[str, Extractor] = {"ours": ours, **PEERS, "lynx alone": lynx_alone, "plain text": plain_text}


def version(name: str) -> str:
    """Return a peer's version, `-` for what is not a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "-"
