"""Whole archives, shard by shard, over processes and kills: pages in, kept documents and a report out.

`extract_to` is Nemotron-CC-Math's way (`nemo-lab extract`), `curate_to` Nemotron-CC's (`nemo-lab curate`).
"""

from nemo_lab.lazy import attach

_HOMES = {
    "Funnel": "web_report",
    "Guidance": "web",
    "Options": "pipeline",
    "Summary": "pipeline",
    "WebOptions": "web",
    "curate_to": "web",
    "extract_to": "pipeline",
    "inputs": "records",
    "read": "records",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
