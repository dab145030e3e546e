"""What is content and what is boilerplate, on pages whose answer is known."""

from collections import Counter

import pytest

from nemo_lab.curation.pages import justext as web
from nemo_lab.errors import LabError
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


@pytest.mark.parametrize("extract", [web.by_justext, extractors.by_trafilatura], ids=["jusText", "trafilatura"])
def test_prose_stays_and_menus_go(extract):
    text = " ".join(extract(PAGE).split())
    assert " ".join(TEXT.split()) in text
    assert "Section 7" not in text


def test_boilerplate_is_the_other_half():
    rejected = web.boilerplate(PAGE)
    assert "Section 7" in rejected
    assert "twenty miles" not in rejected
    seen = Counter(" ".join([web.by_justext(PAGE), rejected]).split())
    everything = Counter(extractors.EXTRACTORS["all visible text"](PAGE).split())
    neither, twice = everything - seen, seen - everything
    assert set(neither) <= {"Terms", "About"}  # jusText joins neighbouring links: one word, 'TermsAbout'
    assert set(twice) <= {"TermsAbout"}


def test_prose_in_another_language_is_boilerplate_to_english_stop_words():
    german = (
        "Der Leuchtturm wurde im Herbst nach dem Sturm gebaut, und er war der erste seiner Art an der Küste. "
        "Wer ihn von der See aus gesehen hatte, sagte, dass man das Licht aus zwanzig Meilen erkennen konnte. "
    )
    html = page(f"<p>{german * 2}</p>").encode()
    assert web.by_justext(html) == ""
    assert "Leuchtturm" in web.by_justext(html, "German")


@pytest.mark.parametrize("content", [b"", b" \n ", b"<!-- nothing -->"])
def test_an_empty_page_has_no_text(content):
    assert web.by_justext(content) == extractors.by_trafilatura(content) == web.boilerplate(content) == ""


def test_what_is_no_page_and_no_language_is_one_sentence():
    for extract in (web.by_justext, web.boilerplate):
        with pytest.raises(LabError, match="Unknown language 'Englsh', did you mean 'English'"):
            extract(b"<p>text</p>", "Englsh")
        with pytest.raises(LabError, match="html is None, expected the content of a page"):
            extract(None)


@pytest.mark.parametrize(
    ("code", "name"),
    [("en", "English"), ("de", "German"), ("no", "Norwegian_Bokmal"), ("he", "Hebrew"), ("fil", "Tagalog"), ("ja", "")],
)
def test_stop_words_by_code(code, name):
    assert web.stop_words_of(code) == name


def test_without_stop_words_length_and_links_decide():
    japanese = page(f"<ul>{MENU}</ul><p>{'すべて人は、休息及び余暇をもつ権利を有する。' * 20}</p>")
    assert web.by_justext(japanese, "") == "すべて人は、休息及び余暇をもつ権利を有する。" * 20
    assert not web.by_justext(japanese)


@pytest.mark.parametrize(
    ("html", "too_much"),
    [
        (PAGE.decode(), False),
        ("<div>" * 200 + TEXT, False),
        ("<div>" * 300 + TEXT, True),
        ("<p>" + TEXT * 60_000, True),
        (f"<img src='data:image/png;base64,{'A' * 100_000}'><p>{TEXT}", False),
        (f"<p data-page='{'a ' * 50_000}'>{TEXT}", False),
        (f"<p {' '.join(f'a{n}=1' for n in range(20_000))}>{TEXT}", True),
        ("", False),
        ("<?xml version='1.0' encoding='utf-8'?><html><p>x</p></html>", False),
    ],
    ids=range(9),
)
def test_what_the_parser_would_not_see_is_told(html, too_much):
    assert web.overflows(html) == too_much
    if not too_much:
        assert (TEXT[:40] in web.by_justext(html)) == (TEXT in html)
