"""Puzzle: a library of alternatives for each layer, their scores and costs, a search, and the child's distillation."""

from nemo_lab.lazy import attach

_HOMES = {
    "Reference": "scores",
    "assemble": "child",
    "build_library": "library",
    "distil_child": "distillation",
    "open_parent": "parent",
    "record_parent": "distillation",
    "score_library": "scores",
    "solve": "search",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
