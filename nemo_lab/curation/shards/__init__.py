"""Whole archives, shard by shard, over processes and kills: pages in, kept documents and a report out."""

from nemo_lab.lazy import attach

_HOMES = {
    "Options": "pipeline",
    "Summary": "pipeline",
    "extract_to": "pipeline",
    "inputs": "records",
    "read": "records",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
