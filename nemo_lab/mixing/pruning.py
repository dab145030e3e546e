"""CLIMB's pruning: score documents, drop the clusters whose mean is too low (arXiv 2504.13161, section 2.1).

    scores_N = quality_scores(vectors_ND, reference_RD, seed=0)    # or any scores from 0 to 5, [N] or [N, A]
    kept, report = prune(found, scores_N, threshold=3.0)
    print(report)

Relative to the paper: it trains four fastText models (quality, advertisement, informational and educational
value) on a million labels of Nemotron-4-340B, averages each over a cluster and drops what is below 3.0 on any:
760 of 1,000 clusters. Its three accounts of this disagree (four axes at 3.0 in the paper, five at 2.0 and 1.0 in
NVIDIA's tutorial, two on the data cards), so axes and thresholds are arguments here, and `quality_scores` is a
stand-in for the labels, not a copy of them.

What the stand-in sees depends on the reference. Against a reference of other topics it sorts by topic: against
encyclopedia articles or the Brown corpus, Unix manuals and formal mathematics score as low as planted junk. A
reference of the same topics leaves quality: against held-out documents of the same twelve corpora, planted
advertisements and hexadecimal dumps had an AUC of 0.99 and threshold 1.5 dropped all of both and 3 % of the
bytes. Shuffled words it never finds (AUC 0.5): the vectors of MiniLM hardly change with the order of words.

Shapes: N documents, D numbers of a vector, K clusters, R documents of a reference, A axes of quality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nemo_lab.charsets import utf8_lengths
from nemo_lab.errors import check_number, check_whole
from nemo_lab.mixing.clusters import Clustering, Floats, Labels, check_vectors, select
from nemo_lab.mixing.pools import MixingError

TOP_SCORE = 5.0


def quality_scores(embeddings_ND: Floats, reference_RD: Floats, seed: int, folds: int = 5) -> Floats:
    """Return 0 to 5 for each document, by how much it looks like a reference of good text, [N].

    A logistic regression on the vectors tells documents from the reference (the idea of DCLM, arXiv 2406.11794,
    whose classifier is fastText); it is fitted on the other folds, so no document is scored by a model that
    has seen it. The score is 5 times the rank among all documents, because the probability itself says how
    unlike the two sets are and not how good a text is: 3.0 is the 60th percentile, whatever the reference.

    A stand-in, not the paper's: CLIMB trains four fastText models (quality, advertisement, informational and
    educational value) on a million labels of Nemotron-4-340B. Any such scores, [N] or [N, A], go into `prune`.

    Raises:
        MixingError: matrices that do not fit, or fewer documents or references than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold

    check_whole("seed", seed, 0, kind=MixingError)
    check_whole("folds", folds, 2, kind=MixingError)
    vectors_ND, good_RD = check_vectors(embeddings_ND), check_vectors(reference_RD)
    if vectors_ND.shape[1] != good_RD.shape[1] or min(len(vectors_ND), len(good_RD)) < folds:
        raise MixingError(
            f"Documents {vectors_ND.shape} and reference {good_RD.shape} need the same number of columns and "
            f"at least {folds} rows each."
        )
    logits_N = np.empty(len(vectors_ND))
    for seen, unseen in KFold(folds, shuffle=True, random_state=seed).split(vectors_ND):
        x = np.concatenate([vectors_ND[seen], good_RD])
        y = np.repeat([0, 1], [len(seen), len(good_RD)])
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x, y)
        logits_N[unseen] = model.decision_function(vectors_ND[unseen])
    return _ranks(logits_N) * TOP_SCORE


@dataclass(frozen=True, eq=False)
class PruneReport:
    """What `prune` did: clusters by their numbers before it, `means_KA` of all of them, and what went."""

    means_KA: Floats
    thresholds_A: Floats
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    documents: int
    documents_dropped: int
    bytes: int
    bytes_dropped: int

    def __str__(self) -> str:
        """One sentence for a notebook."""
        share = self.bytes_dropped / self.bytes if self.bytes else 0.0
        return (
            f"dropped {len(self.dropped)} of {len(self.means_KA)} clusters, {self.documents_dropped:,} of "
            f"{self.documents:,} documents, {share:.0%} of the bytes"
        )


def prune(
    clustering: Clustering,
    scores_NA: Floats,
    threshold: float | Sequence[float] = 3.0,
    texts: Sequence[str] | None = None,
) -> tuple[Clustering, PruneReport]:
    """Drop the clusters whose mean score is below the threshold on any axis; the others keep their order.

    Args:
        clustering: K clusters; documents that were dropped before stay dropped and count nowhere.
        scores_NA: 0 to 5 for each document, [N] or [N, A].
        threshold: one for all axes, or one for each; the paper: 3.0.
        texts: the documents, to count bytes; without them the report counts none.

    Raises:
        MixingError: scores that do not fit or are not finite, or no cluster would be left.
    """
    axes_NA = _scores(scores_NA, len(clustering.labels_N))
    thresholds_A = _thresholds(threshold, axes_NA.shape[1])
    labels_N = clustering.labels_N
    means_KA = np.array([axes_NA[labels_N == cluster].mean(axis=0) for cluster in range(clustering.k)])
    kept = np.flatnonzero((means_KA >= thresholds_A).all(axis=1))
    if not len(kept):
        best = int(np.argmax((means_KA - thresholds_A).min(axis=1)))
        raise MixingError(
            f"All {clustering.k} clusters are below the threshold {thresholds_A.tolist()}; the best, {best}, has "
            f"{means_KA[best].round(2).tolist()}: lower the threshold."
        )
    pruned = select(clustering, kept)
    return pruned, _report(clustering, pruned, means_KA, thresholds_A, kept, texts)


def _report(
    before: Clustering,
    after: Clustering,
    means_KA: Floats,
    thresholds_A: Floats,
    kept: Labels,
    texts: Sequence[str] | None,
) -> PruneReport:
    """Count what went, from the labels themselves and not from the intention."""
    bytes_N = np.array(utf8_lengths(texts or [""] * len(before.labels_N)))
    if len(bytes_N) != len(before.labels_N):
        raise MixingError(f"There are {len(bytes_N)} texts for {len(before.labels_N)} documents.")
    was, gone = before.labels_N >= 0, (before.labels_N >= 0) & (after.labels_N < 0)
    dropped = tuple(sorted(set(range(before.k)) - set(kept.tolist())))
    if gone.sum() != before.sizes_K[list(dropped)].sum() or after.sizes_K.tolist() != before.sizes_K[kept].tolist():
        raise RuntimeError("Pruning dropped other documents than those of the clusters it names.")
    counts = int(was.sum()), int(gone.sum()), int(bytes_N[was].sum()), int(bytes_N[gone].sum())
    return PruneReport(means_KA, thresholds_A, tuple(kept.tolist()), dropped, *counts)


def _scores(scores_NA: Floats, documents: int) -> Floats:
    try:
        axes_NA = np.asarray(scores_NA, dtype=float)
    except (TypeError, ValueError) as error:
        raise MixingError(f"Scores are {scores_NA!r:.60}, expected a number for each document.") from error
    axes_NA = axes_NA[:, None] if axes_NA.ndim == 1 else axes_NA
    if axes_NA.ndim != 2 or len(axes_NA) != documents or not np.isfinite(axes_NA).all():
        raise MixingError(f"Scores have shape {axes_NA.shape}, expected ({documents}, axes), finite.")
    return axes_NA


def _thresholds(threshold: float | Sequence[float], axes: int) -> Floats:
    for one in [threshold] if np.ndim(threshold) == 0 else threshold:  # type: ignore[union-attr]
        check_number("threshold", one, kind=MixingError)
    given = np.atleast_1d(np.asarray(threshold, dtype=float))
    if given.shape not in ((1,), (axes,)):
        raise MixingError(f"There are {given.size} thresholds for {axes} axes; give one for all or one for each.")
    return np.broadcast_to(given, (axes,))


def _ranks(values_N: Floats) -> Floats:
    """Return each value's rank between 0 (lowest) and 1; equal values share the mean of theirs."""
    from scipy.stats import rankdata

    return (rankdata(values_N) - 1) / max(len(values_N) - 1, 1)
