"""Web pages to clean, scored text: Nemotron-CC-Math's pipeline, from bytes to a report of what was lost.

`extract_html` takes one page, `extract` several, `extract_to` whole archives (`nemo-lab extract`). The steps are
modules: `decoding`, `prepass` (formulas, code and tables held back), `lynx`, `cleaning`, `fidelity`, `quality`,
`duplicates.near`, `decontamination`. Pages are the least trusted input the lab has; every step has limits.
"""

from nemo_lab.curation.pages.extraction import Extraction, Failure, Losses, extract, extract_html
from nemo_lab.curation.pages.page import Damaged, Page
from nemo_lab.curation.shards.pipeline import Options, Summary, extract_to

__all__ = [
    "Damaged",
    "Extraction",
    "Failure",
    "Losses",
    "Options",
    "Page",
    "Summary",
    "extract",
    "extract_html",
    "extract_to",
]
