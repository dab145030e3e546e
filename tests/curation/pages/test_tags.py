"""Elements that could run, load or submit leave nothing of themselves in what lynx gets; struck text is marked."""

import re

import pytest
from lxml.html import defs

from nemo_lab.curation import Extraction, Page, extract
from nemo_lab.curation.pages.prepass import prepare
from nemo_lab.curation.pages.tags import ACTIVE, STRUCK, YOUNGER

NOT_INSIDE = {"head", "title", "frame", "noframes"}  # a parser does not leave them inside a body


@pytest.mark.parametrize("tag", sorted(ACTIVE - NOT_INSIDE))
def test_active_elements_are_gone_and_the_text_around_them_stays(tag: str) -> None:
    html = prepare(f"<html><body><p>before</p><{tag} src='x' href='y'></{tag}><p>after</p></body></html>").html
    assert f"<{tag}" not in html
    assert "before" in html
    assert "after" in html


def test_nothing_is_both_active_and_text() -> None:
    assert not ACTIVE & STRUCK


OLDER = "comment bgsound blink marquee nobr spacer fn fig note credit bq lh banner person text layer server"
NAMES = sorted({*defs.tags, *YOUNGER, *OLDER.split(), "datalist", "optgroup", "output", "slot", "ruby", "x-own"})
OTHERWISE = {"aside", "footer", "nav", "math"}  # furniture, and what becomes a formula


def test_no_element_keeps_text_or_hands_it_to_the_next_page_of_a_batch() -> None:
    """The renderer keeps the text of some elements for later, as that of `<option>` outside a list."""
    pages = [
        f"<body><p>a{number}z</p><{name}>b{number}z</{name}> c{number}z<{name}>d{number}z<p>e{number}z".encode()
        for number, name in enumerate(NAMES)
    ]
    results = extract([Page(page, "", "", "text/html") for page in pages])
    for number, (name, result) in enumerate(zip(NAMES, results, strict=True)):
        assert isinstance(result, Extraction)
        found = re.findall(r"([a-e])(\d+)z", result.text)
        assert {page for _, page in found} == {str(number)}, name
        letters = "".join(letter for letter, _ in found)
        assert letters == "abcde" or name in ACTIVE | OTHERWISE, name
