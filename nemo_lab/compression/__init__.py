"""Smaller, faster models from a trained one: importance, slicing, distillation, architecture search, budgets.

    importance = measure_importance(model, batches)
    child = slice_model(model, keep_best(importance, ...))

`puzzle` searches an architecture layer by layer.
"""

from nemo_lab.lazy import attach

_HOMES = {
    "Distilled": "distillation",
    "Importance": "importance",
    "Kept": "slicing",
    "Teacher": "distillation",
    "keep_best": "ranking",
    "mask_model": "slicing",
    "measure_importance": "importance",
    "slice_model": "slicing",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
