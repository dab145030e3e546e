"""Wiki markup leaves its words."""

from nemo_lab.corpora.readers import sources


def test_wikitext_leaves_words():
    source = (
        "{{Infobox|a={{b}}}}'''Anarchism''' is a [[political philosophy|philosophy]]<ref name=x/> of [[x]]."
        "<ref>no</ref>\n{| class=a\n| no\n|}\n== Head ==\n[[File:a.jpg|thumb|no [[no]]]]\n"
        "[http://a.org words] &amp;amp; so."
    )
    assert sources.wikitext(source) == "Anarchism is a philosophy of x.\n\nHead\n\nwords & so."
