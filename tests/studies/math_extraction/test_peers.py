"""Every peer reads a page and has a version."""

from nemo_lab.studies.math_extraction import peers
from tests.studies.math_extraction.planted import PAGES, PROSE


def test_every_peer_reads_a_page() -> None:
    html = b"<html><body>" + PAGES[0].html.replace(b"case.", b"case. " + PROSE * 3) + b"</body></html>"
    for name, extractor in peers.EXTRACTORS.items():
        assert "the formula gives" in extractor(html), name
    assert peers.version("no such package") == "-"
    assert all(peers.version(name) != "-" for name in peers.PEERS)
