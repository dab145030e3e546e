"""Every form holds every block whole, and our pipeline keeps them."""

import html
import re

from nemo_lab.curation import code_matrix, comparison, peers
from nemo_lab.curation.manuals import KnownPage

BLOCKS = [
    "def f(x):\n    if x < 1:\n        return [x]\n\n    return 'a & b'",
    ">>> for n in range(2):\n...     [n,\n...      n]\n[0,\n 0]\n[1,\n 1]",
    "class A:\n    pass",
]
PAGES = [KnownPage("m", "p", b"", code=[*BLOCKS, "x = 1", "no python (\n  at all"], python=True)]


def test_forms_hold_the_blocks() -> None:
    pages = code_matrix.code_pages(PAGES, 10)
    assert [page.manual for page in pages] == list(code_matrix.FORMS)
    for page in pages:
        assert page.code == BLOCKS, "one line and what is no Python are not taken"
        seen = html.unescape(re.sub(r"<br>|</(?:tr|div)>|<[^>]+>", "\n", page.html.decode())).replace("\xa0", " ")
        for line in "\n".join(BLOCKS).split("\n"):
            assert line in seen, page.manual
    assert code_matrix.code_pages(PAGES, 0) == []


def test_ours_keeps_them() -> None:
    done = comparison.compare(
        code_matrix.code_pages(PAGES, 10), {"ours": peers.ours, "trafilatura": peers.by_trafilatura}
    )
    kept = comparison.by_group(done, comparison.code_rate)
    assert kept["ours"].tolist() == [1.0] * len(code_matrix.FORMS)
    assert min(kept["trafilatura"]) < 1
