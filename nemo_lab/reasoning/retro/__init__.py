"""Retro-Search: a trace cut into thoughts, and a search for shorter ways from each of them."""

from nemo_lab.lazy import attach

_HOMES = {
    "RevisionSettings": "search",
    "Traced": "search",
    "ban_switches": "switch_bans",
    "revise": "search",
    "segment": "thoughts",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
