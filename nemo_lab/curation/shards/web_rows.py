"""What `nemo-lab curate` does with one page by itself, in a worker: text, language, rules, signs, keys for copies.

A row says where a page's way ends (`step`, with the `reason`) or holds all that later steps need, which look at all
pages together: keys of copies, the rules that the text breaks, and its marks by the rubric.

The stop words that jusText counts are those of the language that pycld2 sees on the page, as in the paper; the text
that comes out has to be of a wanted language by both detectors. Three languages of rules: English has all of
`heuristics.ENGLISH`; others go without the two rules that look for English words; scripts without blanks between
words have no rules that count words.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from nemo_lab.corpora.readers.html import visible_text
from nemo_lab.curation.filters import annotators, heuristics, language
from nemo_lab.curation.pages import decoding, justext
from nemo_lab.curation.pages.extraction import Extraction, Failure, TimeUp, extract, time_limit
from nemo_lab.curation.pages.lynx import Limits
from nemo_lab.curation.pages.page import Damaged, Page, Record
from nemo_lab.curation.shards.workers import bands, quoted
from nemo_lab.errors import LabError

READING, EXTRACTION, LANGUAGE, TESTS = "reading", "extraction", "language", "test items"
ONLY_BOILERPLATE = "only boilerplate to jusText, try --extractor lynx"  # which takes short pages as well
ROW_SCHEMA = pa.schema(
    [
        ("url", pa.string()),
        ("place", pa.string()),
        ("step", pa.string()),
        ("reason", pa.string()),
        ("text", pa.string()),
        ("language", pa.string()),
        ("probability", pa.float32()),
        ("broken", pa.string()),
        ("signs", pa.float64()),
        ("digest", pa.binary()),
        ("bands", pa.binary()),
    ]
)
_EMPTY: dict[str, Any] = dict.fromkeys(ROW_SCHEMA.names) | {"step": "", "reason": "", "broken": "", "signs": 0.0}
_ENGLISH_WORDS = frozenset(("common words", "notices"))
_UNSPACED = frozenset(("zh", "ja", "th", "lo", "km", "my", "bo", "dz"))
_WORD_RULES = frozenset(("words", "mean word length", "longest word", "words with a letter"))


@dataclass(frozen=True)
class PageWork:
    """What is done with each page.

    Attributes:
        extractor: justext or lynx. languages: codes that stay; none: every language.
        seconds: of one page, in each step.
    """

    extractor: str
    languages: tuple[str, ...]
    seconds: float

    def rows(self, batch: list[Record]) -> list[dict[str, Any]]:
        """Return one row a record, in order."""
        pages = [record for record in batch if isinstance(record, Page)]
        texts = iter(_texts(pages, self.extractor, self.seconds))
        return [self._row(record, None if isinstance(record, Damaged) else next(texts)) for record in batch]

    def _row(self, record: Record, text: str | Failure | None) -> dict[str, Any]:
        if isinstance(record, Damaged):
            return ended(record, READING, record.reason)
        if isinstance(text, Failure):
            return ended(record, EXTRACTION, text.reason)
        if not text or not text.strip():
            return ended(record, EXTRACTION, "no text")
        try:
            with time_limit(self.seconds):
                return self._measured(record, text.strip())
        except TimeUp:
            return ended(record, EXTRACTION, f"its text took more than {self.seconds:g} s")
        except Exception as error:
            return ended(record, EXTRACTION, _why(error))

    def _measured(self, record: Record, text: str) -> dict[str, Any]:
        text = text.encode("utf-8", "replace").decode("utf-8")  # parquet holds no half of a surrogate pair
        found = language.detect(text)
        row = ended(record, "", "") | {"language": found.code, "probability": found.probability}
        if self.languages and not _wanted(found, self.languages):
            return row | {"step": LANGUAGE, "reason": _unwanted(found, self.languages)}
        item = quoted(text)
        if item:
            return row | {"step": TESTS, "reason": item}
        return row | {
            "text": text,
            "broken": "; ".join(heuristics.judge(text, rules_of(found.code))),
            "signs": float(annotators.rubric([text])[0]),
            "digest": hashlib.blake2b(text.encode(), digest_size=8).digest(),
            "bands": bands(text),
        }


def ended(record: Record, step: str, reason: str) -> dict[str, Any]:
    """Return the row of a record whose way ends at a step; no step: it goes on."""
    return _EMPTY | {"url": record.url, "place": record.place, "step": step, "reason": reason}


def lost(record: Record, reason: str) -> dict[str, Any]:
    """Return the row of a record whose worker process died."""
    return ended(record, EXTRACTION, reason)


def rules_of(code: str) -> list[heuristics.Rule]:
    """Return the rules for texts of a language."""
    without = (_ENGLISH_WORDS if code != "en" else frozenset()) | (_WORD_RULES if code in _UNSPACED else frozenset())
    return [rule for rule in heuristics.ENGLISH if rule.name not in without]


def _wanted(found: language.Language, languages: Sequence[str]) -> bool:
    agreed = found.code == found.second and found.probability >= language.THRESHOLD
    return agreed and found.code in map(language.plain_code, languages)


def _unwanted(found: language.Language, languages: Sequence[str]) -> str:
    """Return the language of a text that is not wanted, and what speaks against it where its name does not."""
    said = f"{found.code} ({found.probability:.2f})"
    if found.second != found.code:
        return f"{said}, by the second detector {found.second}"
    is_low = found.probability < language.THRESHOLD and found.code in map(language.plain_code, languages)
    return f"{said}, less sure than {language.THRESHOLD:g}" if is_low else said


def _texts(pages: Sequence[Page], extractor: str, seconds: float) -> list[str | Failure]:
    """Return the text of each page, or why there is none."""
    found = [_text(page, extractor, seconds) for page in pages]
    waiting = [page for page, text in zip(pages, found, strict=True) if text is None]
    rendered = iter(extract(waiting, Limits(seconds=seconds)) if waiting else [])
    return [_of(next(rendered)) if text is None else text for text in found]


def _of(result: Extraction | Failure) -> str | Failure:
    return result if isinstance(result, Failure) else result.text


def _text(page: Page, extractor: str, seconds: float) -> str | Failure | None:
    """Return a page's text, why there is none, or None for HTML that waits for lynx."""
    try:
        with time_limit(seconds):
            text = decoding.decode(page.content, page.charset)
            kind = decoding.kind_of(text, page.content_type)
            if kind == decoding.NOTEBOOK:
                return decoding.notebook_text(text)
            if kind == decoding.TEXT:
                return text.replace("\r\n", "\n")
            return None if extractor == "lynx" else _content(text)
    except TimeUp:
        return Failure(f"took more than {seconds:g} s")
    except Exception as error:  # whatever a page makes a parser raise costs this page and has to be told
        return Failure(_why(error))


def _why(error: Exception) -> str:
    """Return why a page is given up: our own sentence without its advice, or what kind of fault it met."""
    if isinstance(error, LabError) and str(error):
        return str(error).split(";")[0]
    return f"extraction failed ({type(error).__name__}: {str(error)[:200]})"


def _content(html: str) -> str | Failure:
    """Return jusText's text of a page, by the stop words of the language that the whole page seems to have."""
    if justext.overflows(html):
        raise LabError("elements nest deeper than the parser goes, or a piece is too long for it")
    seen = visible_text(html) if html.strip() else ""
    text = justext.by_justext(html, justext.stop_words_of(language.detect(seen).second))
    return text if text.strip() or not seen.strip() else Failure(ONLY_BOILERPLATE)
