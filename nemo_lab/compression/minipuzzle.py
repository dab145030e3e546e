"""MiniPuzzle, which made Nemotron-H-47B of the 56B model (arXiv 2504.03624, section 3).

    1. score every layer once, by the mean squared error of what enters the head when it is missing;
    2. for every number of layers of each kind and every FFN width: keep the best layers of the kind and the
       best neurons, and the candidate if it fits the memory;
    3. score the candidates without training: next-token accuracy, and agreement with the parent's choice;
    4. distil the best few on few tokens, the best of them on many.

Puzzle, from which it comes, solves a programme over blocks that are trained one by one (notebook 08); here all
layers share one width and nothing is trained before step 4. The paper's step 3 ends in benchmarks; a model of
the lab's size has none it could pass.

The published numbers below are read off the vector graphics of Figures 9 and 11. The figure's attention scores
are here in full; those of the Mamba-2 and FFN layers are not, so that for them only the removed sets stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch

from nemo_lab.compression.importance import calibration
from nemo_lab.compression.ranking import lowest_by_kind, without
from nemo_lab.errors import LabError, check_number, check_whole
from nemo_lab.modeling import HybridConfig, HybridLM

KINDS = "M*-"

# Figure 9: MSE at the head without this attention layer of the 56B model.
PUBLISHED_ATTENTION_MSE = {
    7: 0.0116,
    18: 0.0312,
    29: 0.0125,
    40: 0.0235,
    51: 0.0373,
    62: 0.0235,
    73: 0.0195,
    84: 0.0050,
    95: 0.0085,
    106: 0.0277,
}
# Figure 11: the twenty layers that each of the three candidates lost; candidate 2 was distilled on.
PUBLISHED_REMOVED = {
    1: (7, 18, 29, 73, 84, 95, 81, 83, 86, 88, 90, 97, 99, 101, 93, 96, 98, 100, 102, 104),
    2: (7, 29, 73, 84, 95, 77, 79, 81, 83, 86, 88, 90, 97, 99, 101, 87, 89, 91, 93, 96),
    3: (7, 29, 73, 84, 95, 106, 4, 77, 79, 83, 86, 88, 90, 99, 8, 16, 85, 87, 89, 91),
}
# Table 6: average accuracy before and after distillation on 7 B tokens; the parent has 70.6.
PUBLISHED_ACCURACY = {1: (63.3, 69.3), 2: (62.1, 69.6), 3: (53.7, 69.5)}


@dataclass(frozen=True)
class Candidate:
    """A child: the parent's layers that go, its configuration, and its size in the unit of the budget."""

    removed: tuple[int, ...]
    config: HybridConfig
    size: float

    def kept(self, depth: int) -> tuple[int, ...]:
        """The parent's layers that stay, of `depth`."""
        return tuple(i for i in range(depth) if i not in self.removed)


def candidates(
    parent: HybridConfig,
    scores: Sequence[float],
    widths: Iterable[int],
    size: Callable[[HybridConfig], float],
    budget: float,
) -> list[Candidate]:
    """Every homogeneous child within the budget, the largest first (steps 1 and 2).

    Args:
        scores: one a layer; of each kind those with the lowest go first.
        widths: FFN widths, at most the parent's. size: what `budget` bounds: bytes, parameters, or seconds.

    Raises:
        LabError: scores of another model, no width or one that no slice can have, or no child that fits; it says
            how large the smallest is.
    """
    check_number("budget", budget)
    if isinstance(widths, str) or not isinstance(widths, Iterable):
        raise LabError(f"widths are {widths!r:.60}, expected whole numbers, such as [64, 128].")
    widths = sorted({check_whole("width", width, 0) for width in widths})
    if not widths or widths[0] < 1 or widths[-1] > parent.d_ff:
        raise LabError(f"widths are {widths}; give one at least, all of them from 1 to the parent's {parent.d_ff}.")
    if not isinstance(scores, Sequence) or any(score != score for score in scores):
        raise LabError(f"scores are {scores!r:.60}, expected a number for each layer; score those that have none.")
    if len(scores) != len(parent.pattern):
        raise LabError(f"There are {len(scores)} scores for the {len(parent.pattern)} layers of {parent.pattern!r}.")
    found = list(_all(parent, scores, widths, size))
    fitting = sorted((one for one in found if one.size <= budget), key=lambda one: -one.size)
    if not fitting:
        smallest = min(one.size for one in found)
        raise LabError(f"No child fits {budget:.4g}: the smallest takes {smallest:.4g}; allow more or prune widths.")
    return fitting


def _all(
    parent: HybridConfig, scores: Sequence[float], widths: Sequence[int], size: Callable[[HybridConfig], float]
) -> Iterator[Candidate]:
    """All numbers of layers of each kind, at least one of each that the parent has, by all widths."""
    choices = [range(max(parent.count(kind), 1)) for kind in KINDS]
    for counts in product(*choices):
        removed = lowest_by_kind(parent.pattern, scores, dict(zip(KINDS, counts, strict=True)))
        for width in widths:
            config = parent.with_(pattern=without(parent.pattern, removed), d_ff=width)
            yield Candidate(removed, config, size(config))


@torch.no_grad()
def greedy_scores(child: HybridLM, parent: HybridLM, batches: Iterable[Any]) -> tuple[float, float]:
    """Step 3: shares of tokens where the child's first choice is right, and where it is the parent's.

    `batches` are tuples tokens_BL, targets_BL, document_BL; targets of -100 do not count.
    """
    right = agreed = total = 0
    for tokens_BL, targets_BL, document_BL in calibration(batches):
        ours, theirs = (model(tokens_BL, document_BL).argmax(-1) for model in (child, parent))
        counted = targets_BL != -100
        right += int(((ours == targets_BL) & counted).sum())
        agreed += int(((ours == theirs) & counted).sum())
        total += int(counted.sum())
    if not total:
        raise LabError("There is no text to score candidates on: give at least one batch.")
    return right / total, agreed / total


def published_check(pattern_56b: str, text_47b: str, code_47b: str) -> dict[str, Any]:
    """What the published sets say about each other, as facts that must come out exactly.

    Args:
        pattern_56b, text_47b, code_47b: layer strings of the parent, of the paper's text and of the code.
    """
    scores = [PUBLISHED_ATTENTION_MSE.get(i, float("inf")) for i in range(len(pattern_56b))]
    child = without(pattern_56b, PUBLISHED_REMOVED[2])
    gone = {kind: tuple(sorted(i for i in PUBLISHED_REMOVED[2] if pattern_56b[i] == kind)) for kind in KINDS}
    return {
        "attention removed by ranking": lowest_by_kind(pattern_56b, scores, {"*": len(gone["*"])}),
        "attention removed, published": gone["*"],
        "layers M / * / -": tuple(child.count(kind) for kind in KINDS),
        "equals the text's 47B": child == text_47b,
        "differs from the code's 47B at": [i for i, (a, b) in enumerate(zip(child, code_47b, strict=True)) if a != b],
    }
