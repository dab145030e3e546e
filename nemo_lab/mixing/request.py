"""What a reader asks of `nemo-lab climbmix`, checked before anything is trained.

A goal that also stands among the sources would make every score a memory test, a text that stands there twice
would weigh twice, and a folder inside a source would be read as text the next time. All three are refused or
removed here, and what was removed or left out is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nemo_lab.charsets import utf8_bytes, utf8_lengths
from nemo_lab.corpora.catalog import CORPORA
from nemo_lab.errors import check_path, check_texts
from nemo_lab.mixing.cautions import goal_sample, small_sources
from nemo_lab.mixing.pipeline import read_sources
from nemo_lab.mixing.pools import MixingError

if TYPE_CHECKING:
    from datasets import Dataset

ALL = 2**62  # bytes: no limit
KEPT_SHARES = 0.05  # of the weight may lie in the wrong cluster before it is told


def read_request(
    sources: Sequence[str],
    goal: str,
    reference: str,
    out: Path,
    sizes: tuple[int, int],
    seed: int,
    tell: Callable[[str], None],
) -> tuple[Dataset, list[str], list[str] | None]:
    """Return documents, the goal's texts and the reference's, as `pipeline.read_sources` does, but checked.

    Args:
        sources: corpora, files, folders or hub ids; none: the lab's own.
        goal: what the mixture shall be good for. reference: text that says what good text is, or "".
        out: the folder to be written.
        sizes: bytes of each packaged source, and of the goal.
        seed: decides which texts of a large goal are used.
        tell: called with a line about what was left out, how much of the goal is used, and each small source.

    Raises:
        MixingError: an output folder that exists or lies inside a source, a source twice, a goal among the sources,
            or nothing left to mix.
    """
    sources = check_texts("sources", sources, kind=MixingError)
    check_path("goal", goal, kind=MixingError)
    _check_paths(sources, goal, check_path("out", out, kind=MixingError))
    source_bytes, goal_bytes = sizes
    own = goal not in CORPORA
    dataset, texts, good = read_sources(sources, goal, reference, source_bytes, ALL if own else goal_bytes)
    chosen = _sample(texts, goal_bytes, seed) if own else texts
    kept = _distinct(dataset["text"], set(texts))
    if len(kept) < len(dataset):
        tell(f"{len(dataset) - len(kept):,} of {len(dataset):,} documents are left out: repeated, or in the goal.")
    if not kept:
        raise MixingError("No document is left: all of them stand in the goal; give other sources or another goal.")
    left = dataset.select(kept)
    for line in small_sources([Path(name).name for name in sources], left["corpus"]):
        tell(line)
    for line in goal_sample(chosen, texts, goal_bytes) if own else _packaged(goal, texts):
        tell(line)
    return left, chosen, good


def _packaged(goal: str, texts: Sequence[str]) -> list[str]:
    return [f"{len(texts):,} texts, {utf8_bytes(texts):,} bytes, of the validation split of {goal!r} are the goal."]


def _check_paths(sources: Sequence[str], goal: str, out: Path) -> None:
    """Compare what the names mean, not how they are written."""
    if Path(out).exists():  # before any text is read
        raise MixingError(f"{out} exists; choose another folder for the new set, or remove it.")
    places = {name: Path(name).resolve() for name in sources if name not in CORPORA and Path(name).exists()}
    if len(set(sources)) < len(sources) or len(set(places.values())) < len(places):
        raise MixingError(f"A source stands twice in {', '.join(sources)}; its texts would weigh twice.")
    for name, place in places.items():
        for inner, outer in ((place, other) for other in places.values() if other != place):
            if inner.is_relative_to(outer):
                raise MixingError(f"The source {name!r} lies inside another source; give one of the two.")
        if goal not in CORPORA and _overlap(Path(goal).resolve(), place):
            raise MixingError(f"The goal {goal!r} and the source {name!r} are the same text; take it out of one.")
        if Path(out).resolve().is_relative_to(place):
            raise MixingError(f"{out} lies inside the source {name!r} and would be read as text; choose another place.")


def _overlap(left: Path, right: Path) -> bool:
    return left.is_relative_to(right) or right.is_relative_to(left)


def _sample(texts: Sequence[str], size: int, seed: int) -> list[str]:
    """Texts in a seeded random order up to `size` bytes, at least one: a sorted file must not decide the goal."""
    order = np.random.default_rng(seed).permutation(len(texts))
    reached = np.cumsum(utf8_lengths(texts[i] for i in order))
    count = max(1, int(np.searchsorted(reached, size, side="right")))
    return [texts[i] for i in order[:count]] if count < len(texts) else list(texts)


def _distinct(texts: Sequence[str], left_out: set[str]) -> list[int]:
    """Numbers of the first occurrences of texts that are not to be left out."""
    seen = set(left_out)
    kept = []
    for number, text in enumerate(texts):
        if text not in seen:
            seen.add(text)
            kept.append(number)
    return kept


def shortfall(out: Path) -> str:
    """Return a sentence where the set that was written has not the shares that were found, else ""."""
    import pandas as pd

    table = pd.read_parquet(Path(out) / "mixture.parquet")
    apart = float((table["weight"] - table["weight_got"]).abs().sum() / 2)
    if apart <= KEPT_SHARES:
        return ""
    return (
        f"Beware: {apart:.0%} of the bytes lie in other clusters than the mixture asks for, because some clusters have "
        "too little text for this size; without --bytes the set is as large as the shares allow."
    )
