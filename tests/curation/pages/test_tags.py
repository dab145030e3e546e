"""Elements that could run, load or submit leave nothing of themselves in what lynx gets; struck text is marked."""

import pytest

from nemo_lab.curation.pages.prepass import prepare
from nemo_lab.curation.pages.tags import ACTIVE, STRUCK

NOT_INSIDE = {"head", "title", "frame", "noframes"}  # a parser does not leave them inside a body


@pytest.mark.parametrize("tag", sorted(ACTIVE - NOT_INSIDE))
def test_active_elements_are_gone_and_the_text_around_them_stays(tag: str) -> None:
    html = prepare(f"<html><body><p>before</p><{tag} src='x' href='y'></{tag}><p>after</p></body></html>").html
    assert f"<{tag}" not in html
    assert "before" in html
    assert "after" in html


def test_nothing_is_both_active_and_text() -> None:
    assert not ACTIVE & STRUCK
