"""The HTML report: the ledger's page and the executed notebooks."""

from nemo_lab.lazy import attach

_HOMES = {
    "build_report": "build",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
