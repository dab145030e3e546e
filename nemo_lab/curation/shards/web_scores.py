"""How good each page is, among the pages of its own run: Nemotron-CC's ensemble of scorers, taught here.

    signs     five countable signs of explaining prose (`annotators.rubric`), 0 to 5; needs no teaching
    words     an n-gram classifier (`NgramClassifier`), the place of the paper's fastText
    vectors   a regression on embeddings (`EmbeddingRegressor`), the place of the paper's two; only where asked for

`words` learns to tell texts that are good by somebody's judgement (`--good`) from a sample of the pages. Without such
texts it learns to tell the third of the sample with the most signs from the third with the fewest: then nobody's
judgement is in it but the five signs', carried over to words. `vectors` learns the signs' marks of the sample.

Two passes over the work shards, for a sample and for the scores; memory holds the sample, a shard, and 8 bytes a page
and scorer.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from nemo_lab.curation.filters import buckets
from nemo_lab.curation.filters.scorers import EmbeddingRegressor, NgramClassifier, Scores
from nemo_lab.files import replaced

SAMPLE = 2000  # pages, and good texts, that teach
LENGTH = 1500  # characters of a text that teach; one length, so that nobody learns lengths
READ = 50_000  # characters of a page that are scored
PLACES = 6  # decimals that are kept
_SEED = 42
Scorer = Callable[[Sequence[str]], Scores]
Encoder = Callable[[Sequence[str]], ArrayLike]


def teach(
    texts: Sequence[str], signs: Sequence[float], good: Sequence[str] = (), encode: Encoder | None = None
) -> dict[str, Scorer]:
    """Return the scorers beside `signs`, by name; none where there is too little to learn from.

    Args:
        texts: a sample of pages. signs: their marks by the rubric.
        good: texts that are good by somebody's judgement; none: the sample's own ends by marks.
        encode: texts to vectors; None: no scorer on vectors.
    """
    pages = [text[:LENGTH] for text in texts]
    found: dict[str, Scorer] = {}
    order, third = np.argsort(signs, kind="stable"), len(pages) // 3
    worst, best = (pages, [text[:LENGTH] for text in good]) if good else _ends(pages, order, third)
    if worst and best:
        found["words"] = NgramClassifier.fit(best, worst).score
    if encode is not None and len(pages) >= 3:
        regressor = EmbeddingRegressor.fit(encode(pages), signs)
        found["vectors"] = lambda scored: regressor.score(encode([text[:LENGTH] for text in scored]))
    return found


def _ends(pages: Sequence[str], order: NDArray[np.int64], count: int) -> tuple[list[str], list[str]]:
    """Return the first and the last `count` pages of an order."""
    return [pages[at] for at in order[:count]], [pages[at] for at in order[len(order) - count :]]


def sample_of(values: Sequence[str], count: int = SAMPLE) -> list[str]:
    """Return at most so many values, drawn without regard to their order."""
    chosen = np.sort(np.random.default_rng(_SEED).permutation(len(values))[:count])
    return [values[at] for at in chosen.tolist()]


def sample_pages(
    pieces: Sequence[Path], stays: NDArray[np.bool_], count: int = SAMPLE
) -> tuple[list[str], list[float]]:
    """Return texts and signs of at most so many of the pages that stay, drawn over all work shards."""
    numbers = np.random.default_rng(_SEED).permutation(np.flatnonzero(stays))[:count]
    chosen = np.zeros(len(stays), dtype=bool)
    chosen[numbers] = True
    texts, signs, start = [], [], 0
    for piece in pieces:
        size = pq.read_metadata(piece).num_rows
        mask = chosen[start : start + size]
        if mask.any():
            table = pq.read_table(piece, columns=["text", "signs"]).filter(pa.array(mask))
            texts += [text[:LENGTH] for text in table["text"].to_pylist()]
            signs += table["signs"].to_pylist()
        start += size
    return texts, signs


def write_scores(path: Path, piece: Path, stays: NDArray[np.bool_], scorers: Mapping[str, Scorer]) -> None:
    """Write the scores of a work shard's pages that stay, in order, one column a scorer."""
    table = pq.read_table(piece, columns=["text", "signs"]).filter(pa.array(stays))
    texts = [text[:READ] for text in table["text"].to_pylist()]
    columns = {"signs": table["signs"].to_numpy()}
    columns |= {name: score(texts) if texts else np.zeros(0) for name, score in scorers.items()}
    with replaced(path) as temporary:
        pq.write_table(pa.table({name: np.round(values, PLACES) for name, values in columns.items()}), temporary)


def read_scores(paths: Sequence[Path], stays: NDArray[np.bool_]) -> dict[str, Scores]:
    """Return the scores of all pages by scorer, as many as records; NaN where a record was not scored."""
    parts = [pq.read_table(path) for path in paths]
    found = {}
    for name in parts[0].column_names if parts else ["signs"]:
        found[name] = np.full(len(stays), np.nan)
        found[name][stays] = np.concatenate([part[name].to_numpy() for part in parts]) if parts else np.nan
    return found


def best_buckets(scores: Mapping[str, Scores], stays: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each page's bucket, 0 to 19: the largest of its buckets over the scorers; -1 where it was not scored."""
    found = np.full(len(stays), -1)
    if stays.any():
        found[stays] = buckets.ensemble([middle_buckets(values[stays]) for values in scores.values()])
    return found


def middle_buckets(scores: ArrayLike) -> NDArray[np.int64]:
    """Return each score's bucket among all of them; equal ones get the middle of the buckets that they fill.

    `into_buckets` gives them the highest, and pages that a scorer cannot tell apart would all be its best.
    """
    values, levels = np.asarray(scores, dtype=np.float64), buckets.cuts(scores)
    lowest = np.digitize(values, levels, right=True)
    return np.asarray((lowest + buckets.into_buckets(values, levels) + 1) // 2, dtype=np.int64)
