"""What a node is called: its name without namespace, prefix or capitals."""

import lxml.etree
import lxml.html
import pytest

from nemo_lab.curation.formulas.tree import tag_of


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
