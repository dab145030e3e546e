"""Bytes to text by mark, UTF-8, declaration and detection; binary content and Python's odd codecs are refused."""

import codecs
import contextlib

import pytest
import webencodings
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.charsets import NotText, charset_of, decode, utf8_bytes, utf8_lengths

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


@pytest.mark.parametrize("content", [None, "text", 5])
def test_what_is_decoded_is_bytes(content):
    with pytest.raises(NotText, match="and no bytes"):
        decode(content)


# --- labels mean what browsers take them for


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gbk", "朱镕基與數學"),  # in GBK, not in GB 2312
        ("GB_2312-80", "gb18030", "㐀镕"),
        ("x-gbk", "gb18030", "数学€"),
        ("chinese", "gb18030", "数学"),
        ("shift_jis", "cp932", "①㈱髙～"),
        ("windows-31j", "cp932", "①㈱髙～"),
        ("x-sjis", "cp932", "日本①語"),
        ("ms_kanji", "cp932", "日本①語"),
        ("euc-jp", "euc_jisx0213", "日本①語"),
        ("csISO2022JP", "iso2022_jp", "日本語 in ASCII"),
        ("iso-8859-1", "cp1252", "“5 €” doesn’t"),
        ("us-ascii", "cp1252", "“5 €”"),
        ("iso-8859-9", "cp1254", "“ğışç”"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("euc-kr", "cp949", "똠방각하"),
        ("big5", "big5hkscs", "數學嘅"),
        ("x-x-big5", "cp950", "數學"),
        ("tis-620", "cp874", "“พิจารณา”"),
        ("unicode-1-1-utf-8", "utf-8", "é“”"),
        ("windows-1251", "cp1251", "Рассмотрим"),
        ("x-cp1251", "cp1251", "Рассмотрим"),
        ("logical", "iso8859-8", "נתבונן"),
        ("utf-16", "utf-16-le", "Рассмотрим"),
        ("ucs-2", "utf-16-le", "数学\n数学"),
        ("hz-gb-2312", "hz", "数学 in ASCII"),
    ],
)
def test_labels_are_read_as_browsers_read_them(label: str, codec: str, text: str) -> None:
    assert decode(text.encode(codec), label) == text
    if not codec.startswith("utf-16"):
        declared = f'<meta charset="{label}">'
        assert decode(declared.encode() + text.encode(codec)) == declared + text


def test_every_label_of_the_standard_is_known() -> None:
    refused = {"iso-2022-cn", "iso-2022-cn-ext", "replacement"}  # which Python cannot read, nor browsers
    for label, name in webencodings.labels.LABELS.items():
        wide = {"utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
        content = "Plain words".encode(wide.get(name, "ascii"))
        assert decode(content, label) == "Plain words"
        if label not in refused and not name.startswith(("utf-16", "iso-2022", "replacement")):
            assert "\ufffd" not in decode(b"<p>\xbf\xa1</p>", label), label


def test_a_user_defined_encoding_is_private_or_western() -> None:
    assert decode(b"a\xe9", "x-user-defined") == "a\uf7e9"
    assert decode(b'<meta charset="x-user-defined">caf\xe9').endswith("café")


def test_a_page_that_can_be_searched_is_not_of_16_bits() -> None:
    assert decode('<meta charset="utf-16"><p>é'.encode()).endswith("é")
    assert decode(b'<meta charset="utf-16">' + FRENCH.encode("cp1252")).endswith(FRENCH)


def test_open_bytes_of_windows_are_controls_and_a_comment_declares_nothing() -> None:
    assert decode(b"caf\xe9 \x81.", "windows-1252") == "café \x81."
    page = b'<!-- <meta charset="big5"> --><meta charset="euc-jp">' + JAPANESE.encode("euc_jp")
    assert decode(page).endswith(JAPANESE)


def test_the_server_outranks_the_page_and_a_mark_outranks_both() -> None:
    content = b'<meta charset="koi8-r"><p>' + RUSSIAN.encode("cp1251")
    assert decode(content, "windows-1251").endswith(RUSSIAN)
    assert decode(codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be"), "windows-1251") == RUSSIAN
    assert decode(codecs.BOM_UTF16_LE + RUSSIAN.encode("utf-16-le") + b"x").startswith(RUSSIAN), "cut in a character"


def test_a_declared_encoding_may_have_a_few_broken_bytes() -> None:
    chinese = "数学是一门研究数量的学科。" * 20
    text = decode(chinese.encode("gbk")[:-1] + b"<p>", "gb2312")
    assert text.startswith(chinese[:-1])
    assert text.count("\ufffd") == 1


@pytest.mark.parametrize(
    "header", ["text/html; charset=UTF-8", "text/html;charset='utf-8'", 'text/html; CHARSET = "utf-8"; x=y']
)
def test_the_charset_of_a_header(header: str) -> None:
    assert charset_of(header).lower() == "utf-8"
    assert charset_of("text/html") == ""


# --- nothing is declared

CHINESE = "数学是一门研究数量的学科。我们先考虑简单的情形，然后再讨论一般的定理。"
TRADITIONAL = "數學是一門研究數量的學科。我們先考慮簡單的情形，然後再討論一般的定理。"
KOREAN = "이차방정식을 살펴보고 잘 알려진 공식으로 근을 구해 봅시다."
GREEK = "Ας θεωρήσουμε την εξίσωση και ας βρούμε τις ρίζες της με τον γνωστό τύπο."
UKRAINIAN = "Розглянемо квадратне рівняння і знайдемо його корені за відомою формулою."
POLISH = "Twierdzenie o wartości średniej mówi, że istnieje taki punkt wewnątrz przedziału."
QUOTES = "Second: a café in Zürich — “quoted”. It doesn’t matter."
TURKISH = "Şimdi ikinci dereceden denklemi ele alalım ve köklerini bilinen formülle bulalım."


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        (QUOTES, "cp1252 utf-16-le utf-16-be mac_roman utf-32-le utf-32-be"),
        (FRENCH, "cp1252 cp850 mac_roman"),
        (CHINESE, "gbk gb18030 utf-16-le utf-16-be"),
        (TRADITIONAL, "big5 utf-16-le utf-16-be"),
        (JAPANESE, "cp932 euc_jp iso2022_jp utf-16-le utf-16-be"),
        (KOREAN, "euc_kr cp949 utf-16-le utf-16-be"),
        (RUSSIAN, "cp1251 koi8-r cp866 iso8859-5 utf-16-le utf-16-be utf-32-le"),
        (UKRAINIAN, "cp1251 koi8-u"),
        (GREEK, "cp1253 iso8859-7 utf-16-le"),
        (POLISH, "cp1250 iso8859-2"),
        (TURKISH, "cp1254 iso8859-9"),
    ],
)
@pytest.mark.parametrize("end", ["", "\r\n"])
def test_an_undeclared_encoding_is_found(text: str, encodings: str, end: str) -> None:
    for encoding in encodings.split():
        assert decode((text + end).encode(encoding)) == text + end, encoding


@pytest.mark.parametrize(
    "text",
    [
        "Müller",
        "café",
        "El Niño, año 1998",
        "façade",
        "It’s",
        "“Hi”",
        "±5 µm",
        "Æther",
        "jalapeño",
        "© 2020",
        "20 °C",
        "5 €",
    ],
)
def test_one_sign_in_a_short_text_is_western(text: str) -> None:
    for around in ("{}", "{}\n", "<p>some words before {} and behind it</p>"):
        assert decode(around.format(text).encode("cp1252")) == around.format(text)


def test_a_stray_zero_is_no_utf_16() -> None:
    assert "Bush hid" in decode(b"Bush hid the facts" + b" and more of them" * 20 + b"\0")


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 20, b"SQLite format 3\x00" + bytes(500), b"\xff\xfe\xfd" * 300]
)
def test_what_fits_nothing_is_refused(content: bytes) -> None:
    with pytest.raises(NotText):
        decode(content)


@given(st.binary(max_size=400), st.sampled_from(["", "gb2312", "x-user-defined", "hz", "utf-16", "idna", "\0", "é"]))
def test_any_bytes_are_text_or_refused(content: bytes, charset: str) -> None:
    with contextlib.suppress(NotText):
        assert isinstance(decode(content, charset), str)


@pytest.mark.parametrize(
    "text", ["<p>a~b\x01</p><!-- " + "-" * 300 + " -->", "1;2;3\n" * 99 + "\0", "{}[];" * 99 + "\2"]
)
def test_a_stray_control_character_makes_no_text_one_of_16_bits(text: str) -> None:
    assert decode(text.encode()) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("El a spus: „Aceasta este o propoziţie în limba română” – şi a plecat la şcoală… ", "cp1250"),
        ("Jis pasakė: „Šis sakinys“ – ir išėjo… žąsys ėjo. ", "cp1257"),
        ("El niño comió una manzana mañana, ¿qué pasó en la canción de José? Está aquí. ", "mac_roman"),
    ],
)
def test_quotation_marks_of_windows_and_accents_of_a_macintosh_are_told_from_iso_8859(text: str, encoding: str) -> None:
    """Their bytes would be control characters in ISO 8859, or bare accents inside words."""
    assert decode((5 * text).encode(encoding)) == 5 * text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (3 * "Это предложение написано на русском языке. ", "cp1251"),
        (3 * "中文网页内容测试，今天天气很好。", "gbk"),
        ('<meta charset="shift_jis"><p>日本語の文章です、東京に行きました。', "cp932"),
    ],
)
def test_the_western_default_of_a_server_does_not_hide_another_script(text: str, encoding: str) -> None:
    """Apache's `AddDefaultCharset iso-8859-1` is sent with pages in any encoding."""
    assert decode(text.encode(encoding), "iso-8859-1") == text


@pytest.mark.parametrize("text", ["Café – « déjà vu »… à l’Été", "———…… ÀÉÈÊ ÇÀ ———", "ŒUVRE ÉÉÈ"])
def test_western_text_is_read_by_its_label(text: str) -> None:
    """Rows of dashes and single accents are no other script."""
    assert decode(text.encode("cp1252"), "iso-8859-1") == text


def test_lengths_are_those_of_utf8_and_half_a_pair_has_one() -> None:
    assert utf8_lengths(["", "a", "ü", "数", "\U0001d400", "\ud800"]) == [0, 1, 2, 3, 4, 3]
    assert utf8_bytes(text for text in ("ü", "\ud800")) == 5
