"""Web pages to clean, scored text: Nemotron-CC-Math's and Nemotron-CC's steps, from bytes to a report of what was lost.

`extract_html` takes one page, `extract` several, `extract_to` whole archives (`nemo-lab extract`); `curate_to` takes
archives as well and says how good each page is (`nemo-lab curate`). The rooms:

formulas     markup of formulas to LaTeX
pages        a page's bytes to clean text
filters      which documents stay, by language, rules, scores and test sets
duplicates   exact and near
rewriting    text written anew by a model, and checked
shards       whole archives, over processes and kills

Pages are the least trusted input the lab has; every step has limits.
"""

from nemo_lab.lazy import attach

_HOMES = {
    "Damaged": "pages.page",
    "Extraction": "pages.extraction",
    "Failure": "pages.extraction",
    "Guidance": "shards.web",
    "Losses": "pages.extraction",
    "Options": "shards.pipeline",
    "Page": "pages.page",
    "Summary": "shards.pipeline",
    "WebOptions": "shards.web",
    "curate_to": "shards.web",
    "extract": "pages.extraction",
    "extract_html": "pages.extraction",
    "extract_to": "shards.pipeline",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
