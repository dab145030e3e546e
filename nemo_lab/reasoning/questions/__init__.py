"""Questions with one right answer and an exact checker, drawn by code or read from sets; text only, without torch."""

from nemo_lab.lazy import attach

_HOMES = {
    "DOMAINS": "domains",
    "Item": "items",
    "draw": "domains",
    "same_answer": "checking",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
