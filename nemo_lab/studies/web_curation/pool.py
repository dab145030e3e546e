"""A pool of documents whose quality is known from where they come, for judging scorers and filters.

Nobody's labels: good is what was written to be understood, in sentences (an encyclopedia, tutorials, essays, edited
prose of 1961); the rest is real text of other purposes (licences, glosses, formal mathematics, code, lists of
terms) and the blocks that jusText rejects on web pages (menus, link lists, notices). Documents are cut to one length,
so that no scorer can tell origins by it. Whether 'good' by this choice is what a reader wants is a choice, fixed here
before any scorer was run.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages import fetch
from nemo_lab.curation.pages import justext
from nemo_lab.errors import LabError
from nemo_lab.studies.web_curation import extractors
from nemo_lab.studies.web_curation import pages as web_pages

GOOD = ("computing-encyclopedia", "python-manual", "perl-manual", "political-philosophy", "mixed-genres-1961")
OTHER = ("law", "lexical-glosses", "formal-mathematics", "unix-manuals", "code", "dictionary", "medicine")
BOILERPLATE = "boilerplate"
_MENUS = ("sqlite", "python")
LENGTH = 1500  # characters of a document


@dataclass(frozen=True)
class PoolDocument:
    """A text, the corpus or kind of page it is of, and whether that is a good one."""

    text: str
    origin: str
    good: bool

    @property
    def size(self) -> int:
        """UTF-8 bytes."""
        return len(self.text.encode("utf-8", "replace"))


def pool(corpora: Any, documents: int, seed: int = 0, split: str | None = "train") -> list[PoolDocument]:
    """Return `documents` of every origin that can be had, shuffled.

    Args:
        corpora: `nemo_lab.corpora`, or anything with its `present` and `load`.
        documents: of each origin.
        seed: decides which, and their order. split: of the corpora.

    Raises:
        LabError: an origin has too few documents, or all good or all other origins are absent.
    """
    here = [name for name in corpora.present() if name in (*GOOD, *OTHER)]
    if not set(here) & set(GOOD) or not set(here) & set(OTHER):
        raise LabError(f"Of the corpora that the pool needs only {', '.join(here) or 'none'} can be had here.")
    texts = {name: corpora.load(name, split=split)["text"] for name in here}
    texts[BOILERPLATE] = rejected_blocks()
    drawn = [
        PoolDocument(text, name, name in GOOD)
        for name, found in sorted(texts.items())
        for text in _draw(found, documents, name, np.random.default_rng([seed, zlib.crc32(name.encode())]))
    ]
    order = np.random.default_rng(seed).permutation(len(drawn))
    return [drawn[at] for at in order]


def rejected_blocks(pages: int = 120) -> list[str]:
    """Return what jusText rejects on pages of the two sites with menus, joined to documents of LENGTH characters.

    They are kept, so that pages are read once.
    """
    packages = {name: fetch.manifest()[web_pages.SITES[name].package].sha256 for name in _MENUS}

    def build(folder: Path) -> None:
        found = (page for name in _MENUS for page in web_pages.site_pages(name, pages))
        texts, _ = extractors.extract_all(found, justext.boilerplate)
        (folder / "blocks.json").write_text(json.dumps(joined(texts)), encoding="utf-8")

    settings = {"packages": packages, "pages": pages, "length": LENGTH}
    folder = artifact("web-blocks", settings, build)
    blocks: list[str] = json.loads((folder / "blocks.json").read_text(encoding="utf-8"))
    return blocks


def joined(texts: Iterable[str], length: int = LENGTH) -> list[str]:
    """Join short texts, one after the other, to documents of exactly `length` characters; the rest is left out."""
    whole = "\n\n".join(text for text in texts if text.strip())
    return [whole[start : start + length] for start in range(0, len(whole) - length + 1, length)]


def _draw(texts: Sequence[str], count: int, name: str, generator: np.random.Generator) -> list[str]:
    """Draw texts of at least half a LENGTH and cut them to LENGTH at most, at a random place of longer ones."""
    order = generator.permutation(len(texts))
    chosen: list[str] = []
    for at in order.tolist():
        text = texts[at]
        if len(text) >= LENGTH // 2:
            start = int(generator.integers(0, max(1, len(text) - LENGTH + 1)))
            chosen.append(text[start : start + LENGTH])
        if len(chosen) == count:
            return chosen
    raise LabError(
        f"{name!r} has {len(chosen)} documents of {LENGTH // 2} characters, {count} were asked for; ask for fewer."
    )
