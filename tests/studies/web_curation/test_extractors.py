"""Extractors of notebook 02: a page that cannot be read is counted, and the others go on."""

import pytest

from nemo_lab.curation.pages import justext as web
from nemo_lab.curation.pages.page import Page
from nemo_lab.studies.web_curation import extractors
from tests.curation.made_pages import page

TEXT = (
    "The lighthouse was built in the autumn after the storm, and it was the first of its kind on that coast. "
    "People who had seen it from the sea said that the light could be made out at a distance of twenty miles. "
)
MENU = "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(12))
PAGE = page(
    f"<nav><ul>{MENU}</ul></nav><h1>The lighthouse</h1><p>{TEXT}</p><p>{TEXT.replace('lighthouse', 'harbour')}</p>"
    "<footer><p><a href='/terms'>Terms</a> <a href='/about'>About</a></p></footer>"
).encode()


def test_an_unreadable_page_is_counted_and_the_others_go_on():
    pages = [Page(PAGE, "a", "1"), Page(b"", "b", "2"), Page(PAGE, "c", "3")]

    def extract(html):
        return {"text": web.by_justext(html)}["text" if html else "nothing"]

    texts, failed = extractors.extract_all(pages, extract)
    assert [bool(text) for text in texts] == [True, False, True]
    assert failed == {"KeyError": 1}


@pytest.mark.parametrize(
    "content", [b"\x00\xff\xfe" * 50, b"<div>" * 3000, b"<p>&#xD800;&#99999999;</p>", "é".encode("latin-1")]
)
@pytest.mark.parametrize("name", list(extractors.EXTRACTORS))
def test_hostile_pages_end_as_text_or_as_a_count(name, content):
    texts, failed = extractors.extract_all([Page(content, "a", "1")], extractors.EXTRACTORS[name])
    assert isinstance(texts[0], str)
    assert failed.total() <= 1
