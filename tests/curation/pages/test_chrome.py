"""Links that are only signs, menus longer than the page, and banners beside the main part go; titles stay."""

# ruff: noqa: E501  markup stays on one line

import re

import lxml.html
import pytest

from nemo_lab.curation.pages.chrome import drop_chrome
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

TEXT = "All that is said here is said at length. " * 12


def shown(body: str) -> str:
    prepared = prepare(page(body))
    return " ".join(prepared.shelf.restore(re.sub("<[^>]+>", " ", prepared.html))[0].split())


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


TABS = {
    "Docusaurus": '<div class="tabs-container tabList__CuJ"><ul role="tablist" class="tabs"><li role="tab" class="tabs__item">pip</li></ul><div class="margin-top--md"><div role="tabpanel" class="tabItem_Ymn6"><p>FIRST</p></div><div role="tabpanel" class="tabItem_Ymn6" hidden=""><p>SECOND</p></div></div></div>',
    "sphinx-tabs": '<div class="sphinx-tabs docutils container"><div aria-label="Tabbed content" class="closeable" role="tablist"><button aria-controls="panel-0-0-0" role="tab" class="sphinx-tabs-tab">Apples</button></div><div class="sphinx-tabs-panel" id="panel-0-0-0" role="tabpanel"><p>FIRST</p></div><div class="sphinx-tabs-panel" hidden="true" role="tabpanel"><p>SECOND</p></div></div>',
    "sphinx-design": '<div class="sd-tab-set docutils"><input checked="checked" id="sd-tab-item-0" name="sd-tab-set-0" type="radio"><label class="sd-tab-label" for="sd-tab-item-0">A</label><div class="sd-tab-content docutils"><p>FIRST</p></div><input id="sd-tab-item-1" type="radio"><label class="sd-tab-label" for="sd-tab-item-1">B</label><div class="sd-tab-content docutils"><p>SECOND</p></div></div>',
    "MkDocs Material": '<div class="tabbed-set tabbed-alternate" data-tabs="1:2"><input checked="checked" id="__tabbed_1_1" name="__tabbed_1" type="radio"><input id="__tabbed_1_2" type="radio"><div class="tabbed-labels"><label for="__tabbed_1_1">C</label><label for="__tabbed_1_2">C++</label></div><div class="tabbed-content"><div class="tabbed-block"><p>FIRST</p></div><div class="tabbed-block"><p>SECOND</p></div></div></div>',
    "Bootstrap": '<ul class="nav nav-tabs" role="tablist"><li class="nav-item"><a class="nav-link active" data-toggle="tab" href="#a" role="tab">A</a></li></ul><div class="tab-content"><div class="tab-pane fade show active" id="a" role="tabpanel">FIRST</div><div class="tab-pane fade" id="b">SECOND</div></div>',
    "jQuery UI": '<div id="tabs" class="ui-tabs"><ul class="ui-tabs-nav" role="tablist"><li role="tab"><a href="#tabs-1" class="ui-tabs-anchor">A</a></li></ul><div id="tabs-1" class="ui-tabs-panel" role="tabpanel"><p>FIRST</p></div><div id="tabs-2" class="ui-tabs-panel" role="tabpanel" style="display: none;"><p>SECOND</p></div></div>',
    "Bootstrap 3 accordion": '<div class="panel-group" id="accordion" role="tablist"><div class="panel"><div class="panel-heading" role="tab"><h4><a data-toggle="collapse" href="#c1">A</a></h4></div><div id="c1" class="panel-collapse collapse" role="tabpanel"><div class="panel-body">FIRST</div></div><div id="c2" role="tabpanel">SECOND</div></div></div>',
    "CSS only": '<div class="tabs"><input type="radio" id="t1" checked><label for="t1">A</label><div class="tab"><p>FIRST</p></div><input type="radio" id="t2"><label for="t2">B</label><div class="tab"><p>SECOND</p></div></div>',
    "Asciidoctor": '<div id="_tabset1" class="openblock tabs is-sync"><div class="content"><div class="tablist ulist"><ul><li id="a" class="tab"><p>A</p></li></ul></div><div id="a--panel" class="tabpanel" aria-labelledby="a"><p>FIRST</p></div><div class="tabpanel" hidden><p>SECOND</p></div></div></div>',
    "MUI": '<div class="MuiTabs-root"><div role="tablist"><button role="tab">A</button></div></div><div role="tabpanel" id="simple-tabpanel-0">FIRST</div><div role="tabpanel" id="simple-tabpanel-1" hidden>SECOND</div>',
    "W3Schools": '<div class="tabs"><button class="tablinks" onclick="openCity(event, \'a\')">A</button></div><div id="a" class="tabcontent" style="display:block"><p>FIRST</p></div><div id="b" class="tabcontent" style="display:none"><p>SECOND</p></div>',
    "Starlight": '<starlight-tabs><div class="tablist-wrapper"><ul role="tablist"><li role="presentation" class="tab"><a role="tab" href="#tab-panel-1">A</a></li></ul></div><div id="tab-panel-1" role="tabpanel">FIRST</div><div id="tab-panel-2" role="tabpanel" hidden>SECOND</div></starlight-tabs>',
}


@pytest.mark.parametrize("name", TABS)
@pytest.mark.parametrize("main", ["main", "div"])
def test_panels_of_tabs_are_content(name: str, main: str) -> None:
    text = shown(f"<{main}><h1>T</h1><p>{TEXT}</p>{TABS[name]}</{main}>")
    assert re.search("FIRST.*SECOND", text)


CONTENT = [
    '<section class="related-work"><h2>Related work</h2><p>INSIDE</p><p>The first proof of it was given by others.</p></section>',
    '<div class="related"><p>INSIDE: the sum is related to the integral of the same function.</p></div>',
    '<section class="related-results"><h2>Related results</h2><ul><li>INSIDE, the little theorem of Fermat</li><li>The theorem of Euler</li></ul></section>',
    '<div class="sidebar"><p class="sidebar-title">INSIDE</p><p>A sidebar of a textbook tells a story beside the text.</p></div>',
    '<div class="sidebar">INSIDE \\(x^2\\)</div>',
    '<div class="docutils sidebar"><pre>INSIDE = 1</pre></div>',
    '<section class="shared-memory"><p>INSIDE: threads of one process see the same memory.</p></section>',
    '<div class="market-share"><p>INSIDE: the share of each firm is its part of all sales.</p></div>',
    '<section class="search-algorithms"><p>INSIDE: a binary search halves the range with each step.</p></section>',
    '<div class="social-choice"><p>INSIDE: Arrow proves that no rule meets all of the conditions.</p></div>',
    '<div class="cookies-and-sessions"><p>INSIDE: a cookie is sent back with each of the requests.</p></div>',
    '<div class="comments"><p>INSIDE: a comment begins with a sign of its own.</p></div>',
    '<div class="content-with-sidebar"><p>INSIDE: most of what the page has to say about it.</p></div>',
    '<div class="footer-note">INSIDE holds for \\(n > 1\\)</div>',
    "<blockquote><p>To be or not to be.</p><footer>INSIDE</footer></blockquote>",
    '<div role="complementary"><p>INSIDE</p></div>',
    f'<section class="subscribe-pattern"><p>INSIDE {TEXT[:300]}</p></section>',
    '<div class="sidebar"><a href="a">A long link to another page of the manual</a><pre>INSIDE = 1</pre></div>',
    '<div class="sd-card"><div class="sd-card-body">A card.</div><div class="sd-card-footer"><p>INSIDE</p></div></div>',
    '<div class="panel"><div class="panel-body">A panel.</div><div class="panel-footer">INSIDE</div></div>',
]


@pytest.mark.parametrize("part", CONTENT)
def test_in_the_main_part_a_word_may_be_the_subject(part: str) -> None:
    assert "INSIDE" in shown(f"<main><h1>T</h1><p>{TEXT}</p>{part}</main>")


FURNITURE = [
    '<nav><a href="a">INSIDE</a></nav>',
    '<div class="share"><span>INSIDE</span><a href="t">Tweet</a><a href="f">Post</a></div>',
    '<div class="share-buttons">INSIDE this page with your friends and with all who may want to know</div>',
    '<section class="related"><h2>Related</h2><ul><li><a href="a">INSIDE of it all</a></li><li><a href="b">Another page</a></li></ul></section>',
    '<div class="related-posts"><h3>Related posts</h3><p>INSIDE: a summary of what another page says about it.</p></div>',
    '<div class="related"><h3><a href="a">INSIDE</a></h3><p>What this page says at some length.</p><h3><a href="b">Other</a></h3><p>What that page says at some length.</p></div>',
    '<div class="sidebar"><ul><li><a href="a">INSIDE and more</a></li><li><a href="b">Archive of 2019</a></li></ul></div>',
    '<div class="toc"><ul><li><a href="#a">INSIDE \\(x^2\\)</a></li><li><a href="#b">Second \\(y^2\\)</a></li></ul></div>',
    '<div class="newsletter">INSIDE: get all our news once in every week, and no spam.</div>',
    '<ul class="tabs"><li>INSIDE</li><li>conda</li></ul>',
    "<footer>INSIDE 2020 by the authors</footer>",
    '<div class="page-footer"><p>INSIDE</p></div>',
]


@pytest.mark.parametrize("part", FURNITURE)
def test_in_the_main_part_furniture_goes_too(part: str) -> None:
    assert "INSIDE" not in shown(f"<main><h1>T</h1><p>{TEXT}</p>{part}</main>")


@pytest.mark.parametrize("part", [CONTENT[3], CONTENT[4], *FURNITURE])
def test_beside_the_main_part_a_word_is_enough(part: str) -> None:
    assert "INSIDE" not in shown(f"<main><h1>T</h1><p>{TEXT}</p></main>{part}")


def test_formulas_in_furniture_are_counted() -> None:
    toc, text = FURNITURE[7], f"<main><h1>T</h1><p>{TEXT} \\(x^2\\)</p>"
    assert prepare(page(f"{text}{toc}</main>")).in_furniture == 2
    assert prepare(page(f"{text}</main><aside><pre>x = 1</pre></aside>")).in_furniture == 1
    assert prepare(page(f"{text}</main><nav>Home</nav>")).in_furniture == 0


def test_the_only_title_stays_whatever_holds_it() -> None:
    header = '<header class="page-header"><h1>Title</h1></header>'
    assert "Title" in shown(f"<main>{header}<p>{TEXT}</p></main>")


def test_every_article_of_a_page_is_its_main_part() -> None:
    article = (
        f"<article><header><h1>{{}}</h1></header><p>{TEXT}</p><div class='sidebar'>Of {{}}: \\(x\\)</div></article>"
    )
    text = shown(article.format("One", "one") + article.format("Two", "two") + "<div class='sidebar'>Side</div>")
    assert "One" in text
    assert "Two" in text
    assert "Of two" in text
    assert "Side" not in text


@pytest.mark.parametrize(("words", "kept"), [(60, True), (20, False)])
def test_a_named_part_that_is_most_of_an_unmarked_page_stays(words: int, kept: bool) -> None:
    root = lxml.html.fromstring(f"<body><footer>{'END ' * words}</footer><p>{'prose ' * 40}</p></body>")
    drop_chrome(root)
    assert ("END" in root.text_content()) is kept


def test_a_wrapper_named_after_its_buttons_is_the_article() -> None:
    links = '<a href="t">Tweet</a><a href="m">Mail</a>'
    assert (
        "INSIDE"
        in prepare(page(f'<div class="sharethis-wrapper">{links}<p>INSIDE {TEXT}</p></div><p>{TEXT * 4}</p>')).html
    )
    assert (
        "INSIDE"
        not in prepare(page(f'<div class="sharethis-wrapper">{links}<p>INSIDE</p></div><p>{TEXT * 4}</p>')).html
    )
