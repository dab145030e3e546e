"""Documents that say the same: exact copies, repeated passages, and near-duplicates."""

from nemo_lab.lazy import attach

_HOMES = {
    "DuplicateIndex": "near",
    "duplicate_groups": "near",
    "first_of_exact": "exact",
    "jaccard": "near",
    "kept": "near",
    "without_repeats": "exact",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
