"""Links that are only signs, menus longer than the page, and banners beside the main part go; titles stay."""

import re

import pytest

from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

TEXT = "All that is said here is said at length. " * 12


def shown(body: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", prepare(page(body)).html).split())


@pytest.mark.parametrize(
    "link",
    [
        '<a class="mark" href="#p">#</a>',
        '<a class="anchor" href="#p">§</a>',
        '<a href="#fnref1" class="footnote-back">↩︎</a>',
        '<a href="#p" class="hash-link">\u200b</a>',
        '<a href="#content">Skip to main content</a>',
        '<a class="mw-jump-link" href="#head">Jump to navigation</a>',
    ],
)
def test_links_that_are_signs_go(link: str) -> None:
    assert shown(f"<h2>Policies{link}</h2>") == "Policies"


def test_links_that_say_something_stay() -> None:
    assert shown('<p><a href="#s">jump to Section 3</a> or <a href="http://a">#</a></p>') == "jump to Section 3 or #"


def test_a_link_that_is_all_of_a_heading_is_its_title() -> None:
    assert shown('<h2><a class="header-anchor" href="#p"><span>Policies</span></a></h2>') == "Policies"
    assert shown('<h2><a class="header-anchor" href="#p">Link to it</a>Policies</h2>') == "Policies"


def test_a_menu_longer_than_the_page_goes_where_a_page_is_left() -> None:
    menu = "<ul class='main-menu'>" + "<li><a href='x'>One entry of a long menu</a></li>" * 90 + "</ul>"
    assert shown(f"{menu}<h1>T</h1><p>{TEXT}</p>") == f"T {TEXT.strip()}"
    assert "entry" in shown(f"{menu}<p>Index</p>")


def test_the_banner_beside_the_main_part_goes_and_a_title_stays() -> None:
    main = f"<main>{{}}<p>{TEXT}</p></main>"
    assert shown("<header>Site</header>" + main.format("<h1>T</h1>")) == f"T {TEXT.strip()}"
    assert shown("<header><h1>T</h1></header>" + main.format("")) == f"T {TEXT.strip()}"
