"""Which documents stay: languages, rules, annotators, scorers and buckets, mathematical quality, test sets."""

from nemo_lab.lazy import attach

_HOMES = {
    "ENGLISH": "heuristics",
    "EmbeddingRegressor": "scorers",
    "NgramClassifier": "scorers",
    "Rule": "heuristics",
    "TestSet": "decontamination",
    "detect": "language",
    "ensemble": "buckets",
    "into_buckets": "buckets",
    "is_in": "language",
    "judge": "heuristics",
    "removals": "heuristics",
    "score": "math_quality",
    "signs": "math_quality",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
