"""A tab's label stands at the head of its panel, whatever made the tabs; other labels stay where they are."""

import shutil

import lxml.html
import pytest

from nemo_lab.curation.pages.extraction import extract_html
from nemo_lab.curation.pages.tabs import label_panels

ONE, TWO = "<pre><code>make one\n  and go</code></pre>", "<pre><code>make two\n  and go</code></pre>"
TABS = {
    "Sphinx tabs": f"""<div class="sphinx-tabs"><div role="tablist">
        <button aria-controls="panel-0" class="sphinx-tabs-tab" id="tab-0" role="tab">Linux <code>apt</code></button>
        <button class="sphinx-tabs-tab" id="tab-1" role="tab">Windows</button></div>
        <div class="sphinx-tabs-panel" id="panel-0" role="tabpanel">{ONE}</div>
        <div aria-labelledby="tab-1" class="sphinx-tabs-panel" hidden="true" role="tabpanel">{TWO}</div></div>""",
    "Docusaurus": f"""<div class="tabs-container tabList__CuJ"><ul role="tablist" class="tabs">
        <li role="tab" class="tabs__item tabItem_LNqP">Linux <code>apt</code></li>
        <li role="tab" class="tabs__item tabItem_LNqP">Windows</li></ul>
        <div class="margin-top--md"><div role="tabpanel" class="tabItem_Ymn6">{ONE}</div>
        <div role="tabpanel" class="tabItem_Ymn6" hidden="">{TWO}</div></div></div>""",
    "Material": f"""<div class="tabbed-set tabbed-alternate"><input id="t1" type="radio"><input id="t2" type="radio">
        <div class="tabbed-labels"><label for="t1">Linux <code>apt</code></label><label for="t2">Windows</label></div>
        <div class="tabbed-content"><div class="tabbed-block">{ONE}</div><div class="tabbed-block">{TWO}</div></div>
        </div>""",
    "Bootstrap": f"""<ul class="nav nav-tabs" role="tablist">
        <li class="nav-item"><a href="#one" role="tab">Linux <code>apt</code></a></li>
        <li class="nav-item"><a href="#two" role="tab" aria-controls="two">Windows</a></li></ul>
        <div class="tab-content"><div class="tab-pane" id="one">{ONE}</div><div class="tab-pane" id="two">{TWO}</div>
        </div>""",
}
PROSE = "<p>" + "Some words that say what is to be done here. " * 8 + "</p>"


def moved(html: str) -> tuple[str, str]:
    """Return a page's markup before and after."""
    root = lxml.html.document_fromstring(html)
    before = lxml.html.tostring(root, encoding="unicode")
    label_panels(root)
    return before, lxml.html.tostring(root, encoding="unicode")


@pytest.mark.parametrize("name", TABS)
def test_labels_go_to_their_panels_with_all_that_is_in_them(name: str) -> None:
    root = lxml.html.document_fromstring(TABS[name])
    label_panels(root)
    order = [" ".join(one.text_content().split()) for one in root.iter("li", "pre")]
    assert order == ["Linux apt", "make one and go", "Windows", "make two and go"]
    assert root.xpath("//li/code/text()") == ["apt"]
    assert len(root.xpath("//*[@role='tabpanel'][ul/li][pre]")) == 2


@pytest.mark.skipif(not shutil.which("lynx"), reason="lynx is not installed")
@pytest.mark.parametrize("name", TABS)
def test_the_text_says_which_panel_is_which(name: str) -> None:
    text = extract_html(f"<main><h1>Install</h1>{PROSE}{TABS[name]}{PROSE}</main>").text
    places = [text.index(words) for words in ("Linux", "make one", "Windows", "make two")]
    assert places == sorted(places)


@pytest.mark.skipif(not shutil.which("lynx"), reason="lynx is not installed")
def test_a_label_that_comes_often_is_no_furniture() -> None:
    text = extract_html(f"<main><h1>Install</h1>{(PROSE + TABS['Docusaurus']) * 12}</main>").text
    assert text.count("Windows") == 12


@pytest.mark.parametrize(
    "html",
    [
        '<div role="tablist"><button role="tab">Overview</button><button role="tab">Reviews</button></div>',
        '<ul role="tablist"><li role="tab"><a href="/a">Home</a></li></ul><p id="a">Text</p>',
        '<div role="tablist"><a role="tab" href="#s1">1</a><a role="tab" href="#s2">Slide 2</a></div>'
        '<div id="s1">One</div><div id="s2">Two</div>',
        '<div><ul role="tablist"><li role="tab">One</li><li role="tab">Two</li></ul><div role="tabpanel">x</div></div>',
        '<div id="all"><button role="tab" aria-controls="all">Inside of its panel</button></div>',
        "<p>No tabs at all</p>",
    ],
)
def test_labels_without_a_panel_and_signs_stay(html: str) -> None:
    before, after = moved(html)
    assert after == before


def test_a_panel_that_says_its_label_itself_says_it_once() -> None:
    html = '<a role="tab" href="#a">Linux</a><div id="a"><h3>Linux </h3><p>Text</p></div>'
    assert moved(html)[1].count("Linux") == 1
    assert moved(html.replace("<h3>Linux ", "<h3>Linuxes "))[1].count("Linux") == 2


def test_lists_that_stand_in_one_element_share_its_panels_in_order() -> None:
    one = '<div role="tablist"><button role="tab">{}</button></div><div role="tabpanel">{}</div>'
    root = lxml.html.document_fromstring(f"<div>{one.format('A', 1)}{one.format('B', 2)}</div>")
    label_panels(root)
    assert root.text_content() == "A1B2"


def test_what_follows_a_tab_stays_and_a_panel_of_code_has_its_label_before_it() -> None:
    html = '<p><a role="tab" href="#a">Rust</a> and more</p><pre id="a" class="x">fn main</pre>'
    assert '<p> and more</p><ul><li>Rust</li></ul><pre id="a"' in moved(html)[1]
