"""HTML as a reader sees it."""

import pytest

from nemo_lab.corpora.readers import html
from nemo_lab.errors import LabError


def test_html_shows_what_a_reader_sees():
    page = """<html><head><title>no</title><style>p{}</style></head><body><h1>One</h1><p>Two  <b>three</b>
    four</p><ul><li>a</li><li>b</li></ul><pre>  x\n   y</pre>
    <script>no()</script><!-- no -->five<br>six</body>"""
    assert html.visible_text(page) == "One\n\nTwo three four\n\na\n\nb\n\n  x\n   y\n\nfive\nsix"


def test_html_decodes_bytes_and_survives_depth():
    assert html.visible_text("<p>é</p>".encode()) == "é"
    assert html.visible_text('<meta charset="iso-8859-1"><p>é</p>'.encode("latin-1")) == "é"
    assert "deep" in html.visible_text("<div>" * 1000 + "deep" + "</div>" * 1000)
    for nothing in ("", "   ", b"", "<!-- only -->"):
        with pytest.raises(LabError, match="not readable as HTML"):
            html.visible_text(nothing)


def test_bytes_are_decoded_by_their_declaration():
    assert html.visible_text('<meta charset="gb2312"><p>镕'.encode("gbk")) == "镕"
    assert html.visible_text('<?xml version="1.0" encoding="utf-16"?><p>é “x”') == "é “x”", "a text is text already"
    with pytest.raises(LabError, match="binary content"):
        html.visible_text(b"\x89PNG")
