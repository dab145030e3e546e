"""Scripts of plain HTML: what is a formula there, and what is an ordinal or a footnote."""

import pytest

from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("x<sup>2</sup>", "x^{2}"),
        ("b<sup>n+1</sup>", "b^{n+1}"),
        ("a<sub>i<sup>2</sup></sub>", "a_{i^{2}}"),
        ("the 1<sup>st</sup> of", "1st"),
        ('word<sup><a href="#f">1</a></sup>', "word1"),
        ("Product<sup>®</sup>", "Product®"),
        ('<span class="math inline"><em>x</em><sup>2</sup></span>', ""),
    ],
)
def test_scripts_say_how_far_they_reach(markup: str, shown: str) -> None:
    prepared = prepare(page(f"<p>{markup}</p>"))
    text = (
        prepared.shelf.restore(prepared.html)[0]
        .replace('<a href="#f">1</a>', "1")
        .replace("<sup>", "")
        .replace("</sup>", "")
        .replace("<span>", "")
        .replace("</span>", "")
    )
    assert shown in text
    if not shown:
        assert prepared.shelf.held[0].content == "x^{2}"


def test_what_stands_above_the_line_is_a_power_unless_it_is_an_ordinal_or_a_reference() -> None:
    left = prepare(page("<p>20<sup>o</sup>C, L<sup>*</sup>, a<sup>†</sup>, 2<sup>nd</sup>, x<sup>[2]</sup></p>")).html
    assert "20<sup>o</sup>C, L<sup>*</sup>, a<sup>†</sup>, 2<span>nd</span>, x<span>[2]</span>" in left
