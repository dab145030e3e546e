"""Notebooks that are run, their records, and whether what is stored still belongs to the code."""

from nemo_lab.lazy import attach

_HOMES = {
    "NoRuns": "find",
    "Run": "find",
    "find_notebooks": "notebooks",
    "find_runs": "find",
    "latest": "find",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
