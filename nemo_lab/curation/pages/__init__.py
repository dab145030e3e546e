"""One page, from bytes to clean text: decoding, formulas and code held back, rendering, cleaning."""

from nemo_lab.lazy import attach

_HOMES = {
    "Damaged": "page",
    "Extraction": "extraction",
    "Failure": "extraction",
    "Page": "page",
    "by_justext": "justext",
    "clean": "cleaning",
    "decode": "decoding",
    "extract": "extraction",
    "extract_html": "extraction",
    "prepare": "prepass",
    "render": "lynx",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
