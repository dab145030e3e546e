"""Formulas in web pages to LaTeX: MathML, scripts of MathJax and KaTeX, images' texts, symbols."""

from nemo_lab.lazy import attach

_HOMES = {
    "command_for": "symbols",
    "html_formula": "scripts",
    "parses": "latex",
    "tag_of": "tree",
    "tidy": "latex",
    "to_latex": "mathml",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
