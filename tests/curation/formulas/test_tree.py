"""What a node is called: its name without namespace, prefix or capitals."""

import lxml.etree
import lxml.html
import pytest

from nemo_lab.curation.formulas.tree import UnreadableError, classed, is_nested, mathml, removed, tag_of


@pytest.mark.parametrize(
    ("markup", "name"),
    [
        ("<mfrac/>", "mfrac"),
        ("<MFRAC/>", "mfrac"),
        ('<mfrac xmlns="http://www.w3.org/1998/Math/MathML"/>', "mfrac"),
        ('<m:mfrac xmlns:m="http://www.w3.org/1998/Math/MathML"/>', "mfrac"),
    ],
)
def test_a_name_is_bare(markup: str, name: str) -> None:
    assert tag_of(lxml.etree.fromstring(markup)) == name


def test_a_prefix_without_a_namespace_goes() -> None:
    """As lxml's parser of HTML leaves `<m:math>` of pages that were meant to be XHTML."""
    (element,) = lxml.html.fromstring("<div><m:math>x</m:math></div>")
    assert element.tag == "m:math"
    assert tag_of(element) == "math"


def test_what_is_no_element_has_no_name() -> None:
    assert tag_of(lxml.etree.Comment("math")) == ""
    assert tag_of(lxml.etree.ProcessingInstruction("math")) == ""


def test_new_elements_have_children_or_a_text() -> None:
    row = mathml("mrow", [mathml("mi", text="x"), mathml("mo", text="+")], id="a")
    assert lxml.etree.tostring(row) == b'<mrow id="a"><mi>x</mi><mo>+</mo></mrow>'


def test_a_control_character_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        mathml("mi", text="\x01")


def test_wrappers_in_wrappers_are_nested_and_a_page_is_not() -> None:
    deep = lxml.html.fromstring('<div class="post">' + '<span class="katex">' * 10 + "x")
    chain = [deep, *deep.iterdescendants()]
    assert [is_nested(one) for one in chain] == [False] * 8 + [True] * 3
    plain = lxml.html.fromstring("<div>" * 100 + "<b class='math'>x</b>")
    assert not is_nested(next(plain.iter("b")))
    assert classed(lxml.html.fromstring("<b class=' a b '>x</b>")) == {"a", "b"}


@pytest.mark.parametrize(
    ("markup", "left"),
    [
        ("<p>a<b>x</b> tail<i>y</i></p>", "<p>a tail<i>y</i></p>"),
        ("<p><i>y</i>a<b>x</b> tail</p>", "<p><i>y</i>a tail</p>"),
        ("<p><b>x</b></p>", "<p></p>"),
    ],
)
def test_what_is_removed_leaves_the_text_behind_it(markup: str, left: str) -> None:
    root = lxml.html.fromstring(markup)
    part = removed(root.find("b"))
    assert lxml.html.tostring(root, encoding="unicode") == left
    assert lxml.html.tostring(part, encoding="unicode") == "<b>x</b>"
