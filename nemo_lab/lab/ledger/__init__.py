"""The claims of the ten papers, the rules that judge them, and the table that shows the verdicts."""

from nemo_lab.lazy import attach

_HOMES = {
    "Claim": "claims",
    "Judgement": "claims",
    "Table": "table",
    "find_claim": "claims",
    "judge": "claims",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
