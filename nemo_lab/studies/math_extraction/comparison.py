"""Extractors on the same pages: run, score, and what the claims of notebook 01 are decided on.

A comparison keeps every text, so that a figure, a claim and the training text of section 8 come from one run. The
claims' samples are per page (recovery) or per manual (code, cleaning), because formulas of one page are not
independent of each other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.progress import progress
from nemo_lab.studies.math_extraction.manuals import KnownPage
from nemo_lab.studies.math_extraction.peers import EXTRACTORS, PEERS
from nemo_lab.studies.math_extraction.scores import NONE, PageScores, boilerplate_f1, score_page, share

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Texts and scores by extractor, in the order of the pages; `seconds` of each extractor for all of them."""

    pages: list[KnownPage]
    texts: dict[str, list[str]]
    scores: dict[str, list[PageScores]]
    seconds: dict[str, float]

    def total(self, name: str, keep: Callable[[KnownPage], bool] = lambda page: True) -> PageScores:
        """Return an extractor's scores added up over the pages to keep."""
        return sum((score for page, score in zip(self.pages, self.scores[name], strict=True) if keep(page)), NONE)

    def of_group(self, name: str, group: str) -> PageScores:
        """Return an extractor's scores added up over the pages of one manual or form."""
        return self.total(name, lambda page: page.manual == group)

    @property
    def groups(self) -> list[str]:
        """The manuals or forms that the pages are from, in their order."""
        return list(dict.fromkeys(page.manual for page in self.pages))


def compare(pages: Sequence[KnownPage], extractors: Mapping[str, Callable[[bytes], str]] = EXTRACTORS) -> Comparison:
    """Run each extractor over all pages; one that raises on a page gives no text for it."""
    texts: dict[str, list[str]] = {}
    seconds = {}
    with progress(total=len(extractors) * len(pages), desc="extracting", unit="page") as bar:
        for name, extractor in extractors.items():
            start, texts[name] = time.perf_counter(), []
            for page in pages:
                texts[name].append(_attempt(extractor, page.html))
                bar.update(1)
            seconds[name] = time.perf_counter() - start
    scores = {
        name: [score_page(page, text) for page, text in zip(pages, found, strict=True)] for name, found in texts.items()
    }
    return Comparison(list(pages), texts, scores, seconds)


def _attempt(extractor: Callable[[bytes], str], html: bytes) -> str:
    try:
        return extractor(html)
    except Exception:  # whatever a peer raises on a page is its result for that page
        return ""


def overview(found: Comparison, keep: Callable[[KnownPage], bool] = lambda page: True) -> "pd.DataFrame":
    """Return a table: recall of formulas, share that parses, Python kept, indentation, boilerplate, time."""
    import pandas as pd

    rows = {}
    for name in found.texts:
        total = found.total(name, keep)
        rows[name] = {
            "formulas": recall(total),
            "parse": share(total.parsing, total.spans),
            "Python": code_rate(total),
            "indentation": share(total.indented, total.lines),
            "content kept": share(total.content_kept, total.content),
            "chrome gone": share(total.chrome_gone, total.chrome),
            "boilerplate F1": boilerplate_f1(total),
            "s / 1,000 pages": 1000 * found.seconds[name] / max(1, len(found.pages)),
        }
    return pd.DataFrame(rows).T


def by_group(found: Comparison, measure: Callable[[PageScores], float]) -> "pd.DataFrame":
    """Return a measure, a row a manual or form, a column an extractor; groups with nothing to measure are left out."""
    import pandas as pd

    cells = {name: {group: measure(found.of_group(name, group)) for group in found.groups} for name in found.texts}
    return pd.DataFrame(cells).dropna(how="all")


def recall(total: PageScores) -> float:
    """Return the share of formulas recovered; NaN without formulas."""
    return share(total.recovered, total.formulas)


def code_rate(total: PageScores) -> float:
    """Return the share of Python blocks that give the same syntax tree; NaN without Python."""
    return share(total.python_kept, total.python)


def recovery_gaps(found: Comparison, name: str = "ours") -> list[float]:
    """Return for each page with formulas the recall of `name` minus that of the peer that is best on this page."""
    gaps = []
    for at, page in enumerate(found.pages):
        if page.formulas:
            peers = [recall(found.scores[peer][at]) for peer in PEERS if peer in found.scores]
            gaps.append(recall(found.scores[name][at]) - max(peers))
    return gaps


def best_peer(found: Comparison) -> str:
    """Return the peer with the highest recall of formulas over all pages."""
    return max((name for name in PEERS if name in found.scores), key=lambda name: recall(found.total(name)))


def code_rates(found: Comparison, name: str = "ours") -> list[float]:
    """Return for each manual with Python the share of blocks that give the same syntax tree after extraction."""
    totals = [found.of_group(name, group) for group in found.groups]
    return [code_rate(total) for total in totals if total.python]


def cleaning_gains(found: Comparison, name: str = "ours") -> list[float]:
    """Return for each manual with chrome the share of its lines that went minus the share of content lines harmed."""
    totals = [found.of_group(name, group) for group in found.groups]
    return [_gain(total) for total in totals if total.chrome and total.content]


def _gain(total: PageScores) -> float:
    return share(total.chrome_gone, total.chrome) - (1 - share(total.content_kept, total.content))


def random_cleaning_gains(found: Comparison, seed: int, name: str = "ours") -> list[float]:
    """Return the gains of a cleaner that removes as many lines of each manual, drawn at random."""
    generator = np.random.default_rng(seed)
    gains = []
    for group in found.groups:
        total = found.of_group(name, group)
        if not total.chrome or not total.content:
            continue
        lines = total.chrome + total.content
        removed = total.chrome_gone + total.content - total.content_kept
        hit = int((generator.permutation(lines)[:removed] < total.chrome).sum())
        gains.append(hit / total.chrome - (removed - hit) / total.content)
    return gains
