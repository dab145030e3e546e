"""Bytes to text by mark, UTF-8, declaration and detection; binary content and Python's odd codecs are refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.curation.pages.decoding import HTML, NOTEBOOK, TEXT, NotText, decode, kind_of, notebook_text

FRENCH = "<p>Le théorème élémentaire a été démontré à Orléans. " * 5
RUSSIAN = "<p>Рассмотрим квадратное уравнение и найдём его корни по известной формуле. " * 3
JAPANESE = "<p>日本語のページです。数学の公式を説明します。" * 20


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffd\ufeff"), min_size=1))
def test_utf8_is_read_as_it_is(text: str) -> None:
    assert decode(b"<p>" + text.encode()) == "<p>" + text


@pytest.mark.parametrize(
    ("text", "encoding", "charset", "declared"),
    [
        (FRENCH, "utf-8-sig", "", ""),
        (FRENCH, "utf-16", "", ""),
        (FRENCH, "latin-1", "iso-8859-1", ""),
        (FRENCH, "cp1252", "", '<meta charset="iso-8859-1">'),
        (FRENCH, "latin-1", "", ""),
        (FRENCH, "latin-1", "no-such-charset", ""),
        (FRENCH, "latin-1", "punycode", ""),
        (JAPANESE, "shift_jis", "Shift_JIS", ""),
        (JAPANESE, "euc_jp", "", '<meta http-equiv="Content-Type" content="text/html; charset=euc-jp">'),
        (JAPANESE, "shift_jis", "", ""),
        (RUSSIAN, "cp1251", "", ""),
        (RUSSIAN, "koi8-r", "", ""),
    ],
)
def test_other_encodings(text: str, encoding: str, charset: str, declared: str) -> None:
    assert decode((declared + text).encode(encoding), charset) == declared + text


def test_a_few_broken_bytes_do_not_spoil_a_page() -> None:
    content = ("<p>" + "žluťoučký kůň " * 50).encode() + b"\xff end"
    assert decode(content).endswith("\ufffd end")


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.4 text",
        b"\x89PNG\r\n",
        b"PK\x03\x04<html>",
        b"\x7fELF",
        b"<html>" + bytes(range(32)) * 100,
        b"GIF89a<html>",
    ],
)
def test_binary_posing_as_a_page_is_refused(content: bytes) -> None:
    with pytest.raises(NotText, match="binary"):
        decode(content)


@pytest.mark.parametrize(
    ("text", "declared", "kind"),
    [
        ("<!DOCTYPE html><p>x", "", HTML),
        ("Plain words", "text/html", HTML),
        ("Plain words", "", TEXT),
        ('{"cells": [], "nbformat": 4}', "text/html", NOTEBOOK),
        ("if a <b and c> d", "text/plain", TEXT),
        ("x < y", "text/plain", TEXT),
    ],
)
def test_kinds(text: str, declared: str, kind: str) -> None:
    assert kind_of(text, declared) == kind


def test_a_notebook_gives_its_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "with $x$"]},
        {
            "cell_type": "code",
            "source": "def f():\n    pass",
            "outputs": [{"text": ["out\n"]}, {"data": {"text/plain": "3"}}],
        },
        {"cell_type": "code", "source": ""},
    ]
    text = notebook_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert text == "# Title\nwith $x$\n\n```python\ndef f():\n    pass\n```\n\n```\nout\n```\n\n```\n3\n```"


@pytest.mark.parametrize("text", ["{", '{"cells": 3}', '{"cells": [3]}', '{"cells": ' + "[" * 100_000])
def test_a_broken_notebook_is_refused(text: str) -> None:
    with pytest.raises(NotText, match="notebook"):
        notebook_text(text)


@pytest.mark.parametrize("content", [None, "text", 5])
def test_what_is_decoded_is_bytes(content):
    with pytest.raises(NotText, match="and no bytes"):
        decode(content)
