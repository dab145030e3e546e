"""Texts that lie in wheels: licence texts (law), Python sources (code), and the two corpora that stand in
where apt and npm are missing: the manuals of Amazon's cloud services and articles of Wikipedia."""

import bz2
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nemo_lab.corpora.packages.archives import members
from nemo_lab.corpora.readers.html import visible_text

_ARTICLE = re.compile(r"<title>([^<]*)</title>\s*<ns>0</ns>(.*?)</page>", re.DOTALL)


def licences(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield ScanCode's full licence texts in English by key (`afl-2.1`), without their front matter."""
    for name, content in members(archives[0], "licensedcode/data/licenses/*.LICENSE"):
        head, _, text = content.decode("utf-8", "replace").removeprefix("---\n").partition("\n---\n")
        language = re.search(r"^language: *(\S+)", head, re.MULTILINE)
        if text.strip() and (language is None or language[1] == "en"):
            yield Path(name).stem, text.strip()


def python_code(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the modules of pure Python packages by path; tests, mostly tables of cases, are left out."""
    for archive in archives:
        for name, content in members(archive, "*.py"):
            if not re.search(r"(^|/)(tests?|newsfragments)/", name):
                yield name, content.decode("utf-8", "replace").strip()


def cloud_manual(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield what botocore's service models say about each operation of a service's latest interface."""
    latest: dict[str, bytes] = {}
    for name, content in members(archives[0], "botocore/data/*/service-2.json.gz"):
        latest[name.split("/")[2]] = content  # versions are dates and come in order
    for service, content in sorted(latest.items()):
        model = json.loads(gzip.decompress(content))
        for operation, detail in model["operations"].items():
            text = _documentation(detail)
            if text:
                yield f"{service}/{operation}", f"{model['metadata']['serviceFullName']}: {operation}\n{text}"


def _documentation(detail: dict[str, Any]) -> str:
    html = detail.get("documentation", "")
    return visible_text(html) if html.strip() else ""


def wikipedia(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the articles of gensim's sample of the English Wikipedia by title; redirects are left out."""
    for _, content in members(archives[0], "*/test_data/enwiki-latest-pages-articles1*.bz2"):
        dump = bz2.decompress(content).decode("utf-8")
        for title, page in _ARTICLE.findall(dump):
            source = re.search(r"<text[^>]*>(.*?)</text>", page, re.DOTALL)
            if source and not source[1].lower().startswith("#redirect"):
                yield title, wikitext(source[1])


def wikitext(source: str) -> str:
    """Return MediaWiki markup as plain text: no templates, tables, references, files; links as words."""
    import html

    text = html.unescape(html.unescape(source))
    text = re.sub(
        r"<!--.*?-->|<ref[^>/]*/>|<ref.*?</ref>|<(math|gallery|timeline)\b.*?</\1>", "", text, flags=re.DOTALL
    )
    previous = ""
    while previous != text:  # innermost first
        previous, text = text, re.sub(r"\{\{[^{}]*\}\}|\{\|(?:(?!\{\|).)*?\|\}", "", text, flags=re.DOTALL)
    previous = ""
    while previous != text:
        previous = text
        text = re.sub(r"\[\[(?:File|Image|Category|[a-z-]{2,12}):[^\[\]]*\]\]", "", text)
        text = re.sub(r"\[\[(?:[^|\[\]]*\|)?([^|\[\]]*)\]\]", r"\1", text)
    text = re.sub(r"\[\w+://\S+ ?([^\]]*)\]|<[^<>]+>|'{2,}", r"\1", text)
    text = re.sub(r"^=+ *(.*?) *=+ *$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"\n\s*\n+", "\n\n", text).strip()
